"""The workshop: fetch official checkpoints, turn them into bundles the page can load, and measure them."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn

from engine.errors import OptionError
from models.fetch.catalog import Source
from models.quantize.recipe_names import RecipeName


class _Checking(argparse.ArgumentParser):
    """Raises what the command line would print before it exits."""

    def error(self, message: str) -> NoReturn:
        raise OptionError(message)


def check_arguments(arguments: Sequence[str]) -> None:
    """OptionError unless ``python -m models`` takes these arguments."""
    if any("\0" in argument for argument in arguments):
        raise OptionError(f"{list(arguments)} hold a zero character, which no program can be given; leave it out")
    parsed_arguments(arguments)


def parsed_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments of ``python -m models``; OptionError where it does not take them."""
    return parser(_Checking).parse_args(arguments)


def parser(kind: type[argparse.ArgumentParser] = argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser of every command; the parsed arguments hold the command's name as ``command``."""
    parser = kind(prog="python -m models", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_fetching, _add_making, _add_quantizing, _add_measuring):
        add(commands)
    return parser


def _command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    return command


def _add_fetching(commands: Any) -> None:
    fetch = _command(commands, "fetch", "download a known model and make a bundle of it")
    fetch.add_argument("name", help="sensevoice-small, or another name of the catalog (`fetch list` shows them)")
    fetch.add_argument("--edition", help="of sensevoice-small: int8 (242 MB, for most people), fp32, onnx or sherpa (see `fetch list`)")
    fetch.add_argument("--source", choices=_names(Source), help="hub to ask (default: the one that answers first)")
    fetch.add_argument("--output", type=Path, help="bundle folder to write (default: among the installed bundles)")
    fetch.add_argument("--check", action="store_true", help="then run the self-test on the example recordings that come with it")
    bring = _command(commands, "import", "make a bundle of a local model: official checkpoint, FunASR's or sherpa-onnx's ONNX")
    bring.add_argument("path", type=Path, metavar="PATH", help="folder, archive (zip, tar.bz2, tar.gz) or single .onnx file")
    bring.add_argument("--output", type=Path, required=True, help="bundle folder to write")
    bring.add_argument("--vad", type=Path, help="folder with FSMN-VAD (default: in the first folder or beside it, else the starter's)")
    bring.add_argument("--name", help="name in bundle.json (default: after the folder's layout)")
    test = _command(commands, "self-test", "transcribe the official example recordings and compare with their known texts")
    test.add_argument("bundle", type=Path)
    test.add_argument("--recordings", type=Path, help="folder with the examples (default: where fetch left them)")
    test.add_argument("--json", type=Path, help="write the figures here")


def _add_making(commands: Any) -> None:
    random = _command(commands, "random-checkpoint", "write a checkpoint in the official layout with random weights")
    random.add_argument("folder", type=Path)
    random.add_argument("--size", choices=("full", "tiny"), default="full", help="full: SenseVoice-Small's 234 M parameters (default)")
    export = _command(commands, "export", "official checkpoint → bundle with FP32 graphs, each checked against its network")
    export.add_argument("checkpoint", type=Path, help="folder with SenseVoice-Small's model.pt, config.yaml, am.mvn and bpe model")
    export.add_argument("--vad", type=Path, help="folder with FSMN-VAD's checkpoint (default: vad/ in the first folder)")
    export.add_argument("--output", type=Path, required=True, help="bundle folder to write")
    export.add_argument("--name", default="sensevoice-small", help="name in bundle.json (default: %(default)s)")
    export.add_argument("--logits", action="store_true", help="add logits/, which sherpa-onnx and funasr-onnx load")
    export.add_argument("--gpu", action="store_true", help="add the variant fp32-batch, which masks batches of unequal lengths")


def _add_quantizing(commands: Any) -> None:
    quantize = _command(commands, "quantize", "add a smaller variant to a bundle")
    quantize.add_argument("bundle", type=Path)
    quantize.add_argument(
        "--recipe",
        choices=_names(RecipeName),
        default=RecipeName.DYNAMIC.value,
        help="how (default: %(default)s, the one lightweight mode uses)",
    )
    quantize.add_argument("--config", type=Path, metavar="FILE.yaml", help="settings of the recipe; models/README.md lists them")
    quantize.add_argument("--data", type=Path, help="folder of recordings to calibrate, tune or train with (default: the page's examples)")
    quantize.add_argument("--clips", type=_positive, help="how many clips to use")
    quantize.add_argument("--max-trials", type=_positive, help="auto: how many graphs to try (default: 30)")
    quantize.add_argument("--conv", action="store_true", help="mixed: convolutions in INT8 too, which costs time")
    quantize.add_argument("--as-default", action="store_true", help="write it as `int8`, so that lightweight mode uses it")
    prune = _command(commands, "prune", "add a variant whose smallest weights are zero; it compresses better and runs no faster")
    prune.add_argument("bundle", type=Path)
    prune.add_argument("--amount", type=_share, default=0.1, help="share of each layer's weights, between 0 and 1 (default: %(default)s)")
    prune.add_argument("--then-quantize", action="store_true", help="add its dynamic INT8 version too")
    for command in (quantize, prune):
        command.add_argument("--output", type=Path, help="leave BUNDLE as it is, and write a copy with the new variant here")
        command.add_argument("--json", type=Path, help="write the record here")


def _add_measuring(commands: Any) -> None:
    evaluate = _command(commands, "evaluate", "error rates, tags and VAD of a bundle's variants on recordings set aside for it")
    evaluate.add_argument("bundle", type=Path)
    evaluate.add_argument("--data", type=Path, required=True, help="folder with labels.tsv, or folder of such folders")
    evaluate.add_argument("--precisions", nargs="+", metavar="V", help="variants to compare (default: all)")
    evaluate.add_argument("--reference", default="fp32", help="variant the others are compared with (default: %(default)s)")
    evaluate.add_argument("--limit", type=_positive, help="at most this many recordings")
    evaluate.add_argument("--json", type=Path, help="write the figures here")
    evaluate.add_argument("--markdown", type=Path, help="write the table here")
    benchmark = _command(commands, "benchmark", "size, cold start, latency, RTF and memory, each precision in a fresh process")
    benchmark.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE")
    benchmark.add_argument("--precisions", nargs="+", metavar="V", help="variants to measure (default: all)")
    benchmark.add_argument("--audio", type=Path, help="recording to measure with (default: a synthetic one)")
    benchmark.add_argument("--repeats", type=_positive, default=7, help="runs of each length (default: %(default)s)")
    benchmark.add_argument("--rounds", type=_positive, default=2, help="processes of each precision (default: %(default)s)")
    benchmark.add_argument("--durations", type=float, nargs="+", default=[3, 5, 10, 30], metavar="SECONDS", help="clip lengths")
    benchmark.add_argument("--soak", type=float, default=0.0, metavar="SECONDS", help="watch the temperature this long (600: ten minutes)")
    benchmark.add_argument("--threads", type=_positive, help="threads of each model (default: physical cores)")
    benchmark.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    benchmark.add_argument("--evaluation", type=Path, metavar="FILE.json", help="what `evaluate --json` wrote, for the rows on accuracy")
    benchmark.add_argument("--json", type=Path, help="write the figures here")
    benchmark.add_argument("--markdown", type=Path, help="write the tables here")
    benchmark.add_argument("--plots", type=Path, help="write PNG files into this folder")
    _command(commands, "advise", "which precision suits this machine, and why")


def _names(known: type[StrEnum]) -> list[str]:
    return [entry.value for entry in known]


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share between 0 and 1, such as 0.1")
    return share
