#!/usr/bin/env bash
# Measures the demo's conversation between two network namespaces over a packet-level link emulator.
#
#   Benchmarks/link.sh EMULATOR PROFILE SEED [CORPUS] [emulator options …]
#
# EMULATOR is a program that takes --make-ns --ns-a --ns-b --profile --seed --stats, counts what it puts on the air, and
# starts its counts anew on SIGUSR2. The field, where the authors are, is side A, so up is a_to_b. Needs root and iproute2.
# Prints the demo's result, then the emulator's statistics of the conversation alone (enrolment comes before).
#
# TAG=…           names its namespaces apart from those of another run at the same time
# CARRIER=https   HTTPS instead of datagrams
# BOTH_WAYS=1     authors on both sides who write while the link works, and a profile made for the demo; without it all
#                 authors are on one side, the shipped profile holds, and the link is opened when everything was written
# CONFIGURATION=debug   a debug build
set -euo pipefail
emulator=$1 profile=$2 seed=$3 corpus=${4:-}
a=godwit-a${TAG:-} b=godwit-b${TAG:-}
shift $(($# < 4 ? $# : 4))
cd "$(dirname "$0")/.."
case $profile in
satellite) link=(--rate 9600 --rtt 600 --loss 0.01) ;;
mesh) link=(--rate 2400 --rtt 200 --loss 0.05) ;;
mobile) link=(--rate 64000 --rtt 150 --loss 0.01) ;;
*) echo "link.sh: PROFILE is satellite, mesh or mobile" >&2; exit 64 ;;
esac
[ "${CARRIER:-udp}" = https ] || link+=(--datagrams)
[ -n "${BOTH_WAYS:-}" ] || link+=(--one-way --profile "$profile")
stats=$(mktemp)
for side in "$a" "$b"; do ip netns del "$side" 2>/dev/null || true; done
"$emulator" --make-ns --ns-a "$a" --ns-b "$b" --profile "$profile" --seed "$seed" --stats "$stats" --quiet "$@" &
pid=$!
trap 'kill $pid 2>/dev/null || true; for side in "$a" "$b"; do ip netns del "$side" 2>/dev/null || true; done; rm -f "$stats"' EXIT
sleep 1
for side in "$a" "$b"; do ip netns exec "$side" ip link set lo up; done
".build/${CONFIGURATION:-release}/godwit" demo --json ${corpus:+--corpus "$corpus"} "${link[@]}" --limit 1800 \
	--field-namespace "$a" --shore-namespace "$b" --field-address 10.99.0.1 --shore-address 10.99.0.2 \
	--emulator $pid || echo "link.sh: the demo failed with $?" >&2
sleep 0.5
cat "$stats"
