#!/bin/sh
# A device in 1,000 channels that has nothing to do; then sends, and a week of messages in one contact.
# client.sh [DIR [OPTIONS…]]: results in DIR as well; options go to godwit-bench (--json).
set -eu
save=${1:-.build/bench}
[ $# -gt 0 ] && shift
program=.build/release/godwit-bench
work=$(mktemp -d /tmp/godwit-client-XXXXXX)
trap 'rm -rf "$work"' EXIT
"$program" client-idle --prepare --directory "$work/idle"
"$program" client-idle --directory "$work/idle" --save "$save" "$@"
"$program" client --save "$save" "$@"
