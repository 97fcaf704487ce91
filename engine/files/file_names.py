"""File names in any encoding and of any length: what can be printed of them, and what a file system accepts."""

from __future__ import annotations

#: What most file systems take as a name, in bytes.
LONGEST_NAME_BYTES = 255
#: How Python keeps a byte that is no UTF-8 (PEP 383).
_LONE_BYTES = frozenset(map(chr, range(0xDC80, 0xDD00)))


def printable(name: str) -> str:
    """A name whose bytes that are no text are replaced by U+FFFD."""
    try:
        content = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # other halves: a name that Windows or a program has made
        content = name.encode("utf-8", "replace")
    return content.decode("utf-8", "replace")


def shortened(name: str, most_bytes: int) -> str:
    """The beginning of a name that takes at most so many bytes, whole characters."""
    size_bytes = 0
    for place, character in enumerate(name):
        size_bytes += 1 if character in _LONE_BYTES else len(character.encode("utf-8", "surrogatepass"))
        if size_bytes > most_bytes:
            return name[:place]
    return name
