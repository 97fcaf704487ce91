"""What the command lines of all benchmarks have in common: options, child processes, tables, bars, and the figures as JSON."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.bundle_roots import ROOT


def figures_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """The parser of ``python -m benchmarks.NAME``, with ``--json FILE`` for its figures."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    return parser


def write_figures(path: Path | None, figures: Any) -> None:
    """Write them as indented JSON; nothing without a path. OSError where it cannot be written, TypeError for what JSON cannot hold."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def run_in_process(*arguments: object) -> dict[str, Any]:
    """This Python anew with the arguments: the JSON object on the last line of its output. SystemExit with its errors where it fails."""
    command = [sys.executable, *(str(argument) for argument in arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - this Python, our own code
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def markdown_table(titles: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table, its first column of text and the others of numbers; a bar within a cell becomes a space."""
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', ' ') for cell in line)} |" for line in lines)


def print_bar(what: str, measured: float, limit: float) -> None:
    """Whether a figure keeps within its limit."""
    print(f"{'met' if measured <= limit else 'missed':7}{what}: {measured:.4g}, bar {limit:g}")
