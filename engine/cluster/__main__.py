"""``python -m engine.cluster``: ``transcribe`` an archive on a Ray cluster · ``serve`` the engine on one.

Results go into the folder that is named; what is going on is said on standard error. Exit status 0: every recording is done;
1: some failed, see the report; 2: nothing could be run.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence

from engine.cluster.archive.archive import transcribe_archive
from engine.cluster.archive.ray_workers import RayWorkers, start_ray
from engine.cluster.archive.source import read_sources
from engine.cluster.job import BundleIdentity, Job, installed
from engine.cluster.serve.serving import PRECISIONS, app, start_serving, stop_serving
from engine.cluster.storage import Folder
from engine.command_line import add_transcribe_options, chosen_options, chosen_subtitles, positive
from engine.errors import LightVoiceError, UnknownFormatError
from engine.formats import FORMATS
from engine.runtime.session import DEVICES

ALL_DONE, SOME_FAILED, NOTHING_RUN = 0, 1, 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine.cluster", description="LightVoice on a Ray cluster.")
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--bundle", default="starter", help="name or folder of a bundle that every worker has (default: %(default)s)")
    shared.add_argument("--device", choices=DEVICES, default="cpu", help="where the models run (default: %(default)s)")
    shared.add_argument("--threads", type=positive, default=1, help="threads of each model (default: %(default)s)")
    shared.add_argument(
        "--address", help="a running cluster (auto, HOST:6379, ray://HOST:10001); default: one here, for this command alone"
    )
    transcribe = commands.add_parser("transcribe", parents=[shared], help="transcribe an archive")
    transcribe.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="folder, recording, manifest (.jsonl .csv .tsv .parquet), or s3://…"
    )
    transcribe.add_argument("--output", required=True, metavar="DIR", help="folder or URL for the results; an earlier job there is resumed")
    transcribe.add_argument("--precision", default="fp32", help="a variant of the bundle (default: %(default)s)")
    transcribe.add_argument("--workers", type=positive, help="cores to work on (default: all of the cluster)")
    transcribe.add_argument("--gpus-per-worker", type=float, default=0.0, help="GPUs of each worker, may be a fraction (default: none)")
    transcribe.add_argument(
        "--format", action="append", default=[], metavar="|".join(FORMATS), help="also one file a recording; repeatable"
    )
    add_transcribe_options(transcribe)
    serve = commands.add_parser("serve", parents=[shared], help="serve the engine for pages and programs until it is stopped")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine alone)")
    serve.add_argument("--port", type=positive, default=8000, help="port to listen on (default: %(default)s)")
    serve.add_argument("--name", default="lightvoice", help="the application: ray://HOST:PORT/NAME (default: %(default)s)")
    serve.add_argument("--precisions", default=",".join(PRECISIONS), help="variants to deploy, the default first (default: %(default)s)")
    serve.add_argument("--min-replicas", type=positive, default=1, help="of each precision (default: %(default)s)")
    serve.add_argument("--max-replicas", type=positive, default=4, help="of each precision (default: %(default)s)")
    serve.add_argument("--gpus-per-replica", type=float, default=0.0, help="GPUs of each replica, may be a fraction (default: none)")
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    # A cluster of this machine's own must have room for the fewest replicas, however few cores there are: else it would wait for ever.
    fewest = len(arguments.precisions.split(",")) * arguments.min_replicas * arguments.threads
    start_ray(arguments.address, workers=max(fewest, os.cpu_count() or 1))
    values = {
        "bundle": arguments.bundle,
        "precisions": arguments.precisions,
        "device": arguments.device,
        "threads": arguments.threads,
        "gpus": arguments.gpus_per_replica,
        "min_replicas": arguments.min_replicas,
        "max_replicas": arguments.max_replicas,
    }
    start_serving(app(values), name=arguments.name, host=arguments.host, port=arguments.port)
    _say(f"LightVoice: ray://{arguments.host}:{arguments.port}/{arguments.name}  (Ctrl+C stops)")
    try:
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        stop_serving()
    return ALL_DONE


def _transcribe(arguments: argparse.Namespace) -> int:
    for output_format in arguments.format:
        if output_format not in FORMATS:
            raise UnknownFormatError(output_format=output_format, known=FORMATS)
    options, subtitles = chosen_options(arguments), chosen_subtitles(arguments)
    bundle = installed(arguments.bundle)
    bundle.variant(arguments.precision)
    job = Job(
        bundle=arguments.bundle,
        identity=BundleIdentity.of(bundle),
        device=arguments.device,
        threads=arguments.threads,
        options=options,
    )
    sources = read_sources(arguments.sources)
    for refused in sources.refused:
        _say(f"{refused.name}: {refused.message}")
    if not sources.recordings:
        _say(f"no recording in {', '.join(arguments.sources)}")
        return NOTHING_RUN
    start_ray(arguments.address, workers=arguments.workers)
    workers = RayWorkers(workers=arguments.workers, gpus=arguments.gpus_per_worker)
    report = transcribe_archive(
        sources,
        job,
        Folder(arguments.output),
        workers,
        formats=arguments.format,
        subtitles=subtitles,
        tell=lambda reading: _say(str(reading)),
    )
    for name, times in report.undone.items():
        _say(f"{name} ({times} recordings went elsewhere)")
    for refused in report.failed.values():
        _say(f"{refused.name}: {refused.message}")
    _say(f"{len(report.done)} done ({len(report.known)} before), {len(report.refused)} failed -> {arguments.output}")
    return SOME_FAILED if report.refused else ALL_DONE


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command: 0 all done, 1 some failed, 2 nothing could be run."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    chosen = _parser().parse_args(arguments)
    try:
        return _transcribe(chosen) if chosen.command == "transcribe" else _serve(chosen)
    except LightVoiceError as error:
        _say(str(error))
        return NOTHING_RUN


if __name__ == "__main__":
    sys.exit(main())
