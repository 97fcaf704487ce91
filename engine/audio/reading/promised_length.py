"""What a header says about the length of the sound behind it, where the libraries tell only what is there: sound files, WMA, MP3.

Sources: RIFF WAVE, RF64 (EBU Tech 3306), Sony's Wave64, AIFF-C, Apple's CAF specification 1.0, Sun's AU header, ASF 3.2, and the
Xing header of LAME.
"""

from __future__ import annotations

import io
import re
import struct
from typing import Protocol

ID3_HEADER_BYTES = 10


class Readable(Protocol):
    """A file, or a part of one."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Stand elsewhere."""


#: Placeholders of recorders that do not know the length yet, and everything near the largest number: they state nothing.
UNKNOWN_LENGTHS = ((0x7FFF_F000, 0x8000_0000), (0xFFFF_F000, 0xFFFF_FFFF))
#: A missing padding byte is no loss.
LEAST_MISSING_BYTES = 2
MOST_CHUNKS = 1000
_RIFF_CHUNK, _IFF_CHUNK, _CAF_CHUNK = struct.Struct("<4sI"), struct.Struct(">4sI"), struct.Struct(">4sq")
_DS64, _W64_CHUNK = struct.Struct("<QQ"), struct.Struct("<16sQ")
_W64_RIFF, _W64_DATA = bytes.fromhex("726966662e91cf11a5d628db04c10000"), bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")
_AU = struct.Struct(">4sII")
#: ASF's file properties: the object's GUID, its size, the file's id, and the file's size.
_ASF_SIZE = re.compile(re.escape(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")) + rb".{24}(.{8})", re.DOTALL)
_ASF_HEADER_BYTES = 1 << 16
#: The first frame of an MP3: its two header bytes that matter, and how far behind them a Xing header stands.
_MP3_FRAME = re.compile(rb"\xff([\xe2-\xff])(.).{1,60}?(?:Xing|Info)...(.)(.{4})", re.DOTALL)
_MPEG_1, _MPEG_RESERVED, _RATE_RESERVED = 3, 1, 3
_MPEG_RATES_HZ = (44_100, 48_000, 32_000)
_RATE_SHIFTS = {_MPEG_1: 0, 2: 1, 0: 2}


def missing_share(file: Readable) -> float | None:
    """The share in (0, 1] of the promised bytes of sound that the file does not hold; None where nothing is promised or missing."""
    size = file.seek(0, io.SEEK_END)
    found = _stated(file)
    if found is None:
        return None
    start, length = found
    missing = start + length - size
    unknown = length <= 0 or any(low <= length <= high for low, high in UNKNOWN_LENGTHS)
    return None if unknown or not LEAST_MISSING_BYTES <= missing <= length else missing / length


def _stated(file: Readable) -> tuple[int, int] | None:
    """Where the sound begins and how many bytes it says to be."""
    file.seek(0)
    begin = file.read(_ASF_HEADER_BYTES)
    if begin[:4] == b"RIFF":
        return _chunk(file, b"data", at=12, head=_RIFF_CHUNK)
    if begin[:4] == b"RF64" and begin[12:16] == b"ds64":
        found = _chunk(file, b"data", at=12, head=_RIFF_CHUNK)
        return None if found is None else (found[0], _DS64.unpack_from(begin, 20)[1])
    if begin[:16] == _W64_RIFF:
        return _chunk(file, _W64_DATA, at=40, head=_W64_CHUNK)
    if begin[:4] == b"FORM":
        return _chunk(file, b"SSND", at=12, head=_IFF_CHUNK)
    if begin[:4] == b"caff":
        return _chunk(file, b"data", at=8, head=_CAF_CHUNK)
    if begin[:4] == b".snd" and len(begin) >= _AU.size:
        _, start, length = _AU.unpack_from(begin)
        return start, length
    asf = _ASF_SIZE.search(begin)
    return None if asf is None else (0, int.from_bytes(asf[1], "little"))


def has_unwritten_size(file: Readable) -> bool:
    """Whether a WAV says that it holds no sound and bytes follow all the same: its recorder crashed before it wrote the size."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    found = _chunk(file, b"data", at=12, head=_RIFF_CHUNK) if file.read(4) == b"RIFF" else None
    if found is None or found[1] != 0:
        return False
    file.seek(found[0])
    following = file.read(_RIFF_CHUNK.size)
    if len(following) < _RIFF_CHUNK.size:
        return bool(following)
    # An empty recording may have another chunk, of text for instance, behind its sound.
    kind, length = _RIFF_CHUNK.unpack(following)
    return not (kind.isalnum() and found[0] + _RIFF_CHUNK.size + length <= size)


def _chunk(file: Readable, name: bytes, *, at: int, head: struct.Struct) -> tuple[int, int] | None:
    """Where a chunk's content begins and how long it says to be; the chunks before it are passed over.

    In Sony's Wave64 a chunk's size counts its head, and the next one begins at a multiple of 8.
    """
    padded_to = {_CAF_CHUNK: 1, _W64_CHUNK: 8}.get(head, 2)
    size = file.seek(0, io.SEEK_END)
    for _ in range(MOST_CHUNKS):
        if at >= size:  # also where no file could have such a place
            return None
        file.seek(at)
        content = file.read(head.size)
        if len(content) < head.size:
            return None
        kind, length = head.unpack(content)
        at += head.size
        if head is _W64_CHUNK:
            length -= head.size
        if kind == name:
            return at, length
        if length < 0 and head is not _W64_CHUNK:
            return None
        at += max(0, -(-length // padded_to) * padded_to)
    return None


def sound_end(file: Readable) -> int | None:
    """Where the sound of a WAV, AIFF, CAF, AU or Wave64 says to end; None for other files and where that is not known."""
    size = file.seek(0, io.SEEK_END)
    found = _stated(file)
    return None if found is None or found[1] <= 0 or found[0] + found[1] > size else found[0] + found[1]


def id3_bytes(begin: bytes) -> int:
    """The length of an ID3v2 tag that a file may begin with, stated as four times 7 bits; 0 where there is none."""
    if begin[:3] != b"ID3" or len(begin) < ID3_HEADER_BYTES:
        return 0
    return ID3_HEADER_BYTES + sum((byte & 0x7F) << shift for byte, shift in zip(begin[6:10], (21, 14, 7, 0), strict=True))


def xing_duration_s(file: Readable) -> float | None:
    """The length that the first frame of an MP3 promises (Xing, Info); None where it promises nothing."""
    file.seek(0)
    file.seek(id3_bytes(file.read(16)))
    frame = _MP3_FRAME.match(file.read(256))
    if frame is None or not frame[3][0] & 1:
        return None
    version, rate = frame[1][0] >> 3 & 3, frame[2][0] >> 2 & 3
    if version == _MPEG_RESERVED or rate == _RATE_RESERVED:
        return None
    samples = int.from_bytes(frame[4], "big") * (1152 if version == _MPEG_1 else 576)
    return samples / (_MPEG_RATES_HZ[rate] >> _RATE_SHIFTS[version])
