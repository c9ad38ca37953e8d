#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
healthy blue
traffic blue
