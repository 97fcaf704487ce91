"""File names that differ on every disk: macOS and Windows ignore case and the form of accents, Linux does not."""

from __future__ import annotations

import unicodedata

from engine.files.file_names import shortened


class DistinctNames:
    """Hands out names, each once: a second ``talk`` is ``talk-2``, a third ``talk-3``.

    ``Talk`` and ``talk`` are one name, and so are a letter with its accent and the two characters that it may be written with.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str, *, most_bytes: int | None = None) -> str:
        """The name, numbered if need be, and shortened to so many bytes with its number."""

        def kept(suffix: str) -> str:
            return (name if most_bytes is None else shortened(name, most_bytes - len(suffix))) + suffix

        distinct, number = kept(""), 1
        while (key := name_key(distinct)) in self._taken:
            number += 1
            distinct = kept(f"-{number}")
        self._taken.add(key)
        return distinct


def name_key(name: str) -> str:
    """The same for two names that some disk does not distinguish; composed again at the end, because folding case may decompose letters."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
