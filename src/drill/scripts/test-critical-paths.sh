#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
healthy production
expect_login 200 "$(url production)/auth/login" "$email" "$password" 'login'
expect_login 200 "$(url production)/api/auth/login" "$email" "$password" 'login by the api'
