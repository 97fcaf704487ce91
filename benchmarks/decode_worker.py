"""What decoding in a worker process adds to a clip: the same clip read by the worker and by this process, turn by turn.

    python -m benchmarks.decode_worker [--seconds 10] [--rounds 40] [--json FILE]

The clip is noise in four containers. ``start_ms`` is a fresh worker's first answer: a server starts its worker before it listens.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import numpy as np
import soundfile

from benchmarks.command_line import figures_parser, write_figures
from engine.audio.sandbox.decoder import Decoder
from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio

LIMIT_MS = 30.0


def write_clips(folder: Path, seconds: float) -> list[Path]:
    """A clip of 44.1 kHz stereo as WAV, FLAC, MP3 and M4A."""
    samples = np.random.default_rng(7).uniform(-0.3, 0.3, (round(seconds * 44_100), 2)).astype(np.float32)
    paths = [folder / f"clip.{ending}" for ending in ("wav", "flac", "mp3")]
    for path in paths:
        soundfile.write(path, samples, 44_100)
    m4a = folder / "clip.m4a"
    with av.open(str(m4a), "w") as container:
        stream = container.add_stream("aac", rate=44_100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
        frame.sample_rate = 44_100
        for part in av.AudioResampler(format="fltp", layout="stereo", rate=44_100, frame_size=1024).resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return [*paths, m4a]


def _ms(read: Callable[[], object]) -> float:
    started = time.perf_counter()
    read()
    return (time.perf_counter() - started) * 1000


def measure(path: Path, decoder: Decoder, *, rounds: int) -> dict[str, float]:
    """Medians in ms of both ways, and of the difference within a round."""
    pairs = [(_ms(lambda: load_audio(path)), _ms(lambda: decoder.load(path))) for _ in range(rounds + 1)][1:]  # the first one warms
    here, there = zip(*pairs, strict=True)
    added = [second - first for first, second in pairs]
    return {
        "here_ms": statistics.median(here),
        "worker_ms": statistics.median(there),
        "added_ms": statistics.median(added),
        "added_p90_ms": statistics.quantiles(added, n=10)[-1],
    }


def start_ms(path: Path, *, rounds: int) -> float:
    """Median time to the first answer of a worker that had to be started for it."""
    taken = []
    for _ in range(rounds):
        decoder = Decoder()
        taken.append(_ms(partial(decoder.load, path)))
        decoder.close()
    return statistics.median(taken)


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = figures_parser("decode_worker", __doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    decoder = Decoder()
    with tempfile.TemporaryDirectory() as folder:
        clips = write_clips(Path(folder), arguments.seconds)
        figures = {path.suffix[1:]: measure(path, decoder, rounds=arguments.rounds) for path in clips}
        started = start_ms(clips[0], rounds=5)
    decoder.close()
    print(f"{arguments.seconds:.0f} s at {SAMPLE_RATE_HZ} Hz after decoding; limit {LIMIT_MS:.0f} ms")
    for name, values in figures.items():
        print(f"{name:5}", "  ".join(f"{key} {value:7.1f}" for key, value in values.items()))
    print(f"start {started:.0f} ms")
    write_figures(arguments.json, {"start_ms": started, **figures})


if __name__ == "__main__":
    main()
