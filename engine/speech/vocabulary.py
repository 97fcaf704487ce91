"""Token ids ↔ pieces, and pieces → text.

``tokens.txt`` holds ``<piece> <id>`` a line. Text pieces are sentencepiece's: U+2581 starts a word, ``<0xE4>`` is one byte
of a character the vocabulary lacks. Tag pieces (``<|en|>``) and control pieces never reach the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.errors import BundleFileMissingError, BundleFormatError
from engine.speech.ctc import BLANK_ID
from engine.speech.unspaced import HAN, KANA, RADICALS_AND_MARKS, WIDTH_FORMS, joined
from engine.tags import Tag, tag_of

WORD_START = "▁"

_BYTE = re.compile(r"^<0x([0-9A-Fa-f]{2})>$")
_CONTROL = re.compile(r"^<(\|.*\||blank|blk|unk|s|/s|pad|sos/eos)>$")
#: Scripts that are written without spaces: a word mark between two of these is dropped.
_UNSPACED = re.compile(f"[{RADICALS_AND_MARKS}{KANA}{HAN}{WIDTH_FORMS}]")


class Vocabulary:
    """The pieces of one bundle; ids are positions."""

    def __init__(self, pieces: Sequence[str]) -> None:
        self._pieces = tuple(pieces)
        tags = ((index, tag_of(piece)) for index, piece in enumerate(self._pieces))
        self._tags: dict[int, Tag] = {index: tag for index, tag in tags if tag is not None}

    @classmethod
    def load(cls, path: str | Path) -> Vocabulary:
        """Read ``tokens.txt``; BundleFormatError names the line that cannot be understood."""
        try:
            lines = Path(path).read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            raise BundleFileMissingError(path=path) from None
        except (OSError, UnicodeDecodeError) as error:
            raise BundleFormatError(path=path, reason=f"it cannot be read ({type(error).__name__})") from error
        pieces: list[str] = []
        for number, raw in enumerate(lines, start=1):
            line = raw.removesuffix("\r")
            if not line.strip():
                continue
            piece, _, index = line.rpartition(" ")
            if not piece or index != str(len(pieces)):
                raise BundleFormatError(path=path, reason=f"line {number} is {line[:40]!r} where a piece and the id {len(pieces)} belong")
            pieces.append(piece)
        if len(pieces) <= BLANK_ID + 1:
            raise BundleFormatError(path=path, reason="it holds no pieces")
        return cls(pieces)

    def __len__(self) -> int:
        return len(self._pieces)

    def piece(self, index: int) -> str:
        """The piece with this id."""
        return self._pieces[index]

    def tag(self, index: int) -> Tag | None:
        """The tag this id stands for, or None for ordinary pieces."""
        return self._tags.get(index)

    def is_text(self, index: int) -> bool:
        """Whether this id adds to the text."""
        return index != BLANK_ID and index not in self._tags and not _CONTROL.match(self._pieces[index])

    def text(self, indices: Iterable[int]) -> str:
        """Token ids to text: word marks become spaces, bytes are joined to characters, CJK stays unspaced."""
        return join_pieces(self._pieces[index] for index in indices if self.is_text(index))


def join_pieces(pieces: Iterable[str]) -> str:
    """Sentencepiece pieces to text."""
    parts: list[str] = []
    pending = bytearray()
    for piece in pieces:
        byte = _BYTE.match(piece)
        if byte:
            pending.append(int(byte.group(1), 16))
            continue
        if pending:
            parts.append(pending.decode("utf-8", errors="replace"))
            pending.clear()
        parts.append(piece)
    if pending:
        parts.append(pending.decode("utf-8", errors="replace"))
    return joined((word for word in "".join(parts).split(WORD_START) if word), _UNSPACED).strip()
