#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
# Takes back one batch, and no other server.
hosts=${1?usage: undo-batch.sh SERVER,...}
[ -n "$hosts" ] || echo 'no server was named: the batch had not begun'
for server in $(echo "$hosts" | tr , ' '); do
    deploy "${HOTFIX_ROLLBACK_TO:?}" "$server"
    healthy "$server" "$HOTFIX_ROLLBACK_TO"
done
