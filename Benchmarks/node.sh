# shellcheck shell=bash
# Nodes for benchmarks; to be sourced where `root` is the checkout and `node` is empty. A node sets node, port and id.

stop() {
    if [ -n "$node" ]; then
        kill "$node" 2>/dev/null || true
        wait "$node" 2>/dev/null || true
        node=
    fi
}

# A fresh node in ./home, which bears ten thousand clients of one address. `start clear`: without TLS.
# What ON says goes before the program, such as ON="taskset -c 0".
start() {
    rm -rf home
    "$root/.build/release/godwit" node init --home home --listen 127.0.0.1:0 >/dev/null
    if [ "${1:-}" = clear ]; then sed -i 's/^tls: .*/tls: false/' home/node/node.yaml; fi
    echo 'limits: {login: {burst: 1000000, per_minute: 1000000}, messages: {burst: 1000000, per_minute: 60000000}}' >>home/node/node.yaml
    run
    id=$("$root/.build/release/godwit" node status --home home --json | sed -nE 's/.*"id":"([a-z0-9]{8})".*/\1/p')
}

# Ends the node and starts it again at the same port: nothing but its store is left of what it did.
restart() {
    stop
    sed -i "s/^listen: .*/listen: \"127.0.0.1:$port\"/" home/node/node.yaml
    run
}

run() {
    ${ON:-} "$root/.build/release/godwit" node run --home home >log 2>&1 &
    node=$!
    for _ in $(seq 120); do
        grep -qs '^Listening' log && break
        sleep 0.25
    done
    port=$(sed -nE 's/^Listening on port ([0-9]+).*/\1/p' log)
}
