#!/usr/bin/env bash
# How a node's work grows: with its accounts, the members of a channel, the length of a history, and idle sessions. A fresh
# node for each, on one core; clients on the other.
#
#   Benchmarks/growth.sh [FILE]
#
# Needs the release builds of godwit and godwit-bench, and two cores. Prints one JSON object a line, and keeps them in FILE.
# ACCOUNTS, MEMBERS, HISTORY and SESSIONS set other sizes, comma separated; empty leaves one out. GROWTH_LARGE=1: a million
# messages of history, a quarter of an hour.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
file=$(realpath "${1:-/dev/null}")
accounts=${ACCOUNTS-100,1000,10000,30000}
# A channel takes 2,048 devices; such a one takes a quarter of an hour.
members=${MEMBERS-10,100,500,1000}
history=${HISTORY-1000,10000,100000${GROWTH_LARGE:+,1000000}}
sessions=${SESSIONS-1000,3000,10000}
scratch=$(mktemp -d)
node=
. Benchmarks/node.sh
trap 'stop; rm -rf "$scratch"' EXIT
ulimit -n "$(ulimit -H -n)"
# Not in the checkout, whose own spool a node would take.
cd "$scratch"
: >results
ON="taskset -c 0"

bench() {
    taskset -c 1 "$root/.build/release/godwit-bench" "$@" --json | tee -a results
}

grow() {
    [ -n "$2" ] || return 0
    start clear
    bench "growth-$1" --endpoint "ws://127.0.0.1:$port" --node "$id" --pid "$node" --sizes "$2" "${@:3}"
    stop
}

grow accounts "$accounts"
grow members "$members"
grow history "$history" --spool home/node/spool
for count in ${sessions//,/ }; do
    start clear
    bench sessions --endpoint "ws://127.0.0.1:$port" --node "$id" --pid "$node" --sessions "$count" --joins 0
    stop
done
cp results "$file"
