"""Recordings → calibration features, through the same frontend that the engine uses, with a report of what they cover.

A calibration set is a list of (recording, condition) pairs. Features are computed when they are asked for, clip by clip, so that
500 clips cost no memory; each pass gives the same ones. Only recordings set aside for calibration belong here
(``models.evaluate.datasets``): what tunes a model must not judge it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from engine.bundle import Bundle
from engine.files.content import sha256_of
from engine.speech.features import fbank
from engine.speech.parts import Parts
from models.evaluate.datasets import Purpose, Recording, read_recordings, select, starter_recordings
from models.quantize.augmentation import Condition, apply, schedule
from models.quantize.ranges import CalibrationError

log = logging.getLogger(__name__)

#: Longer clips are cut: at full size ten seconds of activations are 170 MB.
LONGEST_S = 10.0
DEFAULT_CLIPS, TUNING_CLIPS = 400, 100
#: Short recordings that come with the page, used where no folder of recordings is named.
BUILT_IN = Path(__file__).resolve().parents[2] / "ui" / "examples"

Feeds = dict[str, NDArray[Any]]


class CalibrationSet:
    """Clips to measure activation ranges on, and to compare two precisions on, for one bundle."""

    def __init__(self, bundle: Bundle, plan: Sequence[tuple[Recording, Condition]], *, seed: int = 9527) -> None:
        if not plan:
            raise CalibrationError("no recording to calibrate with; name a folder of recordings with --data")
        self._bundle, self._plan, self._seed = bundle, tuple(plan), seed
        self._frontend = Parts.load(bundle).frontend

    @classmethod
    def build(
        cls,
        bundle: Bundle,
        data: Path | None,
        *,
        count: int = DEFAULT_CLIPS,
        seed: int = 9527,
        purpose: Purpose = Purpose.CALIBRATION,
        varied: bool = True,
    ) -> CalibrationSet:
        """Choose ``count`` clips of ``data`` that are set aside for ``purpose``; without ``data`` the page's own examples serve.

        ``varied`` plays them under the conditions of ``models.quantize.augmentation``, the recordings in rotation; without it each
        is used once, as it is. Raises CalibrationError for a count below 1, RecordingsError for a folder without recordings.
        """
        if count < 1:
            raise CalibrationError(f"{count} clips are none; choose at least 1, better 300 to 500")
        chosen = _choose(bundle, data, purpose, count=count, seed=seed)
        conditions = schedule(count) if varied else [Condition.CLEAN] * min(count, len(chosen))
        return cls(bundle, [(chosen[index % len(chosen)], condition) for index, condition in enumerate(conditions)], seed=seed)

    def __len__(self) -> int:
        return len(self._plan)

    def _samples(self, index: int) -> NDArray[np.float32]:
        recording, condition = self._plan[index]
        samples = load_audio(recording.path).samples[: int(LONGEST_S * SAMPLE_RATE_HZ)]
        return apply(condition, samples, np.random.default_rng(self._seed + index))[: int(LONGEST_S * SAMPLE_RATE_HZ)]

    def asr_features(self) -> Iterator[NDArray[np.float32]]:
        """(T, 560) float32 for each clip."""
        for index in range(len(self)):
            yield self._frontend.asr_features(fbank(self._samples(index)))

    def asr_feeds(self) -> Iterator[Feeds]:
        """Inputs of the ASR graph, with every language and both text norms in rotation."""
        languages, norms = sorted(self._bundle.language_rows.values()), sorted(self._bundle.textnorm_rows.values())
        for index, features in enumerate(self.asr_features()):
            language, norm = languages[index % len(languages)], norms[index // len(languages) % len(norms)]
            yield {"speech": features[None], "language": np.array([language], np.int32), "textnorm": np.array([norm], np.int32)}

    def vad_features(self) -> Iterator[NDArray[np.float32]]:
        """(T, 400) float32 for each clip."""
        for index in range(len(self)):
            yield self._frontend.vad_features(fbank(self._samples(index)))

    def vad_feeds(self) -> Iterator[Feeds]:
        """Inputs of the VAD graph."""
        for features in self.vad_features():
            yield {"speech": features[None]}

    def texts(self) -> list[str]:
        """The text of each clip, lower case; empty where it is unknown, or there is only music and noise."""
        return [
            "" if condition in _WITHOUT_SPEECH or recording.duration_s > LONGEST_S else (recording.text or "").lower()
            for recording, condition in self._plan
        ]

    def content_sums(self) -> list[str]:
        """The sha256 of every recording used, once each: ``bundle.json`` keeps them, and the evaluation stays away from them."""
        return sorted({sha256_of(recording.path) for recording, _ in self._plan})

    def coverage(self) -> dict[str, Any]:
        """What the set holds, in clips, and what it lacks, as ``bundle.json`` keeps it."""
        spoken = [recording for recording, condition in self._plan if condition not in _WITHOUT_SPEECH]
        languages = Counter(recording.language or "unknown" for recording in spoken)
        conditions = Counter(str(condition) for _, condition in self._plan)
        missing = [f"language {language}" for language in self._bundle.languages if language not in languages]
        missing += [str(condition) for condition in Condition if str(condition) not in conditions]
        # Synthesized stand-ins widen the ranges; they are not the real thing.
        missing += [f"recorded {sound} (synthesized here)" for sound in ("music", "laughter", "applause")]
        return {
            "clips": len(self._plan),
            "seconds": round(sum(min(LONGEST_S, recording.duration_s) for recording, _ in self._plan), 1),
            "recordings": len({recording.path for recording, _ in self._plan}),
            "speakers": len({(recording.source, recording.speaker) for recording, _ in self._plan}),
            "languages": dict(sorted(languages.items())),
            "sources": dict(sorted(Counter(recording.source for recording, _ in self._plan).items())),
            "conditions": dict(sorted(conditions.items())),
            "missing": missing,
        }


_WITHOUT_SPEECH = frozenset({Condition.MUSIC, Condition.LAUGHTER, Condition.APPLAUSE, Condition.SILENCE})


def _choose(bundle: Bundle, data: Path | None, purpose: Purpose, *, count: int, seed: int) -> list[Recording]:
    if data is None:
        log.warning("no --data: the page's own examples stand in; recordings that sound like yours give better models")
        return read_recordings(BUILT_IN)
    recordings = starter_recordings(data)[purpose] if bundle.kind == "starter" else read_recordings(data)
    chosen = select(recordings, purpose, limit=count, seed=seed)
    if chosen or bundle.kind == "starter":
        return chosen
    # A folder of three files may have none whose name falls to this purpose. bundle.json keeps what was used, so that nothing
    # used here is evaluated on.
    log.warning("%s is too small to set recordings aside; all %d serve for %s", data, len(recordings), purpose)
    return recordings[:count]
