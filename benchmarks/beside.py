"""A benchmark on this working tree and on another commit, in turns on the same machine: both figures and their ratio.

    python -m benchmarks.beside [--rounds 3] [--json FILE] COMMIT BENCHMARK ARGUMENT…

    python -m benchmarks.beside 2c227b1 callers BUNDLE --audio FILE --precision int8 fp32 --rounds 1
    python -m benchmarks.beside 2c227b1 long_audio BUNDLE --data DATA --minutes 10
    python -m benchmarks.beside 2c227b1 peers WORK --data DATA --peers-python PYTHON --rounds 1 --only "ours int8" "sherpa-onnx QUInt8"

The other commit's ``engine`` and ``models`` are measured by this tree's ``benchmarks``: one way of measuring, two engines. Each run is a
process of its own. A machine is never quiet for long: the ratio is the median of the rounds' own ratios.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.command_line import markdown_table, write_figures
from engine.bundle_roots import ROOT

#: What of a commit is measured.
MEASURED = ("engine", "models")


def check_out(commit: str, folder: Path) -> None:
    """The measured part of a commit with this tree's benchmarks beside it. SystemExit where git does not know the commit."""
    command = ["git", "archive", commit, *MEASURED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)  # noqa: S603 - a commit that the caller named
    if done.returncode:
        raise SystemExit(done.stderr.decode(errors="replace"))
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks")


def numbers_in(figures: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a benchmark's JSON under the path of its keys; an object in a list goes by its ``name`` or its place."""
    match figures:
        case bool() | str() | None:
            return
        case int() | float():
            yield name.strip("."), float(figures)
        case Mapping():
            for key, value in figures.items():
                yield from numbers_in(value, f"{name}.{key}")
        case Sequence():
            for place, value in enumerate(figures):
                key = value.get("name", value.get("what", place)) if isinstance(value, Mapping) else place
                yield from numbers_in(value, f"{name}.{key}")


def measured_in(tree: Path, benchmark: str, arguments: Sequence[str]) -> dict[str, float]:
    """One run of a benchmark in a tree. SystemExit where it fails."""
    with tempfile.TemporaryDirectory(prefix="lightvoice-beside-") as folder:
        result = Path(folder) / "figures.json"
        command = [sys.executable, "-m", f"benchmarks.{benchmark}", *arguments, "--json", str(result)]
        done = subprocess.run(command, cwd=tree, check=False)  # noqa: S603 - this Python, our own code
        if done.returncode or not result.exists():
            raise SystemExit(f"{' '.join(command)} in {tree} ended with {done.returncode}")
        return dict(numbers_in(json.loads(result.read_text(encoding="utf-8"))))


def compared(rounds: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """By figure: the medians of the commit's and of this tree's, and the median of the rounds' ratios, this tree's over the commit's."""
    found = {}
    for figure in rounds[0][0]:
        pairs = [(there[figure], here[figure]) for there, here in rounds if figure in there and figure in here]
        ratios = [here / there for there, here in pairs if there]
        if pairs and ratios:
            there, here = (statistics.median(values) for values in zip(*pairs, strict=True))
            found[figure] = {"commit": there, "here": here, "ratio": statistics.median(ratios)}
    return found


def main() -> None:
    """Measure in turns, print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.beside", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("commit")
    parser.add_argument("benchmark", help="callers, long_audio, peers, …")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="the benchmark's own; paths absolute")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lightvoice-commit-") as folder:
        other = Path(folder)
        check_out(chosen.commit, other)
        rounds = []
        for number in range(chosen.rounds):
            trees = (other, ROOT) if number % 2 == 0 else (ROOT, other)
            found = {tree: measured_in(tree, chosen.benchmark, chosen.arguments) for tree in trees}
            rounds.append((found[other], found[ROOT]))
    figures = compared(rounds)
    rows = [[name, f"{one['commit']:.4g}", f"{one['here']:.4g}", f"{one['ratio']:.3f}"] for name, one in figures.items()]
    print(markdown_table(["figure", chosen.commit, "here", "here / there"], rows))
    write_figures(chosen.json, {"commit": chosen.commit, "rounds": chosen.rounds, "figures": figures})


if __name__ == "__main__":
    main()
