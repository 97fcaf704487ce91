"""Music and applause for the tags BGM and Applause: made by the recipe, for no set at hand may be passed on with them.

Music: random chord progressions with a melody and drums, played by fluidsynth with a General MIDI sound font where both are installed
(Debian: fluidsynth, timgm6mb-soundfont), and the plucked chords of ``models.quantize.augmentation`` in any case.
"""

from __future__ import annotations

import importlib.util
import logging
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from engine.audio.waveform import SAMPLE_RATE_HZ
from engine.tags import Emotion, Event, Language
from models.quantize.augmentation import applause, music
from models.starter.corpus import Utterance
from models.starter.room import play_at, reverberate

log = logging.getLogger(__name__)
SOUND_FONTS = ("/usr/share/sounds/sf2/TimGM6mb.sf2", "/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/sounds/sf3/default-GM.sf3")
CLIP_S = 5.0
TEST_SHARE = 5  # every fifth clip is for the test
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9))
_TICKS = 480
_DRUMS, _KICK, _SNARE, _HAT = 9, 36, 38, 42


def write_midi(path: Path, rng: random.Random) -> None:
    """A few bars of chords, a melody over them, and drums half of the time."""
    import mido

    song = mido.MidiFile(ticks_per_beat=_TICKS)
    scale, root = rng.choice(_SCALES), rng.randint(48, 60)
    degrees = [rng.randrange(len(scale)) for _ in range(4)]
    tempo = mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(rng.randint(70, 160)))

    def pitch(step: int, octave: int = 0) -> int:
        return root + 12 * (octave + step // len(scale)) + scale[step % len(scale)]

    chords = mido.MidiTrack([tempo, mido.Message("program_change", program=rng.randrange(0, 104))])
    melody = mido.MidiTrack([mido.Message("program_change", channel=1, program=rng.randrange(0, 104))])
    drums = mido.MidiTrack()
    for bar in range(8):
        degree = degrees[bar % 4]
        notes = [pitch(degree + third) for third in (0, 2, 4)]
        velocity = rng.randint(50, 90)
        chords += [mido.Message("note_on", note=note, velocity=velocity) for note in notes]
        chords += [mido.Message("note_off", note=note, time=4 * _TICKS if place == 0 else 0) for place, note in enumerate(notes)]
        for _ in range(4):
            note, halves = pitch(degree + rng.randrange(7), 1), rng.choice(((_TICKS,), (_TICKS // 2, _TICKS // 2)))
            for half in halves:
                melody += [mido.Message("note_on", channel=1, note=note, velocity=rng.randint(60, 110))]
                melody += [mido.Message("note_off", channel=1, note=note, time=half)]
        for beat in range(8):
            note = _HAT if beat % 2 else (_KICK, _SNARE)[beat // 2 % 2]
            drums += [mido.Message("note_on", channel=_DRUMS, note=note, velocity=rng.randint(50, 100))]
            drums += [mido.Message("note_off", channel=_DRUMS, note=note, time=_TICKS // 2)]
    song.tracks += [chords, melody, *([drums] if rng.random() < 0.5 else [])]
    song.save(str(path))


def _play(midi: Path, target: Path, sound_font: str) -> None:
    command = ["fluidsynth", "-ni", "-q", "-r", str(SAMPLE_RATE_HZ), "-F", str(target), sound_font, str(midi)]
    subprocess.run(command, check=True, timeout=120, capture_output=True)


def _cut(path: Path, rng: np.random.Generator) -> np.ndarray:
    samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    length = int(CLIP_S * SAMPLE_RATE_HZ)
    start = int(rng.integers(0, max(1, len(mono) - length)))
    return np.asarray(mono[start : start + length], np.float32)


def make_events(folder: Path, config: dict[str, Any]) -> Iterator[Utterance]:
    """Write the clips into ``folder`` (those that are there are kept): -> utterances without text, tagged BGM or Applause."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = config["events"]
    sound_font = next((path for path in SOUND_FONTS if Path(path).exists()), None)
    if sound_font is None or not shutil.which("fluidsynth") or importlib.util.find_spec("mido") is None:
        log.warning("fluidsynth, a sound font (Debian: fluidsynth, timgm6mb-soundfont) or mido is missing: music is plucked chords alone")
        sound_font = None
    for event, count in ((Event.BGM, counts["music"]), (Event.APPLAUSE, counts["applause"])):
        for number in range(count):
            target = folder / f"{event.value.lower()}-{number:04d}.wav"
            if not target.exists():
                _make(target, event, np.random.default_rng([config["seed"], number, event is Event.BGM]), sound_font)
            yield Utterance(
                path=target,
                text="",
                language=Language.NOSPEECH,
                emotion=Emotion.EMO_UNKNOWN,
                event=event,
                source="made-events",
                speaker=f"made/{target.stem}",
                split="test" if number % TEST_SHARE == 0 else "train",
                duration_s=CLIP_S,
            )


def _make(target: Path, event: Event, rng: np.random.Generator, sound_font: str | None) -> None:
    length = int(1.5 * CLIP_S * SAMPLE_RATE_HZ)
    if event is Event.APPLAUSE:
        samples = applause(length, rng) + np.float32(rng.uniform(0, 0.5)) * applause(length, rng)
    elif sound_font is not None and rng.random() < 0.75:
        midi, played = target.with_suffix(".mid"), target.with_suffix(".played.wav")
        write_midi(midi, random.Random(int(rng.integers(2**31))))
        _play(midi, played, sound_font)
        samples = _cut(played, rng)
        midi.unlink()
        played.unlink()
    else:
        samples = music(length, rng)
    samples = play_at(samples.astype(np.float32), rng.uniform(0.75, 1.35))[: int(CLIP_S * SAMPLE_RATE_HZ)]
    samples = reverberate(samples, rng) if rng.random() < 0.4 else samples
    peak = max(float(np.abs(samples).max(initial=0.0)), 1e-6)
    soundfile.write(target, samples / peak * rng.uniform(0.1, 0.9), SAMPLE_RATE_HZ, subtype="PCM_16")
