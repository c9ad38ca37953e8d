#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
[ -f "$drill/rolling/tag" ] || die 'no rolling deployment: deploy-rolling.sh begins one'
tag=$(cat "$drill/rolling/tag")
while read -r server; do
    healthy "$server" "$tag"
    expect_login 200 "$(url "$server")/auth/login" "$email" "$password" "login on $server"
done <"$drill/rolling/done"
