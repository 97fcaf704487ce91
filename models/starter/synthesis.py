"""Speech from Debian's text-to-speech programs: digit strings and sentences that no set at hand holds enough of.

espeak-ng, flite and festival teach the spelling; the voices come from real recordings. A program that is not
installed is left out with a warning that names the package.
"""

from __future__ import annotations

import logging
import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engine.tags import Event, Language
from models.starter.corpus import DIGITS_EN, DIGITS_ZH, Utterance

log = logging.getLogger(__name__)

ESPEAK_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-us-nyc", "en-gb-x-rp")
ESPEAK_VARIANTS = ("", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "+m7", "+f1", "+f2", "+f3", "+f4", "+f5")
FLITE_VOICES = ("kal16", "awb", "rms", "slt", "kal")
FESTIVAL_VOICES = ("voice_kal_diphone", "voice_ked_diphone", "voice_cmu_us_slt_arctic_hts")
TIMEOUT_S = 60


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


def english_programs() -> list[str]:
    """The installed programs that speak English, one entry per share of the work."""
    programs = []
    for command, package, share in (("espeak-ng", "espeak-ng", 4), ("flite", "flite", 4), ("text2wave", "festival", 1)):
        if shutil.which(command):
            programs += [command] * share
        else:
            log.warning("%s is not installed (Debian package %s): its voices are left out", command, package)
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


def _made(path: Path, text: str, *, language: Language, speaker: str, source: str) -> Utterance:
    # No emotion target: a formant synthesizer has none to teach.
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


def synthesize(folder: Path, sentences: Sequence[str], config: dict[str, Any]) -> Iterator[Utterance]:
    """Speak digit strings and ``sentences`` into ``folder``; files that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(config["seed"])
    settings = config["synthesis"]
    digits = digit_strings(settings["digit_strings"], words=DIGITS_EN, rng=rng, separator=" ")
    texts = [(text, "digits") for text in digits] + [(rng.choice(sentences), "sentences") for _ in range(settings["sentences"])]
    programs = english_programs()
    for number, (text, kind) in enumerate(texts if programs else []):
        choice = random.Random(f"{config['seed']}/{number}")
        target = folder / f"{kind}-{number:05d}.wav"
        program = choice.choice(programs)
        if not target.exists():
            partial = target.with_suffix(".partial.wav")
            spoken = text.replace(" ", ", ") if kind == "digits" and choice.random() < 0.3 else text
            _speak_english(spoken, partial, program=program, rng=choice)
            partial.rename(target)
        yield _made(target, text, language=Language.EN, speaker=f"tts/{program}", source=f"tts-{kind}")
    if not shutil.which("espeak-ng"):
        return
    for number, text in enumerate(digit_strings(settings["mandarin_digit_strings"], words=DIGITS_ZH, rng=rng, separator="")):
        choice = random.Random(f"{config['seed']}/zh/{number}")
        target = folder / f"mandarin-{number:05d}.wav"
        if not target.exists():
            partial = target.with_suffix(".partial.wav")
            _espeak(" ".join(text), partial, voice="cmn" + choice.choice(ESPEAK_VARIANTS), rng=choice)
            partial.rename(target)
        yield _made(target, text, language=Language.ZH, speaker="tts/espeak-ng", source="tts-mandarin")
