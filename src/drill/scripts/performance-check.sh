#!/bin/sh
. "${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}/prologue.sh"
health=$(get "$(url production)/health")
latency=$(printf '%s' "$health" | sed -n 's/.*"latency_ms":\([0-9]*\).*/\1/p')
[ -n "$latency" ] || die "no latency in $health"
[ "$latency" -lt 2000 ] || die "slow: ${latency} ms"
echo "latency: ${latency} ms"
