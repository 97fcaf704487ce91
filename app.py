"""LightVoice's command line: ``serve`` (default) · ``transcribe`` · ``watch`` · ``bundles``.

Builds an Engine and hands it to the page or to the loop over files. Results go to stdout and nothing else does.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from engine.audio.piped import as_file, check_once, is_piped
from engine.audio.sandbox.decoder import MOST_WORKERS, DecodeLimits, Decoder
from engine.bundle import Bundle, find_bundles, resolve_bundle
from engine.bundle_roots import STARTER, bundle_roots
from engine.command_line import OUTPUTS, add_transcribe_command, add_watch_command, chosen_options, chosen_subtitles, positive
from engine.documents import written
from engine.errors import AudioError, LightVoiceError, OptionError, OutputError, UnknownFormatError
from engine.files.batch_journal import BatchJournal, result_paths
from engine.files.file_batch import FileBatch, Outcome, Work, failure_of_file
from engine.files.file_names import printable
from engine.options import TranscribeOptions
from engine.pipeline import Engine
from engine.runtime.session import DEVICES
from engine.runtime.session_pool import Precision, carried_over
from engine.speech_engine import SpeechEngine
from engine.watch.watcher import Watcher, WatchOptions

if TYPE_CHECKING:
    from ui.history.options import HistoryOptions
    from ui.http.access.managing import Managing
    from ui.limits import Limits

#: Options whose value may be the name of a command.
VALUED = ("--bundle", "--precision", "--host", "--auth", "--api-keys", "--engine", "--history-folder", "--output")
#: Runs that the page and the API have on a cluster at the same time.
CLUSTER_RUNS = 64
COMMANDS = ("serve", "transcribe", "watch", "bundles")
ALL_ANSWERED, SOME_FAILED, NOTHING_RUN = 0, 1, 2


def _engine_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--bundle",
        help="name of an installed bundle, or its folder; sensevoice-small and sensevoice-small:fp32 are fetched first where they are "
        "missing (default: sensevoice-small where it is installed, else the embedded starter)",
    )
    options.add_argument("--yes", action="store_true", help="agree to what --bundle fetches where no terminal can ask")
    options.add_argument("--precision", help="fp32, int8 or another variant of the bundle (default: fp32; int8 with --slim)")
    options.add_argument("--device", choices=DEVICES, default="cpu", help="where the models run (default: %(default)s)")
    options.add_argument(
        "--engine",
        metavar="ray://HOST:PORT/APPLICATION",
        help="use the models of a cluster (python -m engine.cluster serve) instead of own ones",
    )
    options.add_argument("--threads", type=positive, help="threads of each model, and as many runs side by side (default: physical cores)")
    options.set_defaults(slim=False)
    return options


def _parser() -> argparse.ArgumentParser:
    from ui.command_line import add_serve_options

    parser = argparse.ArgumentParser(prog="app.py", description="Speech recognition with tags, in FP32 and INT8.")
    commands = parser.add_subparsers(dest="command", required=True)
    shared = _engine_options()
    serve = commands.add_parser("serve", parents=[shared], help="serve the page (what happens without a command)")
    add_serve_options(serve)
    transcribe = commands.add_parser("transcribe", parents=[shared], help="transcribe files to stdout or into a folder")
    add_transcribe_command(transcribe)
    watch = commands.add_parser("watch", parents=[shared], help="transcribe what arrives in a folder, each recording once, until stopped")
    add_watch_command(watch)
    commands.add_parser("bundles", help="list the installed bundles")
    return parser


def _with_command(arguments: Sequence[str]) -> list[str]:
    """Put ``serve`` in front when no command is named; ``--help`` stays the whole program's."""
    named = [argument for argument in arguments if not argument.startswith("-")]
    if (named and named[0] in COMMANDS and arguments[0] in COMMANDS) or (arguments and arguments[0] in ("-h", "--help")):
        return list(arguments)
    for place, argument in enumerate(arguments):
        if argument in COMMANDS and not (place and arguments[place - 1] in VALUED):
            return [argument, *arguments[:place], *arguments[place + 1 :]]
    return ["serve", *arguments]


