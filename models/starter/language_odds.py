"""How much to raise the tags of the languages that the training heard little of: the curve, on speakers that it never heard.

The starter heard a hundred Cantonese and Japanese recordings beside twenty thousand Mandarin and English ones, and finds these languages
unlikely before it listens. A number that is added to the log-odds of their tags (``language_odds`` in bundle.json) makes up for it: logit
adjustment, Menon et al. 2021, https://arxiv.org/abs/2007.07314.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.audio.waveform import load_audio
from engine.bundle import Bundle, LanguageOdds
from engine.options import TranscribeOptions
from engine.pipeline import Engine
from models.starter.corpus import CorpusError, Utterance
from models.starter.evaluate import TAGGED_LANGUAGES, judged_by_language
from models.starter.public_sets import read_corpus

#: The numbers that are tried.
TRIED = tuple(float(number) for number in range(10))
_SPLITS, _SEED = 200, 0
#: Below this a probability counts as this.
_LEAST = 1e-20


@dataclass(frozen=True)
class Heard:
    """How the first segment of a recording was tagged: the language spoken, the log-probability of each that the bundle knows, and
    the share of the number that so short a segment gets.
    """

    language: str
    log_probs: Mapping[str, float]
    share: float = 1.0

    def is_right(self, added: float, languages: Sequence[str]) -> bool:
        """Whether the tag is right once ``added`` counts for each of ``languages``."""
        return max(self.log_probs, key=lambda one: self.log_probs[one] + self.share * added * (one in languages)) == self.language


def listen(engine: Engine, utterances: Sequence[Utterance], *, precision: str, full_after_ms: int) -> list[Heard]:
    """Tag the recordings; one without a segment is left out, for no number changes that."""
    options = TranscribeOptions(precision=precision, itn=False)
    found = []
    for utterance in utterances:
        segments = engine.transcribe(load_audio(utterance.path), options).segments
        if segments:
            first = segments[0]
            log_probs = {name: float(np.log(max(value, _LEAST))) for name, value in first.probabilities["language"].items()}
            share = min(1.0, (first.end_ms - first.start_ms) / full_after_ms)
            found.append(Heard(utterance.language.value, log_probs, share))
    return found


def accuracies(heard: Sequence[Heard], added: float, languages: Sequence[str]) -> dict[str, float]:
    """The share of right tags of each language that is spoken."""
    right: dict[str, list[bool]] = {}
    for one in heard:
        right.setdefault(one.language, []).append(one.is_right(added, languages))
    return {language: float(np.mean(right[language])) for language in TAGGED_LANGUAGES if language in right}


def cross_validated(heard: Sequence[Heard], languages: Sequence[str]) -> tuple[float, float, tuple[float, float]]:
    """Chosen on one half of every language's recordings and measured on the other, many times: -> mean, deviation, and the number's
    tenth and ninetieth percentiles.
    """
    rng = np.random.default_rng(_SEED)
    names = [name for name in TAGGED_LANGUAGES if any(one.language == name for one in heard)]
    # (recordings, numbers tried): right or not
    right: list[NDArray[Any]] = [
        np.array([[one.is_right(number, languages) for number in TRIED] for one in heard if one.language == name]) for name in names
    ]
    measured, chosen = [], []
    for _ in range(_SPLITS):
        orders = [rng.permutation(len(answers)) for answers in right]
        choosing = np.mean([answers[order[: len(order) // 2]].mean(0) for answers, order in zip(right, orders, strict=True)], axis=0)
        judging = np.mean([answers[order[len(order) // 2 :]].mean(0) for answers, order in zip(right, orders, strict=True)], axis=0)
        best = int(choosing.argmax())
        measured.append(judging[best])
        chosen.append(TRIED[best])
    low, high = np.percentile(chosen, [10, 90])
    return float(np.mean(measured)), float(np.std(measured)), (float(low), float(high))


def report(bundle: Path, data: Path, config: dict[str, Any], *, precision: str) -> str:
    """The curve as a Markdown table, and how well a number chosen on one half of the recordings does on the other.

    CorpusError where no held-out recording of a raised language is there.
    """
    languages = list(config["language_odds"]["added"])
    spoken = judged_by_language([one for one in read_corpus(data, config) if one.split == "test"])
    if not any(one.language in languages for one in spoken):
        raise CorpusError(f"no held-out recording under {data} is in {' or '.join(languages)}; fetch cv61_yue and cv61_ja")
    engine = Engine(msgspec.structs.replace(Bundle.load(bundle), language_odds=LanguageOdds()))
    try:
        heard = listen(engine, spoken, precision=precision, full_after_ms=config["language_odds"]["full_after_ms"])
    finally:
        engine.close()
    rows = ["| added | " + " | ".join(TAGGED_LANGUAGES) + " | mean |", "|---" * (len(TAGGED_LANGUAGES) + 2) + "|"]
    for number in TRIED:
        each = accuracies(heard, number, languages)
        shown = [f"{100 * each[name]:.1f}" if name in each else "–" for name in TAGGED_LANGUAGES]
        rows.append(f"| {number:g} | {' | '.join(shown)} | {100 * float(np.mean(list(each.values()))):.1f} |")
    mean, deviation, (low, high) = cross_validated(heard, languages)
    halves = f"Chosen on one half and measured on the other: {100 * mean:.1f} % ± {100 * deviation:.1f}; chosen: {low:g} to {high:g}."
    return "\n".join([*rows, "", f"{len(heard)} recordings. {halves}"])
