"""Which packages a command of ``python -m models`` needs beside those of the page, told from its arguments alone.

``run.sh`` asks before it runs a command, and the page before it starts a job; nothing heavy is loaded here, and nothing is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
import zipfile
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from engine.errors import LightVoiceError
from models.fetch.catalog import find_model
from models.jobs.command_line import parsed_arguments

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = "model.pt"
#: How far below a folder `import` looks for models, and where FSMN-VAD may lie beside it.
DEPTH = 3
VAD_BESIDE = "*vad*"


class Packages(StrEnum):
    """The sets that ``run.sh`` knows."""

    NONE = "none"
    LIGHT = "light"
    FULL = "full"


#: One module of each package that a set must have brought.
MODULES = {
    Packages.NONE: (),
    Packages.LIGHT: ("onnx", "modelscope_hub", "huggingface_hub", "yaml", "jiwer"),
    Packages.FULL: ("torch", "onnx", "sentencepiece", "modelscope", "huggingface_hub"),
}
#: Commands that run no network of PyTorch.
WITHOUT_TORCH = ("self-test", "evaluate", "benchmark")


def packages_for(arguments: Sequence[str]) -> Packages:
    """What a command line needs; NONE for one that is wrong or asks for help, which the command itself answers."""
    if not arguments or {"-h", "--help"}.intersection(arguments):
        return Packages.NONE
    try:
        return _needed(parsed_arguments(arguments))
    except LightVoiceError:
        return Packages.NONE


def missing(packages: Packages) -> tuple[str, ...]:
    """The modules of a set that cannot be found here."""
    return tuple(name for name in MODULES[packages] if importlib.util.find_spec(name) is None)


def installer(*, yes: bool) -> tuple[str, ...] | None:
    """The command that runs ``python -m models`` after it has installed what is missing, without a question if ``yes``; None where this
    Python is not run.sh's own.
    """
    script, shell = ROOT / "run.sh", shutil.which("bash")
    own = (ROOT / ".venv").is_dir() and Path(sys.prefix).resolve() == (ROOT / ".venv").resolve()
    if os.name != "posix" or shell is None or not own or not script.is_file():
        return None
    return (shell, str(script), *(["--yes"] if yes else []), "models")


def program(arguments: Sequence[str], *, yes: bool) -> tuple[str, ...]:
    """What stands before the arguments of a command: this Python, or run.sh where packages have to come first."""
    with_packages = installer(yes=yes) if missing(packages_for(arguments)) else None
    return with_packages or (sys.executable, "-m", "models")


def _needed(arguments: argparse.Namespace) -> Packages:
    command = arguments.command
    if command == "advise" or (command == "fetch" and arguments.name == "list"):
        return Packages.NONE
    if command == "fetch":
        model = find_model(arguments.name, edition=arguments.edition)
        parts = (part for origin in model.origins.values() for part in (origin.asr, origin.vad))
        light = not any(CHECKPOINT in part.files for part in parts)
    elif command == "import":
        if not arguments.path.exists():
            return Packages.NONE
        light = not any(_has_checkpoint(place) for place in _places(arguments))
    else:
        light = command in WITHOUT_TORCH and getattr(arguments, "plots", None) is None
    return Packages.LIGHT if light else Packages.FULL


def _places(arguments: argparse.Namespace) -> list[Path]:
    """Where an import may find a checkpoint of PyTorch: what was named, and the folders of VADs beside it where none was named."""
    path: Path = arguments.path.absolute()
    if arguments.vad is not None:
        return [path, arguments.vad]
    home = path if path.is_dir() else path.parent
    return [path, *(place for place in (*home.glob(VAD_BESIDE), *home.parent.glob(VAD_BESIDE)) if place.is_dir())]


def _has_checkpoint(path: Path) -> bool:
    """Whether a folder or a zip holds a checkpoint. A tar would have to be unpacked to tell; the known ones are ready-made."""
    if path.is_dir():
        return any(any(path.glob("*/" * depth + CHECKPOINT)) for depth in range(DEPTH + 1))
    if path.suffix.lower() == ".zip" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(name.rsplit("/", maxsplit=1)[-1] == CHECKPOINT for name in archive.namelist())
    return path.suffix.lower() == ".pt"