def _agree(arguments: argparse.Namespace) -> Callable[[str], bool | None]:
    """Asks in a terminal whether a model may be fetched; elsewhere --yes agrees, and None says that nobody can be asked."""

    def agree(offer: str) -> bool | None:
        if arguments.yes:
            print(offer, file=sys.stderr)
            return True
        if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
            return None
        print(f"{offer}\nGo on? [Y/n] ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()  # empty where the terminal was closed
        return bool(answer) and answer.strip().lower() in ("", "y", "yes")

    return agree


def build_engine(arguments: argparse.Namespace) -> SpeechEngine:
    """Load the bundle that was asked for and make an engine of it, or find the one that a cluster serves."""
    if arguments.engine:
        from engine.cluster.serve.remote_engine import RemoteEngine

        return RemoteEngine(arguments.engine, precision=arguments.precision)
    from models.fetch.on_demand import bundle_on_demand, usual_bundle

    roots = bundle_roots()
    wanted = arguments.bundle or usual_bundle(roots)
    name, asked = bundle_on_demand(wanted, precision=arguments.precision, roots=roots, agree=_agree(arguments), yes=arguments.yes)
    bundle = Bundle.load(resolve_bundle(name, roots))
    precision = asked or carried_over(Precision.INT8 if arguments.slim else Precision.FP32, bundle.variants)
    return Engine(bundle, precision=precision, device=arguments.device, threads=arguments.threads)


def _serve(arguments: argparse.Namespace) -> int:
    from ui.http.access.credentials import read_credentials
    from ui.http.reach import Reach
    from ui.serve import serve
    from ui.status.log_lines import set_up_log

    set_up_log(as_json=arguments.log_json)
    credentials = read_credentials(auth=arguments.auth, api_keys=arguments.api_keys)
    reach = Reach.parsed(root_path=arguments.root_path, origins=arguments.allow_origin)
    engine = build_engine(arguments)

    def ready(address: str) -> None:
        print(f"LightVoice: {address}  (bundle {engine.bundle.name}, {engine.precision}; Ctrl+C stops)", file=sys.stderr, flush=True)

    with closing(engine), _managing(arguments) as managing:
        serve(
            engine,
            host=arguments.host,
            port=arguments.port,
            ssl_certfile=arguments.ssl_certfile,
            ssl_keyfile=arguments.ssl_keyfile,
            ssl_self_signed=arguments.ssl_self_signed,
            limits=_limits(engine, arguments),
            credentials=credentials,
            show_text=arguments.log_transcripts,
            managing=managing,
            slim=arguments.slim,
            reach=reach,
            history=_history(arguments),
            on_ready=ready,
        )
    return ALL_ANSWERED


def _history(arguments: argparse.Namespace) -> HistoryOptions | None:
    """Where the page's transcripts are kept; None for nowhere."""
    from ui.history.options import HistoryOptions, history_folder

    if arguments.no_history:
        return None
    return HistoryOptions(folder=arguments.history_folder or history_folder(), days=arguments.history_days)


def _limits(engine: SpeechEngine, arguments: argparse.Namespace) -> Limits:
    """What the server takes on. A cluster says itself when it is busy; this process has only to pass on what it is asked."""
    from ui.limits import Limits

    at_once = engine.recordings_at_once
    runs = CLUSTER_RUNS if arguments.engine else max(Limits.concurrent_runs, at_once)
    return Limits(upload_mb=arguments.max_upload_mb, duration_s=float(arguments.max_duration_s), concurrent_runs=runs, runs_a_page=at_once)


@contextmanager
def _managing(arguments: argparse.Namespace) -> Iterator[Managing | None]:
    """The workshop for the page, and who may use it; the slim page has none, nor has one whose models lie elsewhere."""
    if arguments.slim or arguments.engine:
        yield None
        return
    from models.jobs.workshop import Workshop
    from ui.http.access.managing import Managing

    with closing(Workshop(roots=bundle_roots(), embedded=STARTER)) as workshop:
        yield Managing(workshop=workshop, everybody=arguments.manage_models)


def _list_bundles() -> int:
    bundles = find_bundles(bundle_roots())
    if not bundles:
        print("no bundle is installed; the starter belongs in models/starter/bundle", file=sys.stderr)
        return NOTHING_RUN
    for bundle in bundles:
        sizes = ", ".join(f"{name} {bundle.size_mb(name):.1f} MB" for name in bundle.variants)
        print(f"{bundle.name} {bundle.version}  [{' '.join(bundle.languages)}]  {sizes}\n  {bundle.licence}\n  {bundle.folder}")
    return ALL_ANSWERED


def _list_tracks(files: Sequence[str]) -> int:
    failed = 0
    with closing(Decoder()) as decoder:
        for file in files:
            try:
                with as_file(file) as path:
                    found: dict[str, Any] = {"tracks": [track.to_dict() for track in decoder.tracks(path)]}
            except AudioError as error:
                failed += 1
                found = failure_of_file(file, error, say=_say)
            _write(json.dumps({"file": printable(file), **found}, ensure_ascii=False) + "\n")
    return SOME_FAILED if failed else ALL_ANSWERED


def _transcribe(arguments: argparse.Namespace) -> int:
    check_once(arguments.files)
    if arguments.list_tracks:
        return _list_tracks(arguments.files)
    if arguments.format not in OUTPUTS:
        raise UnknownFormatError(output_format=arguments.format, known=OUTPUTS)
    options, subtitles = chosen_options(arguments), chosen_subtitles(arguments)
    folder: Path | None = arguments.output_dir
    if folder is None and arguments.format != "json" and len(arguments.files) > 1:
        raise OptionError(f"{len(arguments.files)} files as {arguments.format} need --output-dir; only json takes several to stdout")
    targets = None if folder is None else result_paths(folder, arguments.files, arguments.format)
    with closing(build_engine(arguments)) as engine, closing(_decoder(engine, arguments)) as decoder:
        work: list[Work] = [(file, None) for file in arguments.files]
        journal = None
        if folder is not None and targets is not None:
            journal = BatchJournal(folder, settings=_settings(engine, arguments, options))
            work = _unfinished(journal, arguments, targets)
        batch = FileBatch(
            engine=engine,
            decoder=decoder,
            options=options,
            output_format=arguments.format,
            subtitles=subtitles,
            say=_say,
            journal=journal,
        )
        answered = [_tell(outcome) for outcome in batch.run(work)]
    return ALL_ANSWERED if all(answered) else SOME_FAILED


def _tell(outcome: Outcome) -> bool:
    """Hand on what a file gave: -> whether it was answered."""
    for note in outcome.notes:
        _say(note)
    if outcome.to_reader:
        _write(outcome.content)
    return not outcome.failed


def _say(note: str) -> None:
    """A line for whoever watches, at once."""
    print(note, file=sys.stderr, flush=True)


def _decoder(engine: SpeechEngine, arguments: argparse.Namespace) -> Decoder:
    at_once = max(MOST_WORKERS, engine.recordings_at_once)
    return Decoder(limits=DecodeLimits(duration_s=arguments.max_duration_s), at_once=at_once)


def _watch(arguments: argparse.Namespace) -> int:
    """Watch a folder until SIGINT or SIGTERM, or, with --once, until all of it is done."""
    if arguments.format not in OUTPUTS:
        raise UnknownFormatError(output_format=arguments.format, known=OUTPUTS)
    options = WatchOptions(
        folder=arguments.folder,
        output=arguments.output,
        output_format=arguments.format,
        write=partial(written, output_format=arguments.format, subtitles=chosen_subtitles(arguments)),
        transcribe=chosen_options(arguments),
        once=arguments.once,
        redo=arguments.redo,
        settle_s=arguments.settle_s,
    )
    asked_to_stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: asked_to_stop.append(number))
    with closing(build_engine(arguments)) as engine, closing(_decoder(engine, arguments)) as decoder:
        decoder.warm_up()
        engine.warm_up()
        watcher = Watcher(engine, decoder, options, say=_say, is_stopping=lambda: bool(asked_to_stop))
        watcher.run()
    return SOME_FAILED if arguments.once and watcher.failed else ALL_ANSWERED


