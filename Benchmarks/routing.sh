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
. Benchmarks/node.sh
trap 'stop; rm -rf "$scratch"' EXIT
ulimit -n "$(ulimit -H -n)"
# Not in the checkout, whose own spool a node would take.
cd "$scratch"

ON="taskset -c 0"

bench() {
    local command=$1
    shift
    taskset -c 1 "$root/.build/release/godwit-bench" "$command" \
        --endpoint "ws://127.0.0.1:$port" --node "$id" --json "$@" | tee -a results
}

for pairs in 1 8; do
    start clear
    bench routing --pairs "$pairs"
    stop
done
start clear
bench sessions --pid "$node" --sessions "$sessions"
stop
if [ -n "${PEERS:-}" ]; then
    for archive in "" --archive; do
        taskset -c 1 python3 "$root/Benchmarks/peers/prosody.py" $archive | tee -a results
    done
fi
cp results "$file"
