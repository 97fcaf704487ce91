"""What the language model learns beside the training's texts, out of Debian packages that may be shared.

English sentences: WordNet and fortune's sayings (:mod:`models.starter.sentence_sources`), and the dictionary GCIDE. English words and
pairs of words with how often they occur: the word predictions of the on-screen keyboard Onboard. Mandarin pairs of words likewise:
libpinyin's bigrams, from 50 million words of text. A package that is not there is named in the error; licences are in this folder's README.
"""

from __future__ import annotations

import gzip
import re
import struct
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from models.starter.corpus import CorpusError, normalize_english
from models.starter.sentence_sources import english_fortunes, wordnet_examples, wordnet_glosses

GCIDE = Path("/usr/share/dictd/gcide.dict.dz")
ONBOARD = Path("/usr/share/onboard/models/en_US.lm")
LIBPINYIN = Path("/usr/lib/x86_64-linux-gnu/libpinyin/data")
#: libpinyin's tables: phrases → their numbers, and each number → those that follow it.
PHRASES, PAIRS = "phrase_index.bin", "bigram.db"
FEWEST_WORDS, MOST_WORDS = 3, 30
_WORDS = re.compile(r"^[a-z]+('[a-z]+)?( [a-z]+('[a-z]+)?)*$")
_LETTERS = re.compile(r"^[A-Za-z' ,.;:!?\-]+$")
_APART = re.compile(r"(?<=[.;!?])\s+|\n")
_TOKEN_BYTES = 4

Counted = Iterator[tuple[str, int]]


def _there(path: Path, package: str) -> Path:
    if not path.exists():
        raise CorpusError(f"{path} is not there; install Debian's package {package}")
    return path


def gcide_lines(path: Path = GCIDE) -> Iterator[str]:
    """The definitions and quotations of GCIDE, without its marks, pronunciations and sources."""
    text = gzip.decompress(_there(path, "dict-gcide").read_bytes()).decode("utf-8", errors="replace")
    text = re.sub(r"\{([^}]*)\}", r"\1", text)
    text = re.sub(r"\[[^\]]*\]|\([^)]*\)", "", text)
    yield from _APART.split(re.sub(r"\n\s+", " ", text))


def english_sentences() -> list[str]:
    """Every sentence of 3 to 30 words of all English sources, as the network writes them, each once, in order."""
    sources: Iterable[Iterator[str]] = (wordnet_examples(), wordnet_glosses(), gcide_lines(), english_fortunes())
    raw = (line.strip(" ;,:.") for source in sources for line in source)
    plain = {normalize_english(line) for line in raw if _LETTERS.match(line)}
    return sorted(text for text in plain if FEWEST_WORDS <= len(text.split()) <= MOST_WORDS)


def english_words(*, one_in: float, path: Path = ONBOARD) -> Counted:
    """Words and pairs of words, each with how often it occurs divided by ``one_in``, those that then round to nothing left out."""
    for line in _there(path, "onboard-data").read_text(encoding="utf-8").splitlines():
        count, _, words = line.strip().partition(" ")
        times = round(int(count) / one_in) if count.isdigit() else 0
        if times and _WORDS.match(words.lower()):
            yield words.lower(), times


def mandarin_pairs(*, one_in: float, folder: Path = LIBPINYIN) -> Counted:
    """Pairs of words that follow each other, joined, counted as :func:`english_words` does."""
    for name in (PHRASES, PAIRS):
        _there(folder / name, "libpinyin-data")
    phrases: dict[int, str] = {}
    for key, value in _table(folder / PHRASES):
        for number in _numbers(value):
            phrases[number] = key.decode("utf-32-le")
    for key, value in _table(folder / PAIRS):
        first = phrases.get(_numbers(key)[0])
        _, *followers = _numbers(value)  # the sum of the counts comes first
        for number, count in zip(followers[::2], followers[1::2], strict=True):
            times = round(count / one_in)
            if first and times and number in phrases:
                yield first + phrases[number], times


def _numbers(value: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(value) // _TOKEN_BYTES}I", value)


def _table(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a Berkeley DB file, as ``db_dump`` (Debian's package db-util) writes them: a line of hexadecimal each."""
    try:
        dumped = subprocess.run(["db_dump", str(path)], capture_output=True, check=True, text=True).stdout
    except FileNotFoundError:
        raise CorpusError(f"db_dump, which reads {path.name}, is not there; install Debian's package db-util") from None
    except subprocess.CalledProcessError as error:
        raise CorpusError(f"{path} cannot be read: {error.stderr.strip()}") from error
    rows = (bytes.fromhex(line) for line in dumped.splitlines() if line.startswith(" "))
    yield from zip(rows, rows, strict=True)
