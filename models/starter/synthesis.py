"""Speech from Debian's text-to-speech programs: digit strings, numbers, sentences and phrases that no set at hand holds enough of.

espeak-ng, flite and festival teach the spelling; the voices come from real recordings. A program that is not
installed is left out with a warning that names the package.
"""

from __future__ import annotations

import logging
import os
import random
import shutil
import subprocess
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from engine.tags import Event, Language
from models.starter.corpus import DIGITS_EN, DIGITS_ZH, Utterance

log = logging.getLogger(__name__)

ESPEAK_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-us-nyc", "en-gb-x-rp")
ESPEAK_VARIANTS = ("", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "+m7", "+f1", "+f2", "+f3", "+f4", "+f5")
ESPEAK_LANGUAGES = {"mandarin": "cmn", "korean": "ko"}
FLITE_VOICES = ("kal16", "awb", "rms", "slt", "kal")
FESTIVAL_VOICES = ("voice_kal_diphone", "voice_ked_diphone", "voice_cmu_us_slt_arctic_hts")
#: Program -> the Debian package that holds it, and how often it speaks a digit string or a composed sentence.
PACKAGES = {"espeak-ng": "espeak-ng", "flite": "flite", "text2wave": "festival"}
PROGRAM_SHARES = {"espeak-ng": 10, "flite": 12, "text2wave": 1}
TIMEOUT_S = 60
#: Digit strings spoken with pauses.
COMMA_SHARE = 0.3
LONGEST_PHRASE = 12
LONGEST_SENTENCE = 12
TRIES_A_SENTENCE = 20
ENGLISH_WORDS = Path("/usr/share/dict/words")


def digit_strings(count: int, *, words: Sequence[str], rng: random.Random, separator: str) -> list[str]:
    """Random digit strings of 1 to 9 digits."""
    return [separator.join(rng.choice(words) for _ in range(rng.randint(1, 9))) for _ in range(count)]


def _espeak(text: str, target: Path, *, voice: str, rng: random.Random) -> None:
    command = ["espeak-ng", "-v", voice, "-s", str(rng.randint(110, 200)), "-p", str(rng.randint(25, 75))]
    command += ["-g", str(rng.randint(0, 8)), "-w", str(target), text]
    subprocess.run(command, check=True, timeout=TIMEOUT_S, capture_output=True)


def _flite(text: str, target: Path, *, voice: str, rng: random.Random) -> None:
    stretch = f"duration_stretch={rng.uniform(0.8, 1.35):.2f}"
    command = ["flite", "-voice", voice, "--setf", stretch, "-t", text, "-o", str(target)]
    subprocess.run(command, check=True, timeout=TIMEOUT_S, capture_output=True)


def _festival(text: str, target: Path, *, voice: str, rng: random.Random) -> None:
    command = [
        "text2wave",
        "-o",
        str(target),
        "-eval",
        f"({voice})",
        "-eval",
        f"(Parameter.set 'Duration_Stretch {rng.uniform(0.8, 1.3):.2f})",
    ]
    subprocess.run(command, input=text, text=True, check=True, timeout=TIMEOUT_S, capture_output=True)


def english_programs(shares: Mapping[str, int] = PROGRAM_SHARES) -> list[str]:
    """The installed programs that speak English, as often as ``shares`` says."""
    programs = []
    for command, share in shares.items():
        if shutil.which(command):
            programs += [command] * share
        else:
            log.warning("%s is not installed (Debian package %s): its voices are left out", command, PACKAGES[command])
    return programs


def _speak_english(text: str, target: Path, *, program: str, rng: random.Random) -> str:
    if program == "espeak-ng":
        voice = rng.choice(ESPEAK_ACCENTS) + rng.choice(ESPEAK_VARIANTS)
        _espeak(text, target, voice=voice, rng=rng)
    elif program == "flite":
        voice = rng.choice(FLITE_VOICES)
        _flite(text, target, voice=voice, rng=rng)
    else:
        voice = rng.choice(FESTIVAL_VOICES)
        _festival(text, target, voice=voice, rng=rng)
    return f"{program}/{voice}"


