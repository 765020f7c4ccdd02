#!/usr/bin/env bash
# All links that Godwit is measured on, over a packet-level link emulator: median of five seeds, and every value.
#
#   Benchmarks/links.sh EMULATOR CORPUS-100 CORPUS-1000 [FILE] [--json]
#
# See link.sh for EMULATOR and what is measured. Keeps the result in FILE. SEEDS and LINKS choose others than
# "1 2 3 4 5" and "satellite satellite-cut mesh mobile mobile-windows": in satellite-cut the link is gone for some
# seconds from a random moment on, in mobile-windows it is there for 10 s of every 30.
set -euo pipefail
emulator=$(realpath "$1") hundred=$(realpath "$2") thousand=$(realpath "$3")
file=$(realpath "${4:-/dev/null}") format=${5:-}
cd "$(dirname "$0")/.."
runs=$(mktemp)
trap 'rm -f "$runs"' EXIT
for link in ${LINKS:-satellite satellite-cut mesh mobile mobile-windows}; do
    for seed in ${SEEDS:-1 2 3 4 5}; do
        profile=${link%%-*} corpus=$hundred options=()
        case $link in
        mobile*) corpus=$thousand ;;
        esac
        case $link in
        satellite-cut)
            # Where the cut is follows from the seed.
            cut=$(awk -v seed="$seed" 'BEGIN { srand(seed * 7919); printf "%.2f", 1 + rand() * 4 }')
            back=$(awk -v seed="$seed" -v cut="$cut" 'BEGIN { srand(seed * 104729); printf "%.2f", cut + 4 + rand() * 8 }')
            options=(--windows "0-$cut,$back-3600")
            ;;
        mobile-windows) options=(--up 10 --down 20) ;;
        esac
        echo "links: $link, seed $seed" >&2
        { echo "RUN $link $seed"; Benchmarks/link.sh "$emulator" "$profile" "$seed" "$corpus" "${options[@]}"; } >>"$runs"
    done
done
python3 - "$runs" "$file" "$format" <<'END'
import json, statistics, sys

text, path, form = open(sys.argv[1]).read(), sys.argv[2], sys.argv[3]
links, decoder, failed = {}, json.JSONDecoder(), False
for part in text.split("RUN ")[1:]:
    head, body = part.split("\n", 1)
    name = head.split()[0]
    row, at = links.setdefault(name, []), 0
    objects = []
    while (at := body.find("{", at)) >= 0:
        try:
            value, length = decoder.raw_decode(body[at:])
            objects.append(value)
            at += length
        except json.JSONDecodeError:
            at += 1
    demo = next((o for o in objects if "accepted" in o), None)
    air = next((o for o in objects if "a_to_b" in o), None)
    if not demo or not air or demo["lost"] or demo["duplicated"] or demo["out_of_order"] or demo["delivered"] != demo["expected"]:
        failed = True
        row.append({"failed": demo or body[-300:]})
        continue
    row.append({"seconds": demo["seconds"], "up": air["a_to_b"]["tx_bytes"], "down": air["b_to_a"]["tx_bytes"],
                "lost": air["a_to_b"]["lost_random_packets"] + air["a_to_b"]["lost_outage_packets"]})
result = {"benchmark": "links", "links": []}
for name, rows in links.items():
    good = [row for row in rows if "seconds" in row]
    entry = {"link": name, "runs": rows}
    if good:
        entry |= {key: statistics.median(row[key] for row in good) for key in ("seconds", "up", "down")}
    result["links"].append(entry)
line = json.dumps(result)
open(path, "w").write(line + "\n")
if form == "--json":
    print(line)
else:
    print("links: seconds to the last copy read, bytes on the air up and down; median, then each seed")
    for entry in result["links"]:
        each = "  ".join(f"{row['seconds']} s {row['up']} B" if "seconds" in row else "FAILED" for row in entry["runs"])
        print(f"  {entry['link']:15} {entry.get('seconds')} s  {entry.get('up')} B up  {entry.get('down')} B down   ({each})")
sys.exit(failed)
END
