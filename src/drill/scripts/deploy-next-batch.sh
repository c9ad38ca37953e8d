#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
[ -f "$drill/rolling/tag" ] || die 'no rolling deployment: deploy-rolling.sh begins one'
next_batch
