#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
# Users do not reach blue until switch-to-blue.sh.
deploy "${1:?usage: deploy-blue.sh TAG}" blue
