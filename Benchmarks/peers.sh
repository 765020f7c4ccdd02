#!/usr/bin/env bash
# Other ways to bring the same file over the same emulated link, beside which Godwit's figures stand.
#
#   Benchmarks/peers.sh EMULATOR PROFILE SEED CORPUS [emulator options …]
#
# https-batch: JSON, each message sealed and signed, one gzip batch over HTTPS (Benchmarks/peers/https_batch.py).
# nncp: NNCP of Debian, one packet for each message; nncp-one: all of them in one packet.
# PEERS names those to run. Needs root, iproute2, nncp, and the Python of `make deps`. Prints one JSON object a peer:
# seconds to the arrival of the last message, and bytes put on the link each way.
set -euo pipefail
emulator=$1 profile=$2 seed=$3 corpus=$(realpath "$4")
shift 4
cd "$(dirname "$0")/.."
python=$PWD/.build-python/bin/python
peers=$PWD/Benchmarks/peers
scratch=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; for side in a b; do ip netns del godwit-$side 2>/dev/null || true; done; rm -rf "$scratch"' EXIT

# The link, with counts from now on.
link() {
    for side in a b; do ip netns del godwit-$side 2>/dev/null || true; done
    "$emulator" --make-ns --ns-a godwit-a --ns-b godwit-b --profile "$profile" --seed "$seed" --stats "$scratch/stats" \
        --quiet "$@" &
    emulating=$!
    sleep 1
    for side in a b; do ip netns exec godwit-$side ip link set lo up; done
}

# name, start and end of the exchange in seconds
result() {
    kill -USR1 "$emulating"
    sleep 0.5
    "$python" - "$scratch/stats" "$@" <<'END'
import json, sys
stats, name, start, end = json.load(open(sys.argv[1])), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
print(json.dumps({"peer": name, "seconds": round(end - start, 1), "up": stats["a_to_b"]["tx_bytes"],
                  "down": stats["b_to_a"]["tx_bytes"]}))
END
    kill "$emulating"
    wait "$emulating" 2>/dev/null || true
}

https_batch() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=shore \
        -keyout "$scratch/key" -out "$scratch/certificate" 2>/dev/null
    link "$@"
    ip netns exec godwit-b "$python" "$peers/https_batch.py" serve 10.99.0.2 7443 "$scratch/certificate" "$scratch/key" \
        >"$scratch/served" &
    serving=$!
    sleep 1
    kill -USR2 "$emulating"
    ip netns exec godwit-a "$python" "$peers/https_batch.py" send 10.99.0.2 7443 "$scratch/certificate" "$corpus" \
        >"$scratch/sent" || true
    wait "$serving"
    result https-batch "$(sed -E 's/.*"at": ([0-9.]+).*/\1/' "$scratch/sent")" \
        "$(sed -E 's/.*"at": ([0-9.]+).*/\1/' "$scratch/served")"
}


nncp() {
    name=$1
    shift
    rm -rf "$scratch/a" "$scratch/b" "$scratch/parts"
    "$python" "$peers/nncp_pair.py" "$scratch"
    mkdir "$scratch/parts"
    if [ "$name" = nncp ]; then
        split --lines=1 --suffix-length=4 "$corpus" "$scratch/parts/m"
    else
        cp "$corpus" "$scratch/parts/all"
    fi
    for part in "$scratch"/parts/*; do
        nncp-file -quiet -cfg "$scratch/a/config" "$part" b: 2>/dev/null
    done
    count=$(find "$scratch/parts" -type f | wc -l)
    link "$@"
    ip netns exec godwit-b nncp-daemon -quiet -cfg "$scratch/b/config" -bind 10.99.0.2:5400 2>/dev/null &
    serving=$!
    sleep 1
    kill -USR2 "$emulating"
    start=$(date +%s.%N)
    ip netns exec godwit-a timeout 900 nncp-call -quiet -cfg "$scratch/a/config" b 10.99.0.2:5400 \
        2>/dev/null &
    calling=$!
    end=$start
    while kill -0 "$calling" 2>/dev/null; do
        arrived=$(find "$scratch/b/spool" -path '*/rx/*' ! -path '*/hdr/*' -type f ! -name '*.*' 2>/dev/null | wc -l)
        if [ "$arrived" -ge "$count" ]; then
            end=$(date +%s.%N)
            break
        fi
        sleep 0.1
    done
    kill "$calling" "$serving" 2>/dev/null || true
    wait "$calling" "$serving" 2>/dev/null || true
    if [ "$end" = "$start" ]; then
        echo "{\"peer\":\"$name\",\"arrived\":$arrived,\"of\":$count,\"not\":\"finished\"}"
        kill "$emulating"
        wait "$emulating" 2>/dev/null || true
        return
    fi
    result "$name" "$start" "$end"
}

for peer in ${PEERS:-https-batch nncp nncp-one}; do
    case $peer in
    https-batch) https_batch "$@" ;;
    *) nncp "$peer" "$@" ;;
    esac
done
