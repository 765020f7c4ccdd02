#!/usr/bin/env bash
# What a device of a person costs: writing a message, a contact after a week away, and a client that sits in a thousand
# channels and waits; the last also at its home node. Real nodes over TLS on loopback, real homes, the real program.
#
#   Benchmarks/client.sh [FILE]
#
# Needs the release builds of godwit and godwit-bench. Prints one JSON object a line, and keeps them in FILE. WHAT names some
# of "send week idle"; WEEK (5000) sets another number of messages for the second, LOCKED=1 puts its store under a key,
# CHANNELS (1000) and SECONDS_IDLE (60) set other circumstances for the last.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
file=$(realpath "${1:-/dev/null}")
scratch=$(mktemp -d)
node=
. Benchmarks/node.sh
trap 'stop; rm -rf "$scratch"' EXIT
# Not in the checkout, whose own spool a node would take.
cd "$scratch"
: >results
export GODWIT_PASSPHRASE='a passphrase for measuring only'
export GODWIT_STORE_PASSPHRASE=$GODWIT_PASSPHRASE

# So many people at home at a fresh node.
people() {
    rm -rf people
    mkdir people
    start
    "$root/.build/release/godwit" node descriptor --home home >node.json
    for number in $(seq -w "$1"); do
        "$root/.build/release/godwit" identity create "person-$number" --home "people/$number" --node node.json \
            --endpoint "https://127.0.0.1:$port" >/dev/null
        "$root/.build/release/godwit" register --home "people/$number" >/dev/null
    done
}

bench() {
    "$root/.build/release/godwit-bench" "$@" --homes people --json | tee -a results
}

for what in ${WHAT:-send week idle}; do
    case $what in
        send)
            people 8
            bench client-send
            ;;
        week)
            people 26
            bench client-week --godwit "$root/.build/release/godwit" --messages "${WEEK:-5000}" \
                ${LOCKED:+--locked}
            ;;
        idle)
            people 6
            idle=(client-idle --godwit "$root/.build/release/godwit" --channels "${CHANNELS:-1000}")
            bench "${idle[@]}" --node-pid "$node" --prepare
            restart
            sleep 10
            bench "${idle[@]}" --node-pid "$node" --seconds "${SECONDS_IDLE:-60}"
            ;;
        *) echo "client.sh: there is no $what" >&2 && exit 64 ;;
    esac
    stop
done
cp results "$file"
