#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
for sample in 1 2 3 4 5; do
    healthy production "${HOTFIX_NEW_TAG:-}"
done
get "$(url production)/metrics"
