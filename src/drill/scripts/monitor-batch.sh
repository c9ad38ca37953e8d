#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
[ -f "$drill/rolling/tag" ] || die 'no rolling deployment: deploy-rolling.sh begins one'
tag=$(cat "$drill/rolling/tag")
bad=
while read -r server; do
    healthy "$server" "$tag"
    # Members log in, as they do all the time.
    wrong=0
    for member in 1 2 3 4; do
        [ "$(login "$(url "$server")/auth/login" "$email" "$password")" = 200 ] || wrong=$((wrong + 1))
    done
    echo "$server: $wrong of 4 logins fail"
    [ "$wrong" = 0 ] || bad=$bad${bad:+,}$server
done <"$drill/rolling/done"
if [ -n "$bad" ]; then
    tail -n 2 "$drill/log/error.log" >&2
    die "errors on $bad"
fi
