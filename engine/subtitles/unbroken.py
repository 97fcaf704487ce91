"""A text → the pieces that no line break may cut: words, with the punctuation that belongs to them.

Spaces part words; where a script has none, a dictionary (simplified Chinese: :mod:`engine.subtitles.mandarin_words`) or a small model does
(traditional Chinese, Japanese, Thai: BudouX, https://github.com/google/budoux). No piece begins with a closing mark or ends with an
opening one, as https://www.unicode.org/reports/tr14/ and Japanese kinsoku have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING
from unicodedata import category

from engine.speech.unspaced import HAN_OF_ALL_PLANES, KANA_OF_ALL_WIDTHS, THAI
from engine.subtitles.columns import columns
from engine.subtitles.mandarin_words import mandarin_words

if TYPE_CHECKING:
    from budoux import Parser

_HAN = f"々〇{HAN_OF_ALL_PLANES}"
_RUNS = re.compile(f"[{_HAN}{KANA_OF_ALL_WIDTHS}]+|[{THAI}]+|[^\\s{_HAN}{KANA_OF_ALL_WIDTHS}{THAI}]+")
_JAPANESE = re.compile(f"[{KANA_OF_ALL_WIDTHS}]")
_IS_THAI = re.compile(f"[{THAI}]")
_IS_HAN = re.compile(f"[{_HAN}]")
#: Chinese, Japanese and fullwidth marks after which a line may end although no space follows.
_STOPS = frozenset("，。、；：？！…—–）】》〉」』〕’”｡､！？")
_NOT_FIRST = frozenset("，。、；：？！…—～·・％℃）】》〉」』〕’”｡､,.!?;:%)]}»ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ々ゝゞヽヾ\"'")
_NOT_LAST = frozenset("（【《〈「『〔‘“([{«￥¥$£€#＃\"'")
#: What counts a number stays with it: 25年, 3万, 12点.
_COUNTERS = frozenset("年月日号時时点分秒个個元块万萬亿億千百岁歲度米円人次倍歳")
#: Where a word that is longer than a line is cut rather than anywhere.
_SEAMS = frozenset("-/_.,?&=:;")


def unbroken(text: str, *, widest: int, east_asian: bool) -> list[tuple[int, int]]:
    """The pieces as (first, last) characters of the text, none of them over ``widest`` columns; spaces lie between them."""
    found: list[tuple[int, int]] = []
    for token in re.finditer(r"\S+", text):
        places = [token.start(), *_breaks(token.group(), token.start()), token.end()]
        for first, last in pairwise(places):
            found += _cut(text, first, last, widest=widest, east_asian=east_asian)
    return found


def _breaks(token: str, offset: int) -> Iterator[int]:
    """The places within a token without spaces where a line may end."""
    if token.isascii():
        return
    places = {place for run in _RUNS.finditer(token) for place in accumulate(map(len, _words(run.group())), initial=run.start())}
    places |= {place for place in range(1, len(token)) if token[place - 1] in _STOPS}
    for place in sorted(places):
        if 0 < place < len(token) and _may_break(token[place - 1], token[place]):
            yield offset + place


def _may_break(before: str, after: str) -> bool:
    return not (after in _NOT_FIRST or before in _NOT_LAST or (before.isdecimal() and after in _COUNTERS))


def _words(run: str) -> Iterable[str]:
    if _IS_THAI.match(run):
        return _parser("thai").parse(run)
    if _JAPANESE.search(run):
        return _parser("japanese").parse(run)
    if not _IS_HAN.match(run):
        return (run,)
    return _parser("traditional_chinese").parse(run) if _is_traditional(run) else mandarin_words(run)


def _is_traditional(run: str) -> bool:
    """Whether more of the characters are in Taiwan's character set alone than in the mainland's alone."""
    taiwan, mainland = (sum(_is_in(character, name) for character in run) for name in ("big5", "gb2312"))
    return taiwan > mainland


def _is_in(character: str, character_set: str) -> bool:
    try:
        character.encode(character_set)
    except UnicodeEncodeError:
        return False
    return True


@cache
def _parser(language: str) -> Parser:
    """BudouX's parser of a language, loaded with the first text that needs it."""
    import budoux  # noqa: PLC0415 - most texts are in simplified Chinese or in words with spaces

    parser: Parser = getattr(budoux, f"load_default_{language}_parser")()
    return parser


def _cut(text: str, first: int, last: int, *, widest: int, east_asian: bool) -> Iterator[tuple[int, int]]:
    """A piece, or as many as it needs to fit: cut at a seam of the last half line, otherwise where the line is full."""
    if columns(text[first:last], east_asian=east_asian) > widest:
        edges = list(accumulate((columns(character, east_asian=east_asian) for character in text[first:last]), initial=0))
        start = first
        while edges[last - start] - edges[0] > widest:
            full = max(size for size in range(1, 1 + min(widest, last - start)) if edges[size] - edges[0] <= widest)
            sizes = range(1, full + 1)
            seams = [size for size in sizes if text[start + size - 1] in _SEAMS and 2 * (edges[size] - edges[0]) > widest]
            whole = [size for size in sizes if not _joined(text[start + size - 1], text[start + size])]
            size = max(seams or whole or [full])
            yield start, start + size
            start, edges = start + size, edges[size:]
        first = start
    yield first, last


def _joined(before: str, after: str) -> bool:
    """Whether two characters are drawn as one, or belong together on a line: combining marks, joined emoji, a closing mark."""
    return "\u200d" in (before, after) or category(after) in ("Mn", "Me", "Mc") or not _may_break(before, after)
