"""`python -m models`: the workshop that fetches official checkpoints, turns them into bundles the page can load, and measures them."""

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

DONE, FAILED, INTERRUPTED, TERMINATED = 0, 1, 130, 143
RECIPES = ("dynamic", "static", "mixed", "auto", "qat", "fp16")

Run = Callable[[argparse.Namespace], Any]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_fetching, _add_making, _add_quantizing, _add_measuring):
        add(commands)
    return parser


def _command(commands: Any, name: str, run: Run, text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=run)
    return command


def _add_fetching(commands: Any) -> None:
    fetch = _command(commands, "fetch", _fetch, "download a known model and make a bundle of it")
    fetch.add_argument("name", help="sensevoice-small, or another name of the catalog (`fetch list` shows them)")
    fetch.add_argument("--edition", help="of sensevoice-small: int8 (242 MB, for most people), fp32, onnx or sherpa (see `fetch list`)")
    fetch.add_argument("--source", choices=("modelscope", "huggingface"), help="hub to ask (default: ModelScope, then Hugging Face)")
    fetch.add_argument("--output", type=Path, help="bundle folder to write (default: among the installed bundles)")
    bring = _command(commands, "import", _import, "make a bundle of a local model: official checkpoint, FunASR's or sherpa-onnx's ONNX")
    bring.add_argument("path", type=Path, metavar="PATH", help="folder, archive (zip, tar.bz2, tar.gz) or single .onnx file")
    bring.add_argument("--output", type=Path, required=True, help="bundle folder to write")
    bring.add_argument("--vad", type=Path, help="folder with FSMN-VAD (default: in the first folder or beside it, else the starter's)")
    bring.add_argument("--name", help="name in bundle.json (default: after the folder's layout)")
    test = _command(commands, "self-test", _self_test, "transcribe the official example recordings and compare with their known texts")
    test.add_argument("bundle", type=Path)
    test.add_argument("--recordings", type=Path, help="folder with the examples (default: where fetch left them)")
    test.add_argument("--json", type=Path, help="write the figures here")


def _add_making(commands: Any) -> None:
    random = _command(commands, "random-checkpoint", _random_checkpoint, "write a checkpoint in the official layout with random weights")
    random.add_argument("folder", type=Path)
    random.add_argument("--size", choices=("full", "tiny"), default="full", help="full: SenseVoice-Small's 234 M parameters (default)")
    export = _command(commands, "export", _export, "official checkpoint → bundle with FP32 graphs, each checked against its network")
    export.add_argument("checkpoint", type=Path, help="folder with SenseVoice-Small's model.pt, config.yaml, am.mvn and bpe model")
    export.add_argument("--vad", type=Path, help="folder with FSMN-VAD's checkpoint (default: vad/ in the first folder)")
    export.add_argument("--output", type=Path, required=True, help="bundle folder to write")
    export.add_argument("--name", default="sensevoice-small", help="name in bundle.json (default: %(default)s)")
    export.add_argument("--logits", action="store_true", help="add logits/, which sherpa-onnx and funasr-onnx load")
    export.add_argument("--gpu", action="store_true", help="add the variant fp32-batch, which masks batches of unequal lengths")


def _add_quantizing(commands: Any) -> None:
    quantize = _command(commands, "quantize", _quantize, "add a smaller variant to a bundle")
    quantize.add_argument("bundle", type=Path)
    quantize.add_argument("--recipe", choices=RECIPES, default="dynamic", help="how (default: %(default)s, the one lightweight mode uses)")
    quantize.add_argument("--config", type=Path, metavar="FILE.yaml", help="settings of the recipe; models/README.md lists them")
    quantize.add_argument("--data", type=Path, help="folder of recordings to calibrate, tune or train with (default: the page's examples)")
    quantize.add_argument("--clips", type=_positive, help="how many clips to listen to")
    quantize.add_argument("--max-trials", type=_positive, help="auto: how many graphs to try (default: 30)")
    quantize.add_argument("--conv", action="store_true", help="mixed: convolutions in INT8 too, which costs time")
    quantize.add_argument("--as-default", action="store_true", help="write it as `int8`, so that lightweight mode uses it")
    prune = _command(commands, "prune", _prune, "add a variant whose smallest weights are zero; it compresses better and runs no faster")
    prune.add_argument("bundle", type=Path)
    prune.add_argument("--amount", type=float, default=0.1, help="share of each layer's weights, between 0 and 1 (default: %(default)s)")
    prune.add_argument("--then-quantize", action="store_true", help="add its dynamic INT8 version too")
    for command in (quantize, prune):
        command.add_argument("--output", type=Path, help="leave BUNDLE as it is, and write a copy with the new variant here")
        command.add_argument("--json", type=Path, help="write the record here")