def made(path: Path, text: str | None, *, language: Language, speaker: str, source: str) -> Utterance:
    """A synthesized clip; it has no emotion to teach."""
    return Utterance(
        path=path,
        text=text,
        language=language,
        emotion=None,
        event=Event.SPEECH,
        source=source,
        speaker=speaker,
        split="train",
        duration_s=0.0,
    )


@dataclass(frozen=True)
class Job:
    """One clip to speak: everything that a worker process needs."""

    text: str
    target: Path
    programs: tuple[str, ...]  # one is chosen; a name in ESPEAK_LANGUAGES is espeak-ng in that language
    seed: str
    commas: bool = False


def speak(job: Job) -> str:
    """Speak one clip, if it is not there already: -> the program."""
    choice = random.Random(job.seed)
    program = choice.choice(job.programs)
    if not job.target.exists():
        partial = job.target.with_suffix(".partial.wav")
        if program in ESPEAK_LANGUAGES:
            _espeak(job.text, partial, voice=ESPEAK_LANGUAGES[program] + choice.choice(ESPEAK_VARIANTS), rng=choice)
        else:
            spoken = job.text.replace(" ", ", ") if job.commas and choice.random() < COMMA_SHARE else job.text
            _speak_english(spoken, partial, program=program, rng=choice)
        partial.rename(job.target)
    return program


def target_of(folder: Path, kind: str, number: int, text: str) -> Path:
    """Where a clip is kept: its text is part of the name, for a later plan may have another one under the same number."""
    return folder / f"{kind}-{number:05d}-{zlib.crc32(text.encode()):08x}.wav"


def mandarin_phrases(count: int, *, words: Sequence[str], rng: random.Random) -> list[str]:
    """Phrases of 1 to 5 words, about 12 characters at most."""
    phrases: list[str] = []
    while len(phrases) < count:
        phrase = "".join(rng.choice(words) for _ in range(rng.randint(1, 5)))
        if len(phrase) <= LONGEST_PHRASE:
            phrases.append(phrase)
    return phrases


def composed_sentences(count: int, *, texts: Sequence[str], words: Sequence[str], word_share: float, rng: random.Random) -> list[str]:
    """Sentences that are not among ``texts`` but made like them: a chain of their word pairs, now and then one of ``words`` instead.

    Without them a network learns the few sentences that were recorded by heart instead of learning to spell. Fewer than ``count`` where
    the texts are too few to make other ones of.
    """
    followers: dict[str, list[str]] = {}
    for text in texts:
        for word, follower in pairwise(("", *text.split(), "")):
            followers.setdefault(word, []).append(follower)
    known = set(texts)
    sentences: list[str] = []
    for _ in range(TRIES_A_SENTENCE * count):
        if len(sentences) == count:
            break
        chain: list[str] = []
        word = rng.choice(followers[""])
        while word and len(chain) < LONGEST_SENTENCE:
            chain.append(rng.choice(words) if words and rng.random() < word_share else word)
            word = rng.choice(followers[word])
        if (sentence := " ".join(chain)) and sentence not in known:
            sentences.append(sentence)
    return sentences


def dictionary_words(path: Path = ENGLISH_WORDS) -> list[str]:
    """Lower-case words of three to eight letters from a word list; none, and a warning, where it is not installed."""
    if not path.is_file():
        log.warning("%s is not there (Debian package wamerican): sentences are composed of recorded words alone", path)
        return []
    return [
        word
        for word in path.read_text(encoding="utf-8").split()
        if word.isascii() and word.isalpha() and word.islower() and 3 <= len(word) <= 8
    ]


def common_words(allowed: Collection[str], *, count: int, rng: random.Random) -> list[str]:
    """Words of two to four characters drawn by their frequency in jieba's dictionary, spelled with ``allowed`` characters alone."""
    import jieba

    weights: dict[str, float] = {}
    for line in Path(jieba.__file__).with_name("dict.txt").read_text(encoding="utf-8").splitlines():
        word, frequency = line.split()[:2]
        if 2 <= len(word) <= 4 and set(word) <= set(allowed):
            weights[word] = float(frequency) ** 0.6
    return rng.choices(list(weights), weights=list(weights.values()), k=count) if weights else []


