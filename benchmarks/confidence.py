"""What the mean confidence of a transcript says of its errors: ``python -m benchmarks.confidence --data ../shared/data``.

Held-out recordings are transcribed; for each threshold a line says how many transcripts lie below it, how many of those have a
character error rate above one half, and how many of all that have it lie below. ``UNSURE_BELOW`` (engine/speech/unsure_results.py) was
chosen by it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.audio.waveform import load_audio
from engine.bundle import Bundle, resolve_bundle
from engine.bundle_roots import bundle_roots
from engine.pipeline import Engine
from engine.speech.unsure_results import mean_confidence
from models.evaluate.datasets import Purpose, Recording, read_recordings, select, starter_recordings
from models.evaluate.metrics import error_counts

THRESHOLDS = tuple(percent / 100 for percent in range(30, 100, 5))
#: What half of the characters wrong is for a reader: not worth correcting.
BAD_CER = 0.5


@dataclass(frozen=True)
class Judged:
    """One transcript: its mean confidence and its character error rate."""

    confidence: float
    cer: float


def judged(engine: Engine, recordings: Sequence[Recording]) -> Iterator[Judged]:
    """Every recording that has a text and gave one."""
    for recording in recordings:
        if not recording.text:
            continue
        transcript = engine.transcribe(load_audio(recording.path))
        confidence = mean_confidence(transcript.segments)
        rate = error_counts(recording.text, transcript.text, characters=True).rate
        if confidence is not None and rate is not None:
            yield Judged(confidence, rate)


def lines(found: Sequence[Judged]) -> Iterator[dict[str, float]]:
    """For each threshold: the share of transcripts below it, how many of them are bad, and how many of the bad lie there."""
    bad = [one for one in found if one.cer > BAD_CER]
    for threshold in THRESHOLDS:
        below = [one for one in found if one.confidence < threshold]
        bad_below = sum(one.cer > BAD_CER for one in below)
        yield {
            "threshold": threshold,
            "below": round(len(below) / len(found), 3),
            "bad_of_below": round(bad_below / len(below), 3) if below else 0.0,
            "bad_found": round(bad_below / len(bad), 3) if bad else 0.0,
        }


def main() -> None:
    """Print the table, a JSON object a line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.confidence", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--bundle", default="starter", help="bundle (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=400, help="recordings (default: %(default)s)")
    arguments = parser.parse_args()
    own = arguments.bundle == "starter"
    recordings = starter_recordings(arguments.data)[Purpose.TEST] if own else read_recordings(arguments.data)
    texts = [one for one in select(recordings, Purpose.TEST) if one.text][: arguments.limit]
    engine = Engine(Bundle.load(resolve_bundle(arguments.bundle, bundle_roots())))
    try:
        found = list(judged(engine, texts))
    finally:
        engine.close()
    bad = sum(one.cer > BAD_CER for one in found) / len(found)
    sys.stdout.write(json.dumps({"recordings": len(found), "bad": round(bad, 3), "bad_cer": BAD_CER}) + "\n")
    for line in lines(found):
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
