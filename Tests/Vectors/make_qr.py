#!/usr/bin/env python3
"""Makes qr.txt: QR codes (ISO/IEC 18004) of level M in byte mode, versions 1 to 10, each with all eight masks, as the Python
package qrcode 8 draws them. A line is version, mask, hexadecimal of the bytes, and SHA-256 of the modules row by row
(`0` light, `1` dark). Usage: make_qr.py > qr.txt
"""

import hashlib

from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.util import MODE_8BIT_BYTE, QRData

CAPACITY = [14, 26, 42, 62, 84, 106, 122, 152, 180, 213]

for version in range(1, 11):
    for count in (CAPACITY[version - 1], CAPACITY[version - 1] - 3):
        data = bytes((i * 37 + version * 11 + count) % 256 for i in range(count))
        for mask in range(8):
            code = QRCode(version=version, error_correction=ERROR_CORRECT_M, mask_pattern=mask, border=0)
            code.add_data(QRData(data, mode=MODE_8BIT_BYTE))
            code.make(fit=False)
            drawn = "".join("1" if module else "0" for row in code.get_matrix() for module in row)
            print(version, mask, data.hex(), hashlib.sha256(drawn.encode()).hexdigest())
