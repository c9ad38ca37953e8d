#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
healthy blue "${1:-${HOTFIX_NEW_TAG:-}}"
expect_login 200 "$(url blue)/auth/login" "$email" "$password" 'login on blue'
