"""Hotwords as people write them: one a line, with a weight where they want one, from a text or a file.

::

    张三
    重庆火锅 3.0
    iPhone 15 :2

A weight is the last word of a line if it has a point, or whatever follows a colon; ``iPhone 15`` is a phrase. Commas and semicolons
separate phrases too, so that several fit on one line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import (
    HotwordControlCharacterError,
    HotwordsFileError,
    HotwordTooLongError,
    HotwordWeightError,
    TooManyHotwordsError,
    first_line,
)
from engine.speech.unspaced import HAN, HAN_OF_ALL_PLANES, KANA, WIDTH_FORMS

#: The bonus of a token's worth of text in natural logarithms, where a line states none.
DEFAULT_WEIGHT = 1.5
LOWEST_WEIGHT, HIGHEST_WEIGHT = 0.1, 10.0
MOST_HOTWORDS = 10_000
LONGEST_HOTWORD = 100
MOST_FILE_BYTES = 4_000_000
#: The weight of a prompt's words, and how many of them count: the last ones, as Whisper takes a prompt's end.
PROMPT_WEIGHT, MOST_PROMPT_WORDS = 0.5, 200
_SEPARATORS = re.compile(r"[,，、;；]")
_LINES = re.compile(r"\r\n|\r|\n")
_WEIGHTED = re.compile(r"^(?P<phrase>.+?)(?:\s*[:：]\s*(?P<marked>[-+]?\d+(?:\.\d*)?)|\s+(?P<pointed>[-+]?\d+\.\d+))$")
#: A word with a hyphen or an apostrophe within; Han and kana, which no spaces cut, as far as the next mark.
_PROMPT_WORDS = re.compile(rf"[々〇{KANA}{HAN_OF_ALL_PLANES}]+|(?:[^\W_々〇{KANA}{HAN_OF_ALL_PLANES}]|(?<=\w)['’-](?=\w))+")
#: What a text in GBK consists of, besides ASCII; anything else means that it is in another encoding.
_GBK_TEXT = re.compile(f"^[\\x00-\\x7f·—‘’“”…々〇\\u3000-\\u303f{HAN}{WIDTH_FORMS}]*$")


@dataclass(frozen=True)
class Hotword:
    """A phrase that the recognizer should find, with the bonus of each token's worth of it."""

    phrase: str
    weight: float = DEFAULT_WEIGHT


def parse_hotwords(text: str) -> tuple[Hotword, ...]:
    """The hotwords of a text, each phrase once, with the weight it was given last.

    Raises TooManyHotwordsError, HotwordTooLongError, HotwordControlCharacterError, and HotwordWeightError.
    """
    found: dict[str, Hotword] = {}
    count = 0
    for number, line in enumerate(_LINES.split(text), start=1):
        for entry in _SEPARATORS.split(line):
            hotword = _parse(entry, number)
            if hotword is None:
                continue
            count += 1
            if count <= MOST_HOTWORDS:
                found[hotword.phrase] = hotword
    if count > MOST_HOTWORDS:
        raise TooManyHotwordsError(count=count, most=MOST_HOTWORDS)
    return tuple(found.values())


def hotwords_text(hotwords: Iterable[Hotword]) -> str:
    """The text that :func:`parse_hotwords` reads as these hotwords: one a line, with the weights that are not the default."""
    return "\n".join(map(_line, hotwords))


def prompt_hotwords(prompt: str) -> tuple[Hotword, ...]:
    """The words of a prompt as weak hotwords, each once; whatever else is in it has no effect.

    A prompt is free text in OpenAI's API: names between commas, or a sentence that leads up to the recording. Words of one character are
    left out.
    """
    words = [word for word in _PROMPT_WORDS.findall(unicodedata.normalize("NFC", prompt)) if 1 < len(word) <= LONGEST_HOTWORD]
    return tuple(Hotword(word, PROMPT_WEIGHT) for word in list(dict.fromkeys(reversed(words)))[:MOST_PROMPT_WORDS])


def read_hotwords(path: str | Path) -> tuple[Hotword, ...]:
    """The hotwords of a text file in UTF-8, UTF-16 with a byte order mark, or GBK; HotwordsFileError, and as :func:`parse_hotwords`."""
    path = Path(path)
    try:
        if path.stat().st_size > MOST_FILE_BYTES:
            raise HotwordsFileError(path=path, reason=f"it is larger than {MOST_FILE_BYTES // 1_000_000} MB")
        content = path.read_bytes()
    except OSError as error:
        raise HotwordsFileError(path=path, reason=first_line(error)) from error
    return parse_hotwords(_decode(content, path))


def _decode(content: bytes, path: Path) -> str:
    encodings = ["utf-16"] if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding != "gb18030" or _GBK_TEXT.match(text):
            return text
    raise HotwordsFileError(path=path, reason="it is no text in UTF-8, UTF-16 or GBK")


def _line(hotword: Hotword) -> str:
    # A phrase that ends as a weight would needs one of its own.
    plain = hotword.weight == DEFAULT_WEIGHT and not _WEIGHTED.match(hotword.phrase)
    return hotword.phrase if plain else f"{hotword.phrase} {float(hotword.weight)}"


def _parse(entry: str, line: int) -> Hotword | None:
    # Marks without a width come along when a name is copied from a page.
    text = "".join(character for character in entry if unicodedata.category(character) != "Cf").strip()
    if not text:
        return None
    for character in text:
        if character != "\t" and unicodedata.category(character) in ("Cc", "Cs", "Co"):
            raise HotwordControlCharacterError(line=line, code=f"U+{ord(character):04X}")
    found = _WEIGHTED.match(text)
    phrase = " ".join((found["phrase"] if found else text).split())
    if len(phrase) > LONGEST_HOTWORD:
        raise HotwordTooLongError(line=line, length=len(phrase), most=LONGEST_HOTWORD)
    weight = float(found["marked"] or found["pointed"]) if found else DEFAULT_WEIGHT
    if not LOWEST_WEIGHT <= weight <= HIGHEST_WEIGHT:
        raise HotwordWeightError(phrase=phrase, weight=weight, lowest=LOWEST_WEIGHT, highest=HIGHEST_WEIGHT)
    return Hotword(phrase, weight)
