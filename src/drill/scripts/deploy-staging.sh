#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
deploy "${1:?usage: deploy-staging.sh TAG}" staging
