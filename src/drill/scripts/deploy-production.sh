#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
tag=${1:?usage: deploy-production.sh TAG}
for server in $fleet; do
    deploy "$tag" "$server"
done
# shellcheck disable=SC2086
traffic $fleet
