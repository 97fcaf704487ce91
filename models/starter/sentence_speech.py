"""Natural sentences spoken: thousands by Debian's programs, hundreds by Kokoro, whose voices are nearer to a person's.

Which voice says which sentence depends on the seed and the sentence's number alone. Kokoro takes the sentences from the end of the list,
the programs from its beginning, so that more of either leaves what is spoken already as it is.
"""

from __future__ import annotations

import logging
import os
import random
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from engine.audio.waveform import SAMPLE_RATE_HZ
from engine.tags import Language
from models.evaluate.labels import LABELS
from models.starter.corpus import Utterance, normalize_english, read_labels
from models.starter.kokoro_voices import (
    INSTALL,
    Kokoro,
    cantonese_phonemes,
    english_phonemes,
    espeak_phonemes,
    is_installed,
    mandarin_phonemes,
)
from models.starter.public_sets import normalize_mandarin
from models.starter.sentence_sources import Sentence, read_sentences
from models.starter.synthesis import Job, english_programs, made, speak, target_of

log = logging.getLogger(__name__)
_PEAK = 0.9
#: A set of well-known recordings that nothing is learnt from.
OTHER_TESTS = "real"
#: Kind of clip -> its source's name in the store.
SOURCES = {
    "sentence": "tts-sentences",
    "kokoro": "tts-kokoro",
    "zh-sentence": "tts-mandarin-sentences",
    "zh-kokoro": "tts-mandarin-kokoro",
    "ja-kokoro": "tts-japanese-kokoro",
    "ko-kokoro": "tts-korean-kokoro",
    "yue-kokoro": "tts-cantonese-kokoro",
}
#: Kinds whose text is not taught: they teach the tag of the language.
TAG_ALONE = ("ja-kokoro", "ko-kokoro", "yue-kokoro")


@dataclass(frozen=True)
class Clip:
    """One sentence to speak: its text, and how (by a program, or by Kokoro where ``job`` is None)."""

    sentence: Sentence
    target: Path
    kind: str
    language: Language
    seed: str
    job: Job | None = None


def drawn_speed(seed: str, bounds: Sequence[float]) -> float:
    """How many times as fast a clip is played, pitch and formants with it: another voice."""
    return round(random.Random(f"{seed}/speed").uniform(*bounds), 2)


def _clips(folder: Path, sentences: Sequence[Sentence], *, language: Language, settings: dict[str, Any], seed: int) -> Iterator[Clip]:
    """The programs' clips from the beginning of the list, Kokoro's from its end."""
    english = language is Language.EN
    prefix = "" if english else "zh-"
    programs = tuple(english_programs(settings["program_shares"])) if english else ("mandarin",) * bool(shutil.which("espeak-ng"))
    for number, sentence in enumerate(sentences[: settings["by_programs"][language.value]] if programs else []):
        target = target_of(folder, f"{prefix}sentence", number, sentence.text)
        key = f"{seed}/{prefix}sentence/{number}"
        yield Clip(sentence, target, f"{prefix}sentence", language, key, Job(sentence.spoken, target, programs, key))
    if not is_installed():
        log.warning("Kokoro's voices are not installed (%s): its sentences are left out", INSTALL)
        return
    spare = sentences[settings["by_programs"][language.value] :][::-1]
    for number, sentence in enumerate(spare[: settings["by_kokoro"][language.value]]):
        target = target_of(folder, f"{prefix}kokoro", number, sentence.text)
        yield Clip(sentence, target, f"{prefix}kokoro", language, f"{seed}/{prefix}kokoro/{number}")


def _tag_clips(folder: Path, settings: dict[str, Any], *, seed: int) -> Iterator[Clip]:
    """Words of a language that has few recordings, strung together for Kokoro to say."""
    if not (is_installed() and shutil.which("espeak-ng")):
        return
    for name, plan in settings["tags_alone"].items():
        kind, words = f"{name}-kokoro", plan["words"].split()
        for number in range(plan["sentences"]):
            key = f"{seed}/{kind}/{number}"
            choice = random.Random(key)
            text = " ".join(choice.choice(words) for _ in range(choice.randint(2, 9)))
            yield Clip(Sentence(text, text), target_of(folder, kind, number, text), kind, Language(name), key)


