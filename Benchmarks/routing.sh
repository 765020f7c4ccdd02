#!/usr/bin/env bash
# A node on one core, clients on the other: how long messages between connected clients take at 500 a second, how many go
# at most, what idle sessions and joins of a channel cost. Every message is verified and durable before it is delivered.
#
#   Benchmarks/routing.sh [FILE]
#
# Needs the release builds of godwit and godwit-bench, and two cores. Prints one JSON object a line, and keeps them in FILE.
# SESSIONS sets the number of idle sessions (10000); PEERS=1 measures Prosody (Debian's) in the same run, with an archive
# and without.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
file=$(realpath "${1:-/dev/null}")
sessions=${SESSIONS:-10000}
scratch=$(mktemp -d)
node=
stop() {
    if [ -n "$node" ]; then
        kill "$node" 2>/dev/null || true
        wait "$node" 2>/dev/null || true
        node=
    fi
}
trap 'stop; rm -rf "$scratch"' EXIT
ulimit -n "$(ulimit -H -n)"
# Not in the checkout, whose own spool a node would take.
cd "$scratch"

# A fresh node, clear text on loopback: sets node, port and id.
start() {
    rm -rf home
    "$root/.build/release/godwit" node init --home home --listen 127.0.0.1:0 >/dev/null
    sed -i 's/^tls: .*/tls: false/' home/node/node.yaml
    # Ten thousand clients of one address.
    echo 'limits: {login: {burst: 1000000, per_minute: 1000000}, messages: {burst: 1000000, per_minute: 60000000}}' >>home/node/node.yaml
    taskset -c 0 "$root/.build/release/godwit" node run --home home >log 2>&1 &
    node=$!
    for _ in $(seq 120); do
        grep -q '^Listening' log && break
        sleep 0.25
    done
    port=$(sed -nE 's/^Listening on port ([0-9]+).*/\1/p' log)
    id=$("$root/.build/release/godwit" node status --home home --json | sed -nE 's/.*"id":"([a-z0-9]{8})".*/\1/p')
}

bench() {
    local command=$1
    shift
    taskset -c 1 "$root/.build/release/godwit-bench" "$command" \
        --endpoint "ws://127.0.0.1:$port" --node "$id" --json "$@" | tee -a results
}

for pairs in 1 8; do
    start
    bench routing --pairs "$pairs"
    stop
done
start
bench sessions --pid "$node" --sessions "$sessions"
stop
if [ -n "${PEERS:-}" ]; then
    for archive in "" --archive; do
        taskset -c 1 python3 "$root/Benchmarks/peers/prosody.py" $archive | tee -a results
    done
fi
cp results "$file"
