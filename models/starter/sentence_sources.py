"""Sentences for the speech synthesis, out of packages that may be shared: thousands of texts that no recording at hand has.

English: WordNet's examples and glosses, the dialogues of chatterbot-corpus, fortune's quotations. Mandarin: fortunes-zh and
chatterbot-corpus. A package that is not installed is left out with a warning that names it; licences are in this folder's README.
"""

from __future__ import annotations

import importlib.util
import logging
import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from models.starter.corpus import normalize_english
from models.starter.public_sets import normalize_mandarin

log = logging.getLogger(__name__)

WORDNET = Path("/usr/share/wordnet")
FORTUNES = Path("/usr/share/games/fortunes")
#: Those that hold whole sentences.
ENGLISH_FORTUNES = (
    *("fortunes", "literature", "love", "miscellaneous", "people", "platitudes"),
    *("politics", "science", "sports", "wisdom", "work"),
)
MANDARIN_FORTUNES = ("chinese.u8",)
DIALOGUES = "chatterbot_corpus"
FEWEST_WORDS, MOST_WORDS = 4, 16
FEWEST_CHARACTERS, MOST_CHARACTERS = 4, 22
#: Beyond letters: what a sentence may hold that is not read aloud as a word.
_READABLE = re.compile(r"^[A-Za-z' ,.;:!?\-]+$")
_ACRONYM = re.compile(r"\b[A-Z]{2,}\b|\b[A-Z]\.")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_MANDARIN_END = re.compile(r"[，。！？；：、…,.!?;:\s“”‘’「」『』《》（）()—-]+")
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f]")


@dataclass(frozen=True)
class Sentence:
    """What a voice is given, and what the network should write."""

    spoken: str
    text: str


def english_sentence(raw: str) -> Sentence | None:
    """A sentence of 4 to 16 words that reads as it is written; None where digits, acronyms or foreign letters are in it."""
    spoken = " ".join(raw.replace("’", "'").replace("--", ", ").split()).strip(" ,;:-")
    if not _READABLE.match(spoken) or _ACRONYM.search(spoken):
        return None
    text = normalize_english(spoken)
    words = text.split()
    if not FEWEST_WORDS <= len(words) <= MOST_WORDS or any(word.startswith("'") or word.endswith("''") for word in words):
        return None
    return Sentence(spoken, text)


def mandarin_sentence(raw: str) -> Sentence | None:
    """A clause of 4 to 22 simplified Chinese characters (those of GB 2312) and nothing else; None otherwise."""
    text = normalize_mandarin(raw)
    if text is None or not FEWEST_CHARACTERS <= len(text) <= MOST_CHARACTERS:
        return None
    return Sentence(text, text) if text.encode("gb2312", errors="ignore").decode("gb2312") == text else None


def _wordnet(folder: Path) -> Iterator[tuple[str, str]]:
    """(gloss, its examples in quotes) of every entry; the format is wndb(5WN): the gloss follows the bar."""
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text(encoding="utf-8").splitlines():
            entry, bar, gloss = line.partition(" | ")
            if bar and not entry.startswith("  "):  # the licence at the head of the file is indented
                yield re.sub(r'"[^"]*"', "", gloss).strip(" ;"), gloss


def wordnet_examples(folder: Path = WORDNET) -> Iterator[str]:
    """The example sentences of WordNet."""
    for _, gloss in _wordnet(folder):
        yield from re.findall(r'"([^"]+)"', gloss)


def wordnet_glosses(folder: Path = WORDNET) -> Iterator[str]:
    """What WordNet's words mean, each meaning by itself."""
    for meaning, _ in _wordnet(folder):
        yield re.sub(r"\([^)]*\)", "", meaning).split(";")[0]


def _fortunes(folder: Path, names: Iterable[str]) -> Iterator[str]:
    """The sayings in fortune's files, apart by lines of ``%``, without the lines that name their authors."""
    for name in names:
        for saying in re.split(r"(?m)^%\s*$", (folder / name).read_text(encoding="utf-8", errors="replace")):
            lines = [_ESCAPE.sub("", line) for line in saying.splitlines()]
            yield "\n".join(line for line in lines if not re.match(r"\s*(--|——)", line))


def english_fortunes(folder: Path = FORTUNES) -> Iterator[str]:
    """The sentences of fortune's English sayings."""
    for saying in _fortunes(folder, ENGLISH_FORTUNES):
        yield from _SENTENCE_END.split(" ".join(saying.split()))


def mandarin_fortunes(folder: Path = FORTUNES) -> Iterator[str]:
    """The clauses of fortune's modern Chinese sayings."""
    for saying in _fortunes(folder, MANDARIN_FORTUNES):
        yield from _MANDARIN_END.split(saying.replace("\n", ""))


def _dialogues(folder: Path, language: str) -> Iterator[str]:
    for path in sorted((folder / "data" / language).glob("*.yml")):
        for exchange in yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]:
            yield from (str(line) for line in exchange)


def english_dialogues(folder: Path) -> Iterator[str]:
    """The sentences of chatterbot-corpus's English dialogues."""
    for line in _dialogues(folder, "english"):
        yield from _SENTENCE_END.split(line)


def mandarin_dialogues(folder: Path) -> Iterator[str]:
    """The clauses of chatterbot-corpus's Chinese dialogues."""
    for line in _dialogues(folder, "chinese"):
        yield from _MANDARIN_END.split(line)


def _package_folder(name: str) -> Path:
    """Where a Python package lies, whether or not it is there."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else Path(name)


def _sources(language: str) -> dict[str, tuple[Path, str, Callable[[Path], Iterator[str]]]]:
    """Source's name -> (the folder that it is read from, the package that holds it, its reader)."""
    dialogues = _package_folder(DIALOGUES)
    if language == "zh":
        return {
            "fortunes": (FORTUNES / MANDARIN_FORTUNES[0], "Debian package fortunes-zh", lambda path: mandarin_fortunes(path.parent)),
            "dialogues": (dialogues / "data" / "chinese", "Python package chatterbot-corpus", lambda _: mandarin_dialogues(dialogues)),
        }
    return {
        "examples": (WORDNET, "Debian package wordnet-base", wordnet_examples),
        "glosses": (WORDNET, "Debian package wordnet-base", wordnet_glosses),
        "fortunes": (FORTUNES / ENGLISH_FORTUNES[0], "Debian package fortunes", lambda path: english_fortunes(path.parent)),
        "dialogues": (dialogues / "data" / "english", "Python package chatterbot-corpus", lambda _: english_dialogues(dialogues)),
    }


def read_sentences(language: str, counts: dict[str, int], *, rng: random.Random) -> list[Sentence]:
    """Sentences of ``language`` ("en" or "zh"), ``counts`` of each source, shuffled and all different."""
    chosen: dict[str, Sentence] = {}
    make = mandarin_sentence if language == "zh" else english_sentence
    sources = _sources(language)
    for name, count in counts.items():
        place, package, read = sources[name]
        if not place.exists():
            log.warning("%s is not there (%s): its sentences are left out", place, package)
            continue
        found = {sentence.text: sentence for raw in read(place) if (sentence := make(raw)) is not None and sentence.text not in chosen}
        chosen |= {text: found[text] for text in rng.sample(sorted(found), min(count, len(found)))}
    sentences = list(chosen.values())
    rng.shuffle(sentences)
    return sentences