def _worded(clip: Clip) -> str:
    """A clip's text as it would occur within another one: whole words, or characters."""
    return clip.sentence.text if clip.language is Language.ZH else f" {clip.sentence.text} "


def texts_of_tests(utterances: Iterable[Utterance], data: Path) -> set[str]:
    """What the test's speakers say, and what is said in the folder ``real`` of the data, where there is one: no voice may speak it."""
    texts = {utterance.text for utterance in utterances if utterance.split == "test" and utterance.text}
    if (data / OTHER_TESTS / LABELS).is_file():
        for row in read_labels(data / OTHER_TESTS):
            said = row.get("text") or row.get("label") or ""
            texts |= {normalize_english(said), normalize_mandarin(said) or ""}
    return texts - {""}


def plan_sentences(folder: Path, config: dict[str, Any], *, without: Collection[str]) -> list[Clip]:
    """Every clip to speak; a sentence that occurs in a text of ``without``, such as the test's, is left out and moves no other."""
    settings, seed = config["sentences"], config["seed"]
    clips: list[Clip] = []
    left_out = "|".join(f" {text} " for text in without)
    for language in (Language.EN, Language.ZH):
        rng = random.Random(f"{seed}/sentences/{language.value}")
        sentences = read_sentences(language.value, settings["sources"][language.value], rng=rng)
        clips += _clips(folder, sentences, language=language, settings=settings, seed=seed)
    clips += _tag_clips(folder, settings, seed=seed)
    return [clip for clip in clips if _worded(clip) not in left_out]


def kokoro_speaks(clip: Clip, kokoro: Kokoro, settings: dict[str, Any]) -> str:
    """Speak one clip in a voice of its own, if it is not there already: -> the voice."""
    if not clip.target.exists():
        rng = np.random.default_rng([ord(letter) for letter in clip.seed])
        shares, speed = kokoro.drawn_voice(rng), float(rng.uniform(*settings["kokoro_speed"]))
        if clip.language is Language.EN:
            phonemes = english_phonemes(clip.sentence.spoken, british=bool(rng.random() < settings["british_share"]))
        elif clip.language is Language.ZH:
            phonemes = mandarin_phonemes(clip.sentence.spoken)
        elif clip.language is Language.YUE:
            phonemes = cantonese_phonemes(clip.sentence.spoken)
        else:
            phonemes = espeak_phonemes(clip.sentence.spoken, language=clip.language.value)
        samples = kokoro.speak(phonemes, shares=shares, speed=speed)
        partial = clip.target.with_suffix(".partial.wav")
        soundfile.write(partial, samples * (_PEAK / max(float(np.abs(samples).max(initial=0.0)), _PEAK)), SAMPLE_RATE_HZ, subtype="PCM_16")
        partial.rename(clip.target)
    return "kokoro"


def speak_sentences(
    folder: Path,
    config: dict[str, Any],
    *,
    without: Collection[str],
    open_kokoro: Callable[[Path], Kokoro] = Kokoro.open,
    workers: int | None = None,
) -> Iterator[Utterance]:
    """Speak all clips into ``folder`` and yield them in the order of the plan; what is there already is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = config["sentences"]
    plan = plan_sentences(folder, config, without=without)
    missing = any(clip.job is None and not clip.target.exists() for clip in plan)
    kokoro = open_kokoro(folder) if missing else None

    def voice_of(clip: Clip) -> str:
        if clip.job is not None:
            return speak(clip.job)
        return kokoro_speaks(clip, kokoro, settings) if kokoro is not None else "kokoro"

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:  # the work is done by other programs, and outside Python's lock
        for clip, voice in zip(plan, pool.map(voice_of, plan), strict=True):
            text = None if clip.kind in TAG_ALONE else clip.sentence.text
            utterance = made(clip.target, text, language=clip.language, speaker=f"tts/{voice}", source=SOURCES[clip.kind])
            yield replace(utterance, speed=drawn_speed(clip.seed, settings["speeds"]))
