// Writes jcs-numbers.txt and jcs-objects.txt with what this JavaScript engine makes of seeded random values:
//   node make_json.js
// RFC 8785 defines its numbers and its order of names by ECMAScript, so an engine is the outside truth.
"use strict";
const fs = require("fs");
const path = require("path");

let state = 0x9e3779b97f4a7c15n;
function next() {  // xorshift64*
  state ^= state >> 12n;
  state = BigInt.asUintN(64, state ^ (state << 25n));
  state ^= state >> 27n;
  return BigInt.asUintN(64, state * 0x2545f4914f6cdd1dn);
}
const below = (n) => Number(next() % BigInt(n));

const view = new DataView(new ArrayBuffer(8));
const fromBits = (bits) => (view.setBigUint64(0, bits), view.getFloat64(0));
const toBits = (number) => (view.setFloat64(0, number), view.getBigUint64(0));

const numbers = [];
const add = (number) => { if (Number.isFinite(number)) numbers.push(number); };
while (numbers.length < 900) add(fromBits(next()));
for (let power = -330; power <= 308; power++) {
  add(Number(`1e${power}`));
  if (power % 3 === 0) add(Number(`${1 + below(999)}.${below(1000)}e${power}`));
}
for (let power = -1074; power <= 1023; power += 11) add(2 ** power);
for (let count = 0; count < 300; count++) {
  add((below(2) ? 1 : -1) * below(1 << 30) / 10 ** below(12));
}
for (const edge of [2 ** 53, 1e21, 1e-6, 1e-7, 1, 123456789]) {
  const bits = toBits(edge);
  for (let step = -4n; step <= 4n; step++) add(fromBits(bits + step));
}
const lines = numbers.map((n) => toBits(n).toString(16).padStart(16, "0") + " " + JSON.stringify(n));
fs.writeFileSync(path.join(__dirname, "jcs-numbers.txt"), lines.join("\n") + "\n");

const pieces = ["a", "A", "b", "0", "9", "-", "_", "~", " ", "\n", "\t", "\r", "\b", "\f", "\"", "\\", "/", "\0", "\u001f",
  "\u007f", "\u0080", "\u00e9", "e\u0301", "\u0301", "\u20ac", "\u2028", "\ud7ff", "\ue000", "\ufb33", "\uffe5",
  "\u{10000}", "\u{1f600}", "\u{10fffd}"];
const text = () => Array.from({ length: below(5) }, () => pieces[below(pieces.length)]).join("");
function value(depth) {
  switch (below(depth > 2 ? 5 : 7)) {
    case 0: return null;
    case 1: return below(2) === 0;
    case 2: return below(1 << 30) - (1 << 29);
    case 3: return below(1 << 30) / 10 ** (1 + below(15));
    case 4: return text();
    case 5: return Array.from({ length: below(4) }, () => value(depth + 1));
    default: return object(depth + 1);
  }
}
function object(depth) {
  const members = {};
  for (let count = below(8); count > 0; count--) members[text() + "."] = value(depth);
  return members;
}
function canonical(v) {
  if (v === null || typeof v !== "object") return JSON.stringify(v);
  if (Array.isArray(v)) return "[" + v.map(canonical).join(",") + "]";
  return "{" + Object.keys(v).sort().map((k) => JSON.stringify(k) + ":" + canonical(v[k])).join(",") + "}";
}
const objects = Array.from({ length: 200 }, () => object(0)).filter((o) => Object.keys(o).length > 1);
// Two lines each: as built, then canonical.
fs.writeFileSync(path.join(__dirname, "jcs-objects.txt"),
  objects.map((o) => JSON.stringify(o) + "\n" + canonical(o) + "\n").join(""));
