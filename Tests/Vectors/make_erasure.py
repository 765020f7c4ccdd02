#!/usr/bin/env python3
"""Makes erasure.txt: what docs/protocol.md, section 8.4, says of symbols and datagrams, and section 8.2 of parity within an
exchange, computed by other means.

Here a product is a polynomial's remainder, bit by bit, an inverse is found by trying, and lost symbols come from
inverting the rows of the whole generator matrix that are left. The parity lines are also what ISA-L 2.30 computes
(gf_gen_cauchy1_matrix, ec_encode_data). Usage: make_erasure.py > erasure.txt
"""

import hashlib
import itertools
import random


def times(a, b):
    """Product in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1."""
    product = 0
    for bit in range(8):
        if b >> bit & 1:
            product ^= a << bit
    for bit in range(14, 7, -1):
        if product >> bit & 1:
            product ^= 0x11D << (bit - 8)
    return product


INVERSE = {a: next(b for b in range(256) if times(a, b) == 1) for a in range(1, 256)}


def row(k, index):
    """Row of the generator matrix: the first k are those of the unit matrix."""
    return [int(index == j) for j in range(k)] if index < k else [INVERSE[index ^ j] for j in range(k)]


def combine(coefficients, symbols):
    result = bytearray(len(symbols[0]))
    for coefficient, symbol in zip(coefficients, symbols):
        for place, byte in enumerate(symbol):
            result[place] ^= times(coefficient, byte)
    return bytes(result)


def recover(k, known):
    """Data from any k symbols, {index: bytes}, by Gauss-Jordan on the generator's rows."""
    chosen = sorted(known)[:k]
    rows = [row(k, index) for index in chosen]
    values = [known[index] for index in chosen]
    for column in range(k):
        pivot = next(r for r in range(column, k) if rows[r][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        values[column], values[pivot] = values[pivot], values[column]
        scale = INVERSE[rows[column][column]]
        rows[column] = [times(scale, value) for value in rows[column]]
        values[column] = combine([scale], [values[column]])
        for r in range(k):
            if r != column and rows[r][column]:
                factor = rows[r][column]
                rows[r] = [a ^ times(factor, b) for a, b in zip(rows[r], rows[column])]
                values[r] = combine([1, factor], [values[r], values[column]])
    return values


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return (crc ^ 0xFFFFFFFF).to_bytes(4, "big")


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def datagrams(records, size, blocks, rows):
    """All datagrams of an object, data first."""
    starts, content = [], b""
    for record in records:
        starts.append(len(content))
        content += varint(len(record)) + record
    count = -(-len(content) // size)
    data = [content[i * size:(i + 1) * size] for i in range(count)]
    head = b"\x11" + hashlib.sha256(content).digest()[:8] + varint(len(content)) + varint(size) + varint(blocks)
    for number in range(count + rows * blocks):
        if number < count:
            first = min((s for s in starts if number * size <= s < number * size + len(data[number])),
                        default=number * size + len(data[number])) - number * size
            body = varint(number) + varint(first) + data[number]
        else:
            mine = [symbol.ljust(size, b"\0") for symbol in data[number % blocks::blocks]]
            body = varint(number) + combine(row(len(mine), number // blocks), mine)
        yield head + body + crc32c(head + body)


def parity_symbol(chunks, ends, number, ident, answerer):
    """What the code takes for one datagram of an exchange: (offset, bytes) each, section 8.2."""
    body = bytes([(len(chunks) - 1) << 1 | ends])
    for index, (offset, content) in enumerate(chunks):
        body += varint(offset) + (varint(len(content)) if index < len(chunks) - 1 else b"") + content
    return len(body).to_bytes(2, "big") + body + crc32c(bytes([answerer]) + ident + varint(number) + body)


def exchange_parity(group, number, row_number, share, ident, answerer):
    """A datagram of parity over {number: (chunks, ends)}, without acknowledgement or opening, that asks."""
    numbers = sorted(group)
    symbols = [parity_symbol(*group[covered], covered, ident, answerer) for covered in numbers]
    size = max(map(len, symbols))
    cover = sum(1 << numbers[-1] - covered for covered in numbers)
    k = len(numbers)
    symbol = combine(row(k, k + row_number), [one.ljust(size, b"\0") for one in symbols])
    return (bytes([0xC4 | answerer, 0x10]) + ident + varint(number) + varint(number - numbers[-1]) + varint(cover)
            + bytes([row_number, share]) + symbol)


def main():
    chance = random.Random(84)
    for k, m, size in [(1, 1, 5), (1, 254, 1), (2, 2, 8), (5, 3, 16), (16, 8, 7), (100, 20, 3), (200, 55, 2), (254, 1, 4)]:
        data = [chance.randbytes(size) for _ in range(k)]
        parity = [combine(row(k, k + line), data) for line in range(m)]
        symbols = dict(enumerate(data + parity))
        for _ in range(3):
            left = chance.sample(range(k + m), k)
            assert recover(k, {index: symbols[index] for index in left}) == data
        print("parity", k, m, size, b"".join(data).hex(), b"".join(parity).hex())
    for lost in itertools.combinations(range(7), 3):
        data = [bytes([i, 7 * i, 255 - i]) for i in range(4)]
        symbols = dict(enumerate(data + [combine(row(4, 4 + line), data) for line in range(3)]))
        assert recover(4, {i: s for i, s in symbols.items() if i not in lost}) == data
    sealed = bytes.fromhex(
        "0144d6f31d00000001ac02ce8d3ad1ccb633ec7b70c17814a5c76ecd029685050d344745ba05870e587d595b833ff8716523cf31dd4d"
        "c0619b6f3f9264df8cc2ae")
    for datagram in datagrams([sealed], 22, 1, 1):
        print("example", datagram.hex())
    records = [chance.randbytes(size) for size in (58, 300, 61, 1000, 90)]
    print("records", *(record.hex() for record in records))
    for datagram in datagrams(records, 40, 3, 4):
        print("datagram", datagram.hex())
    ident = bytes.fromhex("01020304")
    small = {3: ([(100, bytes.fromhex("aabbcc"))], 0), 4: ([(103, b"\xdd")], 1)}
    print("exchange", exchange_parity(small, 5, 0, 50, ident, 0).hex())
    # Holes between the covered numbers, several chunks, several rows; what is covered stands before its parity.
    offset, group = 70_000, {}
    for number in (130, 131, 134, 137, 160):
        chunks = []
        for size in chance.choices((1, 5, 130, 300), k=chance.randint(1, 3)):
            chunks.append((offset, chance.randbytes(size)))
            offset += size + chance.randint(0, 3)
        group[number] = (chunks, int(number == 160))
        print("covered", number, group[number][1], *(f"{at}:{content.hex()}" for at, content in chunks))
    for row_number in range(3):
        print("rows", exchange_parity(group, 161 + row_number, row_number, 60, ident, 1).hex())


if __name__ == "__main__":
    main()
