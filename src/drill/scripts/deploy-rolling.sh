#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
tag=${1:?usage: deploy-rolling.sh TAG [--batch-size N]}
size=1
[ "${2:-}" != --batch-size ] || size=${3:?--batch-size needs a number}
mkdir -p "$drill/rolling"
echo "$tag" >"$drill/rolling/tag"
echo "$size" >"$drill/rolling/size"
for server in $fleet; do echo "$server"; done >"$drill/rolling/waiting"
: >"$drill/rolling/done"
# shellcheck disable=SC2086
traffic $fleet
next_batch
