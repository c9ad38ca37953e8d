#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
# Where production was before switch-to-blue.sh; green was left as it is.
# shellcheck disable=SC2086
traffic $fleet
