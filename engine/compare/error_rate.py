"""A transcript against a reference text → CER and WER, or the reason why a rate would say nothing.

Both texts are normalized first (:func:`normalize_text`): how a word is written with capitals or commas is no error of recognition.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.speech.unspaced import HAN_OF_ALL_PLANES, KANA

_CJK = f"々-〇{KANA}{HAN_OF_ALL_PLANES}"
_SPACE_AT_CJK = re.compile(rf"(?<=[{_CJK}]) | (?=[{_CJK}])")
_UNSPACED = re.compile(f"[{_CJK}]")
_APOSTROPHES = re.compile("['’ʼ]")
#: A script counts from this share of a text's letters on: one Latin name does not make Mandarin text Latin.
_SCRIPT_SHARE = 0.1
_SHARE_DIGITS = 4

EMPTY_REFERENCE, OTHER_SCRIPT = "empty_reference", "other_script"


def normalize_text(text: str) -> str:
    """What two texts are compared in: NFKC, lower case, no punctuation, single spaces, none beside a CJK character.

    Apostrophes vanish ("don't" is one word), other punctuation parts words ("well-known" is two). Digits stay digits.
    """
    folded = _APOSTROPHES.sub("", unicodedata.normalize("NFKC", text).lower())
    kept = "".join(" " if unicodedata.category(character).startswith("P") else character for character in folded)
    return _SPACE_AT_CJK.sub("", " ".join(kept.split()))


def scripts_of(text: str) -> frozenset[str]:
    """The scripts that a text is written in, as Unicode names them: ``{"LATIN"}``, ``{"CJK", "HIRAGANA"}``; digits have none."""
    counts = Counter(unicodedata.name(letter, "?").split()[0] for letter in text if letter.isalpha())
    return frozenset(name for name, count in counts.items() if count >= _SCRIPT_SHARE * counts.total())


@dataclass(frozen=True, kw_only=True)
class ErrorRate:
    """Edits that turn a reference of ``length`` units (at least 1) into the transcript."""

    substitutions: int
    deletions: int
    insertions: int
    length: int

    @property
    def rate(self) -> float:
        """(S + D + I) / N; above 1 where much was inserted."""
        return (self.substitutions + self.deletions + self.insertions) / self.length

    def to_dict(self) -> dict[str, float | int]:
        """As the page and its exports write it."""
        counts = {"substitutions": self.substitutions, "deletions": self.deletions, "insertions": self.insertions}
        return {"rate": round(self.rate, _SHARE_DIGITS), **counts, "length": self.length}


@dataclass(frozen=True, kw_only=True)
class ReferenceScore:
    """A transcript measured against a reference; without rates, ``reason`` says why (EMPTY_REFERENCE or OTHER_SCRIPT).

    ``wer`` is None, too, where the reference is written without spaces and has no words to count.
    """

    cer: ErrorRate | None = None
    wer: ErrorRate | None = None
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As the page and its exports write it."""
        return {
            "cer": None if self.cer is None else self.cer.to_dict(),
            "wer": None if self.wer is None else self.wer.to_dict(),
            "reason": self.reason,
        }


def score_against(reference: str, transcript: str) -> ReferenceScore:
    """CER (the space between two words is a character of it) and WER of a transcript."""
    expected, got = normalize_text(reference), normalize_text(transcript)
    if not expected:
        return ReferenceScore(reason=EMPTY_REFERENCE)
    scripts, others = scripts_of(expected), scripts_of(got)
    if scripts and others and not scripts & others:
        return ReferenceScore(reason=OTHER_SCRIPT)
    words = None if _UNSPACED.search(expected) else _error_rate(expected.split(), got.split())
    return ReferenceScore(cer=_error_rate(expected, got), wer=words)


def _error_rate(reference: Sequence[str], transcript: Sequence[str]) -> ErrorRate:
    from rapidfuzz.distance import Levenshtein  # noqa: PLC0415 - as in engine.compare.alignment

    edits = Counter(edit.tag for edit in Levenshtein.editops(reference, transcript))
    return ErrorRate(substitutions=edits["replace"], deletions=edits["delete"], insertions=edits["insert"], length=len(reference))
