"""What a person searches for → conditions on the history's words, and the place where it was found."""

from __future__ import annotations

import unicodedata

MOST_CHARACTERS = 200
#: The index holds pieces of three letters; shorter words are looked for in every transcript of the person.
INDEXED_LETTERS = 3
#: Letters around the place where a word was found.
_AROUND = 60


def searchable(text: str) -> str:
    """A text in one form: an accent and its letter are one character, whatever system wrote it; no control characters, no halves."""
    replaced = {"Cc": " ", "Cs": "\ufffd"}
    return "".join(replaced.get(unicodedata.category(one), one) for one in unicodedata.normalize("NFC", text))


def search_words(query: str) -> list[str]:
    """The words of a query, each of which must occur."""
    return searchable(query[:MOST_CHARACTERS]).split()


def conditions(query: str) -> tuple[str, list[str]]:
    """SQL behind ``WHERE owner = ?`` and its values: `` AND …`` for each word; nothing for an empty query."""
    words = search_words(query)
    indexed = [word for word in words if len(word) >= INDEXED_LETTERS]
    sql, values = "", list[str]()
    if indexed:
        sql += " AND number IN (SELECT rowid FROM word_index WHERE word_index MATCH ?)"
        values.append(" ".join('"' + word.replace('"', '""') + '"' for word in indexed))
    for word in words:
        if len(word) < INDEXED_LETTERS:
            sql += r" AND words LIKE ? ESCAPE '\'"
            values.append("%" + "".join(f"\\{one}" if one in r"\%_" else one for one in word) + "%")
    return sql, values


def excerpt(text: str, query: str) -> list[tuple[str, bool]]:
    """A piece of a text around the first word that was searched for, as parts (text, whether it was searched for); its beginning else."""
    words = [word.casefold() for word in search_words(query)]
    places = [place for word in words if (place := text.casefold().find(word)) >= 0]
    begin = max(0, min(places, default=0) - _AROUND)
    piece = text[begin : begin + 3 * _AROUND]
    return _parts(("…" if begin else "") + piece + ("…" if begin + len(piece) < len(text) else ""), words)


def _parts(piece: str, words: list[str]) -> list[tuple[str, bool]]:
    folded = piece.casefold()
    if len(folded) != len(piece):  # a letter that becomes two: places in one are not places in the other
        return [(piece, False)]
    parts: list[tuple[str, bool]] = []
    at = 0
    while at < len(piece):
        found = min(((folded.find(word, at), -len(word)) for word in words if folded.find(word, at) >= 0), default=None)
        if found is None:
            break
        place, length = found[0], -found[1]
        parts += [(piece[at:place], False), (piece[place : place + length], True)]
        at = place + length
    return [part for part in [*parts, (piece[at:], False)] if part[0]]