def _settings(engine: SpeechEngine, arguments: argparse.Namespace, options: TranscribeOptions) -> dict[str, Any]:
    """All that a result depends on beside the recording."""
    manifest = engine.bundle.manifest_sha256 if engine.address is None else engine.bundle.version
    about_the_run = ("command", "files", "output_dir", "bundle", "threads", "slim", "yes", "redo", "max_duration_s", "list_tracks")
    parsed = options.to_dict()
    settings = {name: parsed.get(name, value) for name, value in vars(arguments).items() if name not in about_the_run}
    return {**settings, "precision": engine.precision, "manifest": manifest}


def _unfinished(journal: BatchJournal, arguments: argparse.Namespace, targets: Sequence[Path]) -> list[Work]:
    """The files that an earlier run of the same batch has not finished."""
    left: list[Work] = []
    for file, target in zip(arguments.files, targets, strict=True):
        if arguments.redo or is_piped(file) or not journal.is_finished(Path(file), target):
            left.append((file, target))
        else:
            _say(f"{printable(file)} -> {printable(str(target))} (finished before; --redo does it again)")
    return left


def _write(content: str | bytes) -> None:
    """A result to stdout, text as UTF-8 whatever the terminal says, and at once: a batch that is stopped keeps what it has."""
    try:
        sys.stdout.buffer.write(content.encode("utf-8") if isinstance(content, str) else content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # whoever read has gone, which main knows
    except OSError as error:
        _quiet_pipe(sys.stdout)  # what is left in the buffer has no place to go at the end either
        raise OutputError(path="to standard output", reason=error.strerror or type(error).__name__) from error


def _quiet_pipe(stream: TextIO) -> None:
    """Leave without a traceback when whoever read our output has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command: 0 all answered, 1 some file failed, 2 nothing could be run."""
    chosen = _parser().parse_args(_with_command(sys.argv[1:] if arguments is None else arguments))
    try:
        if chosen.command == "bundles":
            return _list_bundles()
        if chosen.command == "watch":
            return _watch(chosen)
        return _transcribe(chosen) if chosen.command == "transcribe" else _serve(chosen)
    except OutputError as error:  # the results before it are there; the next one would have no room either
        print(error, file=sys.stderr)
        return SOME_FAILED
    except LightVoiceError as error:
        print(error, file=sys.stderr)
        return NOTHING_RUN
    except BrokenPipeError:
        _quiet_pipe(sys.stdout)
        return SOME_FAILED
    except KeyboardInterrupt:
        return SOME_FAILED


if __name__ == "__main__":
    sys.exit(main())
