"""An hour of real recordings in a row: memory, the first segment, speed beside a short file's, and what VAD costs.

    python -m benchmarks.long_audio BUNDLE --data DIR [--precision int8] [--minutes 60] [--threads N] [--json FILE]

One process transcribes ten seconds, two minutes, the long file and the two minutes again. Growth of memory is that of the most the
process ever held, from after the ten seconds to after the long file. Features and VAD are timed twice: on the wall clock while the
long file runs, beside the segments before them that are being recognized, and in processor time on the two minutes, alone.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from benchmarks.command_line import figures_parser, print_bar, write_figures
from benchmarks.real_speech import speech_of
from engine.audio.sandbox.decoder import Decoder
from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from engine.bundle import Bundle
from engine.pipeline import Engine
from engine.runtime.cores import default_threads
from engine.transcript import Segment, Transcript
from models.benchmark.machine import this_machine
from models.benchmark.process_meter import peak_rss_mb

WARM_S, SHORT_S = 10, 120
#: Figure, the limit it must not exceed, and what it says.
BARS = (
    ("growth_mb", 120.0, "peak RSS over that of ten seconds, MB"),
    ("first_segment_s", 3.0, "first segment after, s"),
    ("rtf_ratio", 1.10, "RTF over that of two minutes"),
    ("vad_processor_rtf", 0.003, "features and VAD: RTF in processor time"),
)


@dataclass
class _Run:
    """One transcription and when its first segment came."""

    transcript: Transcript
    first_segment_s: float


def _transcribe(engine: Engine, decoder: Decoder, file: Path) -> _Run:
    came_s: list[float] = []
    started = time.perf_counter()

    def note(_: Segment) -> None:
        came_s.append(time.perf_counter() - started)

    transcript = engine.transcribe(decoder.open(file), on_segment=note)
    return _Run(transcript, came_s[0])


def measure(bundle: Path, *, data: Path, precision: str, minutes: float, threads: int) -> dict[str, Any]:
    """Figures in seconds and MB."""
    engine, decoder = Engine(Bundle.load(bundle), precision=precision, threads=threads), Decoder()
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name, duration_s in (("warm", WARM_S), ("short", SHORT_S), ("long", 60 * minutes)):
            files[name] = Path(folder) / f"{name}.wav"
            _write(files[name], data, duration_s)
        engine.warm_up()
        engine.transcribe(decoder.open(files["warm"]))
        before_mb = peak_rss_mb()
        short = [_transcribe(engine, decoder, files["short"]).transcript.timing.rtf]
        run = _transcribe(engine, decoder, files["long"])
        after_mb = peak_rss_mb()
        short.append(_transcribe(engine, decoder, files["short"]).transcript.timing.rtf)
        waveform = load_audio(files["short"])
        computing_s = time.process_time()
        engine.detect(waveform)
        computing_s = time.process_time() - computing_s
    timing, duration_s = run.transcript.timing, run.transcript.duration_s
    return {
        "duration_s": duration_s,
        "segments": len(run.transcript.segments),
        "rss_peak_short_mb": before_mb,
        "rss_peak_mb": after_mb,
        "growth_mb": after_mb - before_mb,
        "first_segment_s": run.first_segment_s,
        "audio_s_per_s": 1 / timing.rtf,
        "rtf": timing.rtf,
        "rtf_short": sum(short) / len(short),
        "rtf_ratio": timing.rtf / (sum(short) / len(short)),
        "decode_rtf": timing.decode_s / duration_s,
        "vad_processor_rtf": computing_s / waveform.duration_s,
        "vad_rtf": (timing.features_s + timing.vad_s) / duration_s,
    }


def _write(path: Path, data: Path, duration_s: float) -> None:
    """In pieces of two minutes, over and over: an hour need not lie in this process's memory, which is what is measured."""
    speech = speech_of(data, duration_s=min(duration_s, SHORT_S))
    left = round(duration_s * SAMPLE_RATE_HZ)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, channels=1, subtype="PCM_16") as handle:
        while left > 0:
            handle.write(speech[:left])
            left -= len(speech)


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = figures_parser("long_audio", __doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="recordings, laid out as the data folder of the tests")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--threads", type=int, default=default_threads())
    arguments = parser.parse_args()
    figures = measure(
        arguments.bundle, data=arguments.data, precision=arguments.precision, minutes=arguments.minutes, threads=arguments.threads
    )
    for name, value in figures.items():
        print(f"{name:18} {value:.4f}")
    for name, limit, what in BARS:
        print_bar(what, figures[name], limit)
    conditions = {"machine": str(this_machine()), "precision": arguments.precision, "threads": arguments.threads}
    write_figures(arguments.json, {**conditions, **figures})


if __name__ == "__main__":
    main()
