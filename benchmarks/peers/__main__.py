"""Our engine beside every runtime that reads the same model: start, speed, memory, on the same machine and the same audio.

    python -m benchmarks.peers WORK --data DIR --peers-python VENV/bin/python [--rounds 3] [--only NAME…]
        [--json FILE] [--markdown FILE] [--plot FILE]

WORK keeps what is loaded (see :mod:`benchmarks.peers.material`; made on the first run, 10 minutes and 7 GB at full size). The peers'
Python is a venv with benchmarks/requirements.txt in it. Whoever cannot run is a row that says why.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.peers.contenders import contenders
from benchmarks.peers.measuring import Plan, measure
from benchmarks.peers.report import plot, to_json, to_markdown
from benchmarks.peers.result import Row
from engine.runtime.cores import default_threads
from models.benchmark.machine import this_machine

PINNED = Path(__file__).resolve().parent.parent / "requirements.txt"
FILE_S = 600


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path, metavar="WORK", help="folder for what is loaded")
    parser.add_argument("--data", type=Path, required=True, help="recordings and FSMN-VAD, laid out as the data folder of the tests")
    parser.add_argument("--peers-python", type=Path, required=True, help="Python of the venv with benchmarks/requirements.txt")
    parser.add_argument("--size", choices=("full", "tiny"), default="full", help="tiny tries the benchmark itself (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each row (default: %(default)s)")
    parser.add_argument(
        "--whole-rounds", type=int, default=1, help="of these, how many also read the long file and have callers (default: %(default)s)"
    )
    parser.add_argument("--file-s", type=int, default=FILE_S, help="length of the long file in seconds (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each clip in a process (default: %(default)s)")
    parser.add_argument("--callers", type=int, default=8, help="callers at once; 0 leaves them out (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="threads of each runtime (default: physical cores)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows whose name begins so")
    parser.add_argument("--note", default="", help="what else ran on the machine, for the report")
    for kind in ("json", "markdown", "plot"):
        parser.add_argument(f"--{kind}", type=Path)
    return parser


def _versions(python: Path) -> str:
    """What the peers' venv holds of the pinned packages, as pip says it."""
    names = [line.split("==")[0].lower() for line in PINNED.read_text(encoding="utf-8").splitlines() if "==" in line]
    done = subprocess.run([str(python), "-m", "pip", "freeze"], capture_output=True, text=True, check=False)  # noqa: S603 - named by the caller
    return ", ".join(line for line in done.stdout.splitlines() if line.split("==")[0].lower().replace("_", "-") in names)


def main() -> None:
    """Prepare, measure, print, and write what was asked for."""
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    from benchmarks.peers.material import prepare  # noqa: PLC0415 - loads torch; --help does not wait for it

    folder = arguments.work.absolute()
    file = prepare(folder, data=arguments.data, peers_python=arguments.peers_python, file_s=arguments.file_s, size=arguments.size)
    chosen = contenders(folder)
    if arguments.only:
        chosen = tuple(one for one in chosen if one.name.startswith(tuple(arguments.only)))
    threads = arguments.threads or default_threads()
    plan = Plan(
        folder=folder,
        file=file,
        peers_python=arguments.peers_python.absolute(),
        threads=threads,
        rounds=arguments.rounds,
        whole_rounds=arguments.whole_rounds,
        repeats=arguments.repeats,
        callers=arguments.callers,
    )
    began = datetime.now(UTC)

    def write(rows: list[Row]) -> str:
        conditions = {
            "machine": str(this_machine()),
            "threads": threads,
            "rounds": f"{max(len(row.rounds) for row in rows)} ({arguments.whole_rounds} with callers and a file of {arguments.file_s} s)",
            "took": f"{(datetime.now(UTC) - began).total_seconds() / 60:.0f} minutes",
            "peers": versions,
        }
        if arguments.note:
            conditions["note"] = arguments.note
        text = to_markdown(rows, conditions=conditions)
        for path, content in ((arguments.json, to_json(rows, conditions=conditions)), (arguments.markdown, text)):
            if path is not None:
                path.write_text(content, encoding="utf-8")
        if arguments.plot is not None:
            plot(rows, arguments.plot)
        return text

    versions = _versions(arguments.peers_python.absolute())
    print(write(measure(chosen, plan, after_round=write)))


if __name__ == "__main__":
    main()
