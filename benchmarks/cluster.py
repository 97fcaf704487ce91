"""One archive on the one-machine engine, on a Ray cluster of one worker, and of two: the same text, and how much faster.

``python -m benchmarks.cluster --data DATA [--hours 2] [--precision fp32] [--json FILE]``

The archive is made of recordings of the data folder, each used once: long files of many speakers, files of some minutes, and short
ones. A worker is one core: each cluster runs on as many cores as it has workers, each model on one thread. Starting Ray and the
actors is timed apart from working, for a cluster does it once. Needs requirements-cluster.txt.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.figures_file import write_figures
from engine.audio.sandbox.decoder import Decoder
from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from engine.bundle import Bundle
from engine.bundle_roots import ROOT
from engine.cluster.archive.archive import transcribe_archive
from engine.cluster.archive.ray_workers import RayWorkers, start_ray
from engine.cluster.archive.results import Done, Results
from engine.cluster.archive.source import read_sources
from engine.cluster.archive.speech_finder import SpeechFinder
from engine.cluster.job import BundleIdentity, Job, installed
from engine.cluster.storage import Folder
from engine.options import TranscribeOptions
from engine.pipeline import Engine
from engine.transcript import Transcript

SETS = ("librispeech_subset", "ljspeech_subset", "aishell_sample", "speechocean762")
SUFFIXES = {".wav", ".flac", ".mp3", ".ogg", ".opus"}
#: Lengths of the archive's files in seconds, in turn: an hour, a talk, a call, a message.
LENGTHS_S = (3600, 20, 300, 8, 1200, 45, 600, 15)
PAUSE_S = 1.2
SEED = 8
#: The environment variable that tells actors where to leave their stamps.
STAMPS = "LIGHTVOICE_BENCHMARK_STAMPS"


def make_archive(data: Path, folder: Path, *, hours: float) -> float:
    """Write the archive; its length in seconds."""
    recordings = [path for name in SETS for path in sorted((data / name).rglob("*")) if path.suffix.lower() in SUFFIXES]
    random.Random(SEED).shuffle(recordings)  # noqa: S311 - an order, no secret
    waiting, written_s, number = iter(recordings), 0.0, 0
    while written_s < hours * 3600:
        wanted_s = min(LENGTHS_S[number % len(LENGTHS_S)], hours * 3600 - written_s + 1)
        samples = _joined(waiting, wanted_s)
        if not len(samples):
            raise SystemExit(f"{data} holds {written_s / 3600:.1f} h of recordings in {', '.join(SETS)}; ask for less with --hours")
        soundfile.write(folder / f"{number:04d}.flac", samples, SAMPLE_RATE_HZ)
        written_s += len(samples) / SAMPLE_RATE_HZ
        number += 1
    return written_s


def _joined(recordings: Iterator[Path], wanted_s: float) -> np.ndarray:
    parts: list[np.ndarray] = []
    length_s = 0.0
    for path in recordings:
        samples = load_audio(path).samples
        parts += [samples, np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), np.float32)]
        length_s += len(samples) / SAMPLE_RATE_HZ + PAUSE_S
        if length_s >= wanted_s:
            break
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def transcripts_here(archive: Path, bundle: Path, precision: str) -> tuple[dict[str, Transcript], float]:
    """What the one-machine engine says on one thread, by file, and the seconds that it worked."""
    engine, decoder = Engine(Bundle.load(bundle), precision=precision, threads=1), Decoder()
    engine.warm_up()
    decoder.warm_up()
    began = time.perf_counter()
    found = {path.name: engine.transcribe(decoder.open(path)) for path in sorted(archive.iterdir())}
    return found, time.perf_counter() - began


def writing_s(transcripts: dict[str, Transcript], folder: Path, job: Job) -> float:
    """CPU seconds that a job's own process takes to write these down: once by content, then as JSONL and Parquet."""
    results = Results(Folder(str(folder)), job)
    contents = {name: hashlib.sha256(name.encode()).hexdigest() for name in transcripts}
    results.write_all([], formats=[])  # what is loaded once is not what an hour of audio costs
    began = time.process_time()
    for name, transcript in transcripts.items():
        results.keep(contents[name], transcript)
    results.write_all([Done(name, sha256) for name, sha256 in contents.items()], formats=[])
    return time.process_time() - began


