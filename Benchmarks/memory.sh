#!/usr/bin/env bash
# Memory of a node with nothing to do, and of one with a million items in its spool, from /proc/PID/status (kB).
#
#   Benchmarks/memory.sh [FILE] [--json]
#
# Needs the release builds of godwit and godwit-bench. Keeps the result in FILE. ITEMS sets another number of items.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
file=$(realpath "${1:-/dev/null}") format=${2:-}
items=${ITEMS:-1000000}
scratch=$(mktemp -d)
node=
trap 'if [ -n "$node" ]; then kill "$node" 2>/dev/null || true; wait "$node" 2>/dev/null || true; fi; rm -rf "$scratch"' EXIT

# Not in the checkout, whose own spool a node would take.
cd "$scratch"

# Starts a node in a home, waits until it has settled, and says "resident anonymous".
measure() {
    "$root/.build/release/godwit" node run --home "$1" >"$scratch/log" 2>&1 &
    node=$!
    for _ in $(seq 120); do
        grep -q '^Listening' "$scratch/log" && break
        sleep 0.5
    done
    sleep 5
    awk '/^VmRSS/ { resident = $2 } /^RssAnon/ { anonymous = $2 } END { print resident, anonymous }' "/proc/$node/status"
    kill "$node"
    wait "$node" || true
    node=
}

"$root/.build/release/godwit" node init --home "$scratch/home" --listen 127.0.0.1:0 >/dev/null
measure "$scratch/home" >"$scratch/idle"
# The bench knows the tables of the spool alone, so it has to come before the node that adds its own.
"$root/.build/release/godwit" node init --home "$scratch/large" --listen 127.0.0.1:0 >/dev/null
"$root/.build/release/godwit-bench" spool-fill --items "$items" "$scratch/large/node/spool"
measure "$scratch/large" >"$scratch/full"
read -r idle_resident idle_anonymous <"$scratch/idle"
read -r full_resident full_anonymous <"$scratch/full"
line="{\"benchmark\":\"memory\",\"idle_anonymous_kb\":$idle_anonymous,\"idle_resident_kb\":$idle_resident"
line+=",\"items\":$items,\"spooled_anonymous_kb\":$full_anonymous,\"spooled_resident_kb\":$full_resident}"
echo "$line" >"$file"
if [ "$format" = --json ]; then
    echo "$line"
else
    printf 'memory\n  node with nothing to do: %s kB resident, %s kB anonymous\n' "$idle_resident" "$idle_anonymous"
    printf '  with %s items spooled: %s kB resident, %s kB anonymous\n' "$items" "$full_resident" "$full_anonymous"
fi
