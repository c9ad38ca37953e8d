#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
for server in $(backends); do
    healthy "$server" "${1:-${HOTFIX_NEW_TAG:-}}"
done
expect_login 200 "$(url production)/auth/login" "$email" "$password" 'login with the right password'
expect_login 401 "$(url production)/auth/login" "$email" not-the-password 'login with a wrong password'