class _StampedFinder(SpeechFinder):
    """Leaves the time at which it was ready to work, as the name of a file."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        (Path(os.environ[STAMPS]) / str(time.time())).touch()


def _job(bundle: str, precision: str) -> Job:
    return Job(bundle=bundle, identity=BundleIdentity.of(installed(bundle)), options=TranscribeOptions(precision=precision))


def run_cluster(archive: Path, output: Path, bundle: str, precision: str, workers: int) -> dict[str, Any]:
    """One job on a cluster of this process's own, on as many cores as it has workers."""
    cores = sorted(os.sched_getaffinity(0))[:workers]
    os.sched_setaffinity(0, cores)  # inherited by everything that Ray starts, as is the environment
    job = _job(bundle, precision)
    with tempfile.TemporaryDirectory() as stamps:
        os.environ[STAMPS] = stamps
        began_s = time.time()
        start_ray(None, workers=workers)
        started_s, cpu_s = time.time(), time.process_time()
        report = transcribe_archive(
            read_sources([str(archive)]), job, Folder(str(output)), RayWorkers(workers=workers, finder=_StampedFinder)
        )
        ended_s = time.time()
        ready_s = min(float(path.name) for path in Path(stamps).iterdir())
    return {
        "workers": workers,
        "cores": cores,
        "done": len(report.done),
        "failed": len(report.refused),
        "ray_start_s": started_s - began_s,
        "actors_start_s": ready_s - started_s,
        "working_s": ended_s - ready_s,
        "driver_cpu_s": time.process_time() - cpu_s,
    }


def measure(data: Path, *, hours: float, bundle: str, precision: str, workers: Sequence[int], rounds: int) -> dict[str, Any]:
    """All runs one after the other, each in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="lightvoice-cluster-") as temporary:
        archive = Path(temporary) / "archive"
        archive.mkdir()
        audio_s = make_archive(data, archive, hours=hours)
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:1])
        here, here_s = transcripts_here(archive, installed(bundle).folder, precision)
        expected = {name: transcript.to_dict()["segments"] for name, transcript in here.items()}
        os.sched_setaffinity(0, cores)
        runs = []
        for number in range(rounds):
            for count in workers:
                output = Path(temporary) / f"output-{number}-{count}"
                run = _in_a_process(archive, output, bundle, precision, count)
                lines = (output / "transcripts.jsonl").read_text(encoding="utf-8").splitlines()
                found = {Path(row["file"]).name: row["segments"] for row in map(json.loads, lines)}
                runs.append({**run, "identical": found == expected, "speed": audio_s / run["working_s"]})
        segments = sum(len(one) for one in expected.values())
        return {
            "bundle": bundle,
            "precision": precision,
            "files": len(expected),
            "segments": segments,
            "audio_s": audio_s,
            "lengths_s": [transcript.duration_s for transcript in here.values()],
            "hearing_share": 1 - sum(one.timing.asr_s for one in here.values()) / sum(one.timing.total_s for one in here.values()),
            "one_machine_s": here_s,
            "one_machine_speed": audio_s / here_s,
            "writing_s_an_hour": writing_s(here, Path(temporary) / "written", _job(bundle, precision)) / (audio_s / 3600),
            "runs": runs,
        }


def _in_a_process(archive: Path, output: Path, bundle: str, precision: str, workers: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.cluster", "--archive", archive, "--output", output]
    command += ["--bundle", bundle, "--precision", precision, "--workers", str(workers)]
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - ourselves
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> int:
    """Print and write the figures: 1 where a text differs or a recording is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cluster", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--bundle", default="starter")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--archive", type=Path, help=argparse.SUPPRESS)  # one run, in the process that measure() starts
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.archive is not None:
        run = run_cluster(arguments.archive, arguments.output, arguments.bundle, arguments.precision, arguments.workers[0])
        print(json.dumps(run))
        return 0
    if arguments.data is None:
        parser.error("--data is needed")
    figures = measure(
        arguments.data,
        hours=arguments.hours,
        bundle=arguments.bundle,
        precision=arguments.precision,
        workers=arguments.workers,
        rounds=arguments.rounds,
    )
    text = json.dumps(figures, indent=1)
    print(text)
    write_figures(arguments.json, figures)
    return 0 if all(run["identical"] and run["done"] == figures["files"] for run in figures["runs"]) else 1


if __name__ == "__main__":
    sys.exit(main())