def _number(rng: random.Random) -> str:
    """A spoken number with a unit: 三十度, 五百二十块."""
    tens = rng.choice(("", *DIGITS_ZH[2:]))
    number = f"{tens}十{rng.choice(('', *DIGITS_ZH[1:]))}"
    if rng.random() < 0.3:
        number = f"{rng.choice(DIGITS_ZH[1:])}百{number if number[0] != '十' else '一' + number}"
    return rng.choice(("", "", "设定", "调到", "温度")) + number + rng.choice(("度", "块", "个", "岁", "年", "点", ""))


def plan_synthesis(
    folder: Path, english: Sequence[str], mandarin: Sequence[str], config: dict[str, Any]
) -> list[tuple[Job, str, Language]]:
    """What is to be spoken: jobs with the source's name and the language. The same configuration gives the same plan."""
    rng, settings, seed = random.Random(config["seed"]), config["synthesis"], config["seed"]
    programs, plan = tuple(english_programs()), []
    digits = digit_strings(settings["digit_strings"], words=DIGITS_EN, rng=rng, separator=" ")
    texts = [(text, "digits") for text in digits] + [
        (rng.choice(english), "sentences") for _ in range(settings["sentences"] if english else 0)
    ]
    if english and settings["composed_sentences"]:
        composer = random.Random(f"{seed}/composed")
        composed = composed_sentences(
            settings["composed_sentences"],
            texts=english,
            words=dictionary_words(),
            word_share=settings["dictionary_word_share"],
            rng=composer,
        )
        texts += [(text, "composed") for text in composed]
    for number, (text, kind) in enumerate(texts if programs else []):
        job = Job(text, target_of(folder, kind, number, text), programs, f"{seed}/{number}", commas=kind == "digits")
        plan.append((job, f"tts-{kind}", Language.EN))
    if not shutil.which("espeak-ng"):
        return plan
    for number in range(settings["korean_sentences"]):
        choice = random.Random(f"{seed}/ko/{number}")
        sentence = " ".join(choice.choice(settings["korean_words"].split()) for _ in range(choice.randint(2, 9)))
        plan.append(
            (Job(sentence, target_of(folder, "korean", number, sentence), ("korean",), f"{seed}/ko/{number}"), "tts-korean", Language.KO)
        )
    words = [text for text in mandarin if len(text) <= 4]
    words += common_words({character for text in mandarin for character in text}, count=2 * len(words), rng=rng) if words else []
    spoken = digit_strings(settings["mandarin_digit_strings"], words=DIGITS_ZH, rng=rng, separator="")
    spoken += [_number(rng) for _ in range(settings["mandarin_numbers"])]
    spoken += [rng.choice(mandarin) for _ in range(settings["mandarin_sentences"] if mandarin else 0)]
    spoken += mandarin_phrases(settings["mandarin_phrases"], words=words, rng=rng) if words else []
    for number, text in enumerate(spoken):
        # Digits apart, so that they are read one by one.
        said = " ".join(text) if set(text) <= set(DIGITS_ZH) else text
        job = Job(said, target_of(folder, "mandarin", number, said), ("mandarin",), f"{seed}/zh/{number}")
        plan.append((job, "tts-mandarin", Language.ZH))
    return plan


def synthesize(folder: Path, english: Sequence[str], mandarin: Sequence[str], config: dict[str, Any]) -> Iterator[Utterance]:
    """Speak digit strings, sentences and phrases into ``folder``, one process a core; files that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = plan_synthesis(folder, english, mandarin, config)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the work is the programs' own
        for (job, source, language), program in zip(plan, pool.map(speak, [job for job, _, _ in plan]), strict=True):
            text = {Language.ZH: job.text.replace(" ", ""), Language.EN: job.text}.get(language)  # of others the tag alone is taught
            yield made(job.target, text, language=language, speaker=f"tts/{program}", source=source)