def _add_measuring(commands: Any) -> None:
    evaluate = _command(commands, "evaluate", _evaluate, "error rates, tags and VAD of a bundle's variants on recordings set aside for it")
    evaluate.add_argument("bundle", type=Path)
    evaluate.add_argument("--data", type=Path, required=True, help="folder with labels.tsv, or folder of such folders")
    evaluate.add_argument("--precisions", nargs="+", metavar="V", help="variants to compare (default: all)")
    evaluate.add_argument("--reference", default="fp32", help="variant the others are compared with (default: %(default)s)")
    evaluate.add_argument("--limit", type=_positive, help="at most this many recordings")
    evaluate.add_argument("--json", type=Path, help="write the figures here")
    evaluate.add_argument("--markdown", type=Path, help="write the table here")
    benchmark = _command(commands, "benchmark", _benchmark, "size, cold start, latency, RTF and memory, each precision in a fresh process")
    benchmark.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE")
    benchmark.add_argument("--precisions", nargs="+", metavar="V", help="variants to measure (default: all)")
    benchmark.add_argument("--audio", type=Path, help="recording to measure with (default: a synthetic one)")
    benchmark.add_argument("--repeats", type=_positive, default=7, help="runs of each length (default: %(default)s)")
    benchmark.add_argument("--rounds", type=_positive, default=2, help="processes of each precision, taking turns (default: %(default)s)")
    benchmark.add_argument("--durations", type=float, nargs="+", default=[3, 5, 10, 30], metavar="SECONDS", help="clip lengths")
    benchmark.add_argument("--soak", type=float, default=0.0, metavar="SECONDS", help="watch the temperature this long (600: ten minutes)")
    benchmark.add_argument("--threads", type=_positive, help="threads of each model (default: physical cores)")
    benchmark.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    benchmark.add_argument("--evaluation", type=Path, metavar="FILE.json", help="what `evaluate --json` wrote, for the rows on accuracy")
    benchmark.add_argument("--json", type=Path, help="write the figures here")
    benchmark.add_argument("--markdown", type=Path, help="write the tables here")
    benchmark.add_argument("--plots", type=Path, help="write PNG files into this folder")
    _command(commands, "advise", _advise, "which precision suits this machine, and why")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def _fetch(arguments: argparse.Namespace) -> None:
    from models.fetch.catalog import CATALOG
    from models.fetch.fetch import fetch
    from models.jobs.progress import report

    if arguments.name == "list":
        for model in CATALOG.values():
            print(f"{model.name}  (sensevoice-small --edition {model.edition})\n  {model.title}\n  {model.licence}")
        return
    _made(fetch(arguments.name, edition=arguments.edition, source=arguments.source, output=arguments.output, progress=report))


def _import(arguments: argparse.Namespace) -> None:
    from models.export.import_folder import import_folder

    _made(import_folder(arguments.path, arguments.output, vad_folder=arguments.vad, name=arguments.name))


def _self_test(arguments: argparse.Namespace) -> int:
    from models.evaluate.self_test import self_test

    report = self_test(arguments.bundle, recordings=arguments.recordings)
    _write_json(arguments.json, report.to_dict())
    print(report.to_markdown())
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
    from models.quantize.recipes import Order, RecipeName, run

    with bundle_to_change(arguments.bundle, arguments.output) as folder:
        order = Order(
            bundle=folder,
            recipe=RecipeName(arguments.recipe),
            config=arguments.config,
            data=arguments.data,
            clips=arguments.clips,
            max_trials=arguments.max_trials,
            conv=arguments.conv,
            as_default=arguments.as_default,
        )
        record = run(order)
    _write_json(arguments.json, record)
    _made(arguments.output or arguments.bundle)


def _prune(arguments: argparse.Namespace) -> None:
    from models.bundle.copy import bundle_to_change
    from models.quantize.prune import prune, to_markdown

    with bundle_to_change(arguments.bundle, arguments.output) as folder:
        record = prune(folder, amount=arguments.amount, then_quantize=arguments.then_quantize)
    _write_json(arguments.json, record)
    print(to_markdown(record))


def _evaluate(arguments: argparse.Namespace) -> None:
    from models.evaluate.evaluate import evaluate
    from models.jobs.progress import report

    result = evaluate(
        arguments.bundle,
        arguments.data,
        precisions=arguments.precisions,
        reference=arguments.reference,
        limit=arguments.limit,
        progress=report,
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
    """A workshop that is told to stop cleans up behind itself."""
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


def main() -> int:
    """Run one command: 0 when done, 1 with one line when it failed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    signal.signal(signal.SIGTERM, _stop)
    try:
        arguments = _parser().parse_args()
        code = arguments.run(arguments)
    except ModuleNotFoundError as error:
        print(f"this command needs {error.name}, which a slim install lacks; complete it with ./run.sh --full-install", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("stopped; what was finished is kept", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        print(_words(error), file=sys.stderr)
        return FAILED
    except LightVoiceError as error:
        print(first_line(error), file=sys.stderr)
        return FAILED
    return DONE if code is None else code


if __name__ == "__main__":
    sys.exit(main())
