"""A file → the recordings that lie in it one after the other: joined files (``cat a.flac b.flac``) and chained streams.

Libraries read the first and stop, or decode the second one's header as sound. Formats of self-contained frames (MP3, AAC, AC-3,
MPEG-TS) need no cut: their decoders go on with the next recording.

Sources: Ogg pages RFC 3533; FLAC RFC 9639; RIFF and AIFF as EA IFF 85; ISO/IEC 14496-12 boxes; Matroska RFC 9559; AMR RFC 4867.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from engine.audio.reading.promised_length import id3_bytes, sound_end

#: More pieces than these stay in the last one.
MOST_PIECES = 4096
#: Formats that can only be searched byte by byte are searched so far.
MOST_SEARCHED_BYTES = 1 << 28
BLOCK_BYTES = 1 << 20
OVERLAP_BYTES = 128
#: No file system in common use has longer files; beyond it a file of its own would not be sought either.
LAST_PLACE = 1 << 43
OGG_HEADER_BYTES, OGG_MOST_SEGMENTS = 27, 255
_BOX, _BOX_LENGTH_64 = struct.Struct(">I4s"), struct.Struct(">Q")
_IFF_BYTES = 12

_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
#: How a recording begins, by its first bytes, in formats without a length that could be followed.
SEARCHED = {
    b"fLaC": re.compile(rb"fLaC[\x00\x80]\x00\x00\x22"),
    b"\x1a\x45\xdf\xa3": re.compile(rb"\x1a\x45\xdf\xa3.{1,48}?\x42\x82[\x84\x88](?:webm|matroska)", re.DOTALL),
    b"#!AMR": re.compile(rb"#!AMR(?:-WB)?\n"),
    _ASF: re.compile(re.escape(_ASF)),
}


@dataclass(frozen=True)
class Piece:
    """A recording within a file: its first byte and the one after its last; ``is_cut`` where its last part is known to be incomplete."""

    start: int
    end: int
    is_cut: bool = False


class FileWindow(io.RawIOBase):
    """A part of a file as a file of its own. ``name`` has the file's ending alone, by which FFmpeg knows some formats."""

    def __init__(self, file: BinaryIO, piece: Piece, *, suffix: str) -> None:
        super().__init__()
        self._file, self._piece, self._at = file, piece, 0
        self.name = f"recording{suffix}" if suffix.isascii() and suffix.isprintable() else "recording"

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Bytes from where it stands, none at its end."""
        left = max(0, self._piece.end - self._piece.start - self._at)
        if not left:
            return b""
        self._file.seek(self._piece.start + self._at)
        content = self._file.read(left if size is None or size < 0 else min(size, left))
        self._at += len(content)
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Stand elsewhere: -> where, or a negative number for a place that no file has.

        Not an exception, as a file's own ``seek`` would raise: FFmpeg handles a negative number, PyAV no exception.
        """
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._piece.end - self._piece.start}[whence]
        if not 0 <= base + offset <= LAST_PLACE:
            return -1
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Where it stands."""
        return self._at


def pieces_of(file: BinaryIO) -> list[Piece]:
    """The recordings in a file, in order, at least one; together they are the whole file."""
    size = file.seek(0, io.SEEK_END)
    begin = _read(file, 0, 16)
    skipped = id3_bytes(begin)
    begin = _read(file, skipped, 16)
    is_cut = False
    if begin.startswith(b"OggS"):
        starts, is_cut = _ogg_starts(file, size)
    elif begin[:4] in (b"RIFF", b"RF64", b"FORM"):
        starts = list(_iff_starts(file, size))
    elif begin[:4] in (b"caff", b".snd", b"riff"):
        starts = list(_sound_starts(file, size, magic=begin[:4]))
    elif begin[4:8] == b"ftyp":
        starts = list(_box_starts(file, size))
    else:
        pattern = next((pattern for magic, pattern in SEARCHED.items() if begin.startswith(magic)), None)
        starts = [] if pattern is None else list(_found(file, pattern, skipped + 1))
    edges = [0, *[start for start in starts if start > 0][: MOST_PIECES - 1], size]
    pieces = [Piece(start, end) for start, end in pairwise(edges)]
    return [*pieces[:-1], Piece(pieces[-1].start, pieces[-1].end, is_cut)]


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def _ogg_starts(file: BinaryIO, size: int) -> tuple[list[int], bool]:
    """Where a page begins a stream after pages with data, and whether the last page is incomplete."""
    starts: list[int] = []
    at, had_data, is_cut = 0, False, False
    while at < size:
        header = _read(file, at, OGG_HEADER_BYTES + OGG_MOST_SEGMENTS)
        if len(header) < OGG_HEADER_BYTES or not header.startswith(b"OggS"):
            found = _next(file, b"OggS", at + 1, size)
            if found is None:
                return starts, is_cut or len(header) < OGG_HEADER_BYTES
            at = found
            continue
        begins = bool(header[5] & 2)
        if begins and had_data:
            starts.append(at)
        had_data = not begins
        count = header[26]
        at += OGG_HEADER_BYTES + count + sum(header[OGG_HEADER_BYTES : OGG_HEADER_BYTES + count])
        is_cut = at > size
    return starts, is_cut


def _next(file: BinaryIO, magic: bytes, at: int, size: int) -> int | None:
    while at < size:
        block = _read(file, at, BLOCK_BYTES)
        place = block.find(magic)
        if place >= 0:
            return at + place
        at += max(1, len(block) - len(magic) + 1)
    return None


def _iff_starts(file: BinaryIO, size: int) -> Iterator[int]:
    """RIFF and AIFF say how long they are; the next one of the same kind begins there."""
    at = 0
    while True:
        header = _read(file, at, _IFF_BYTES)
        if len(header) < _IFF_BYTES:
            return
        length = struct.unpack(">I" if header.startswith(b"FORM") else "<I", header[4:8])[0]
        ends = at + 8 + length
        for place in (ends + ends % 2, ends):
            following = _read(file, place, _IFF_BYTES) if at < place < size else b""
            if following[:4] == header[:4] and following[8:12] == header[8:12]:
                at = place
                break
        else:
            return
        yield at


def _sound_starts(file: BinaryIO, size: int, *, magic: bytes) -> Iterator[int]:
    """Formats whose header tells where the sound ends, and that may be filled up to a multiple of 8 bytes."""
    at = 0
    while (ends := sound_end(FileWindow(file, Piece(at, size), suffix=""))) is not None:
        place = _read(file, at + ends, 8 + len(magic)).find(magic)
        if place < 0:
            return
        at += ends + place
        yield at


def _box_starts(file: BinaryIO, size: int) -> Iterator[int]:
    """A second ``ftyp`` among the outermost boxes of an MP4."""
    at, seen = 0, False
    while at + _BOX.size <= size:
        header = _read(file, at, _BOX.size + _BOX_LENGTH_64.size)
        length, kind = _BOX.unpack_from(header)
        if length == 1 and len(header) == _BOX.size + _BOX_LENGTH_64.size:
            (length,) = _BOX_LENGTH_64.unpack_from(header, _BOX.size)
        if kind == b"ftyp" and seen:
            yield at
        seen = seen or kind in (b"moov", b"mdat")
        if length < _BOX.size or not kind.isascii():
            return
        at += length


def _found(file: BinaryIO, pattern: re.Pattern[bytes], at: int) -> Iterator[int]:
    """Where a pattern occurs from a place on."""
    last = at - 1
    while at < MOST_SEARCHED_BYTES:
        block = _read(file, at, BLOCK_BYTES)
        for match in pattern.finditer(block):
            if at + match.start() > last:
                last = at + match.start()
                yield last
        if len(block) < BLOCK_BYTES:
            return
        at += BLOCK_BYTES - OVERLAP_BYTES
