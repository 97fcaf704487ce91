"""`python -m models`: runs one command of :mod:`models.jobs.command_line`."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.errors import LightVoiceError, OptionError, first_line
from models.jobs.command_line import parser
from models.jobs.failure_kind import kind_of
from models.jobs.packages import packages_for
from models.jobs.progress import report_failure

log = logging.getLogger(__name__)

DONE, FAILED, INTERRUPTED, TERMINATED = 0, 1, 130, 143


def _fetch(arguments: argparse.Namespace) -> None:
    from models.fetch.catalog import CATALOG
    from models.fetch.fetch import fetch
    from models.jobs.progress import report

    if arguments.name == "list":
        for model in CATALOG.values():
            print(f"{model.name}  (sensevoice-small --edition {model.edition})\n  {model.title}\n  {model.licence}")
        return
    bundle = fetch(arguments.name, edition=arguments.edition, source=arguments.source, output=arguments.output, progress=report)
    if arguments.check:
        _check(bundle)
    _made(bundle)


def _check(bundle: Path) -> None:
    """Run the self-test on a bundle that was just fetched; a source without recordings is no fault of the bundle."""
    from engine.errors import AudioError
    from models.evaluate.self_test import CHECKING, RecordingsMissingError, self_test
    from models.jobs.progress import Check, report, report_check

    report(None, CHECKING)
    try:
        found = self_test(bundle)
    except (AudioError, RecordingsMissingError) as error:
        log.warning("not checked: %s", first_line(error))
        return
    print(found.to_markdown())
    log.info("%s", found.verdict)
    report_check(Check(passed=found.passed_rows, tested=found.rows))


def _import(arguments: argparse.Namespace) -> None:
    if not arguments.path.exists():
        raise OptionError(f"there is no folder or file {arguments.path}; check the path")
    from models.export.import_folder import import_folder

    _made(import_folder(arguments.path, arguments.output, vad_folder=arguments.vad, name=arguments.name))


def _self_test(arguments: argparse.Namespace) -> int:
    from models.evaluate.self_test import self_test

    report = self_test(arguments.bundle, recordings=arguments.recordings)
    _write_json(arguments.json, report.to_dict())
    print(report.to_markdown())
    log.info("%s; the text above is made to be pasted into an issue", report.verdict)
    return DONE if report.passed else FAILED


def _random_checkpoint(arguments: argparse.Namespace) -> None:
    from models.networks.random_checkpoint import write_random_checkpoint

    write_random_checkpoint(arguments.folder, size=arguments.size)
    _made(arguments.folder)


def _export(arguments: argparse.Namespace) -> None:
    from models.export.assemble import assemble

    _made(
        assemble(
            arguments.checkpoint,
            arguments.output,
            vad_folder=arguments.vad,
            name=arguments.name,
            logits=arguments.logits,
            gpu=arguments.gpu,
        )
    )


def _quantize(arguments: argparse.Namespace) -> None:
    from models.bundle.copy import bundle_to_change
    from models.quantize.recipe_names import RecipeName
    from models.quantize.recipes import QuantizeOptions, run

    names = ("config", "data", "clips", "max_trials", "conv", "as_default")
    with bundle_to_change(arguments.bundle, arguments.output) as folder:
        options = {name: getattr(arguments, name) for name in names}
        record = run(QuantizeOptions(bundle=folder, recipe=RecipeName(arguments.recipe), **options))
    _write_json(arguments.json, record)
    _made(arguments.output or arguments.bundle)


def _prune(arguments: argparse.Namespace) -> None:
    from models.bundle.copy import bundle_to_change
    from models.jobs.progress import report_result
    from models.quantize.prune import prune, to_markdown

    with bundle_to_change(arguments.bundle, arguments.output) as folder:
        record = prune(folder, amount=arguments.amount, then_quantize=arguments.then_quantize)
    _write_json(arguments.json, record)
    report_result(arguments.output or arguments.bundle)
    print(to_markdown(record))


def _evaluate(arguments: argparse.Namespace) -> None:
    from models.evaluate.evaluate import evaluate

    result = evaluate(
        arguments.bundle,
        arguments.data,
        precisions=arguments.precisions,
        reference=arguments.reference,
        limit=arguments.limit,
    )
    _write_json(arguments.json, result.to_json())
    _write_text(arguments.markdown, result.to_markdown())
    print(result.to_markdown())


def _benchmark(arguments: argparse.Namespace) -> None:
    from models.benchmark.benchmark import benchmark
    from models.benchmark.report import plots, to_json, to_markdown

    evaluation = None if arguments.evaluation is None else _read_json(arguments.evaluation)
    result = benchmark(
        arguments.bundles,
        precisions=arguments.precisions,
        audio=arguments.audio,
        durations_s=arguments.durations,
        repeats=arguments.repeats,
        rounds=arguments.rounds,
        soak_s=arguments.soak,
        threads=arguments.threads,
        device=arguments.device,
    )
    _write_text(arguments.json, to_json(result, evaluation=evaluation))
    _write_text(arguments.markdown, to_markdown(result, evaluation=evaluation))
    if arguments.plots is not None:
        plots(result, arguments.plots)
    print(to_markdown(result, evaluation=evaluation))


def _advise(_: argparse.Namespace) -> None:
    from engine.runtime.advisor import advise

    print(advise())


def _made(path: Path) -> None:
    """Say what was written: to a person on standard output, to a program that watches on its own line."""
    from models.jobs.progress import report_result

    report_result(path)
    print(path)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise OptionError(f"{path} is no JSON ({error}); name the file that `evaluate --json` wrote") from error


def _stop(*_: object) -> None:
    """SIGTERM ends the command as an exception, so that it removes what it has half made."""
    sys.exit(TERMINATED)


def _write_json(path: Path | None, value: Any) -> None:
    if path is not None:
        _write_text(path, json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n")


def _write_text(path: Path | None, text: str) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _words(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"the disk of {error.filename or 'the output'} is full; free some space or choose a folder on another disk, then start again"
    return first_line(error) if str(error).strip() else f"the system refused something and gave no reason ({first_line(error)})"


COMMANDS: dict[str, Callable[[argparse.Namespace], int | None]] = {
    "fetch": _fetch,
    "import": _import,
    "self-test": _self_test,
    "random-checkpoint": _random_checkpoint,
    "export": _export,
    "quantize": _quantize,
    "prune": _prune,
    "evaluate": _evaluate,
    "benchmark": _benchmark,
    "advise": _advise,
}


def main() -> int:
    """Run one command: 0 when done, 1 with one line when it failed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    signal.signal(signal.SIGTERM, _stop)
    if sys.argv[1:2] == ["--packages"]:  # what run.sh asks before it runs a command
        print(packages_for(sys.argv[2:]))
        return DONE
    try:
        arguments = parser().parse_args()
        code = COMMANDS[arguments.command](arguments)
    except ModuleNotFoundError as error:
        report_failure(kind_of(error))
        print(f"this command needs {error.name}, which is not installed; install it with ./run.sh --full-install", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("stopped; what was finished is kept", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        report_failure(kind_of(error))
        print(_words(error), file=sys.stderr)
        return FAILED
    except LightVoiceError as error:
        report_failure(kind_of(error))
        print(first_line(error), file=sys.stderr)
        return FAILED
    return DONE if code is None else code


if __name__ == "__main__":
    sys.exit(main())
