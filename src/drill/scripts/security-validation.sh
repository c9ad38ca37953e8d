#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
for server in $(backends); do
    login=$(url "$server")/auth/login
    expect_login 401 "$login" "$email" not-the-password "$server: a wrong password"
    expect_login 401 "$login" "$email" '' "$server: an empty password"
    expect_login 401 "$login" nobody@example.com "$password" "$server: an unknown user"
done
