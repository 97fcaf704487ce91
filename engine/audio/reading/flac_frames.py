"""Where the first frame of a FLAC recording lies, whatever became of the header before it.

Source: RFC 9639, sections 9.1 (frame header) and 9.1.8 (its CRC).
"""

from __future__ import annotations

import re
from typing import BinaryIO

SEARCHED_BYTES = 1 << 20
#: Sync code, then block size and rate, channels and bits a sample; the last bit is reserved.
_HEADER = re.compile(rb"(?=\xff[\xf8\xf9][\x10-\xff][\x00-\xaf])")
_MOST_HEADER_BYTES = 16
_CRC_POLYNOMIAL = 0x07
_BLOCK_SIZE_BYTES = {6: 1, 7: 2}
_RATE_BYTES = {12: 1, 13: 2, 14: 2}
_NO_RATE, _NO_BITS = 15, 3


def first_flac_frame(file: BinaryIO) -> int | None:
    """The place of the first frame whose header is whole, in the first megabyte; None where there is none."""
    file.seek(0)
    content = file.read(SEARCHED_BYTES)
    places = (match.start() for match in _HEADER.finditer(content))
    return next((place for place in places if _is_whole(content[place : place + _MOST_HEADER_BYTES])), None)


def _is_whole(header: bytes) -> bool:
    """Whether bytes begin with a frame header whose CRC is right."""
    if len(header) < _MOST_HEADER_BYTES or header[3] & 1 or header[3] >> 1 & 7 == _NO_BITS or header[2] & 15 == _NO_RATE:
        return False
    # The frame's number, as UTF-8 writes numbers: the leading ones of its first byte count its bytes.
    ones = 8 - (header[4] ^ 0xFF).bit_length()
    if ones in (1, 8):
        return False
    size = 4 + max(1, ones) + _BLOCK_SIZE_BYTES.get(header[2] >> 4, 0) + _RATE_BYTES.get(header[2] & 15, 0)
    return _crc(header[:size]) == header[size]


def _crc(content: bytes) -> int:
    crc = 0
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ _CRC_POLYNOMIAL if crc & 0x80 else crc << 1) & 0xFF
    return crc
