"""What `./run.sh` downloads and how long it takes until the page answers, in a fresh clone: the first start and the next one.

    python -m benchmarks.first_start [--revision COMMIT] [--json FILE]

pip's cache is not used, so every megabyte is downloaded; from where is pip's own setting. ``--revision`` measures an older commit the same
way. Torch's build is not chosen here: an older commit may bring CUDA's, of several GB, where the package index has it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import IO, cast

from benchmarks.command_line import figures_parser, write_figures
from engine.bundle_roots import ROOT
from engine.files.sizes import BYTES_PER_MB

DOWNLOADED = re.compile(r"Downloading \S+ \(([\d.]+) (kB|MB|GB)\)")
MB = {"kB": 0.001, "MB": 1.0, "GB": 1000.0}
ADDRESS = re.compile(r"http://[\w.:]+")


def clone(folder: Path, revision: str) -> None:
    """A fresh clone of this repository at a revision."""
    git = shutil.which("git") or "git"
    for command in ([git, "clone", "--quiet", str(ROOT), str(folder)], [git, "-C", str(folder), "checkout", "--quiet", revision]):
        subprocess.run(command, check=True)  # noqa: S603 - git with our own folders


def seconds_to_page(folder: Path) -> float:
    """Start ``./run.sh`` and stop it when the page has answered."""
    began = time.perf_counter()
    environment = os.environ | {"PIP_NO_CACHE_DIR": "1", "LIGHTVOICE_BUNDLES": str(folder / "none")}
    process = subprocess.Popen(
        ["./run.sh", "--port", "0"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines = cast("IO[str]", process.stdout)
    try:
        address = next(found.group() for line in lines if (found := ADDRESS.search(line)) and "LightVoice:" in line)
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - our own server
            answer.read()
        return time.perf_counter() - began
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def size_mb(folder: Path) -> float:
    """The MB of all files under a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) / BYTES_PER_MB


def main() -> None:
    """See the module."""
    parser = figures_parser("first_start", __doc__)
    parser.add_argument("--revision", default="HEAD")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "lightvoice"
        clone(folder, options.revision)
        first, second = seconds_to_page(folder), seconds_to_page(folder)
        log = (folder / ".venv" / "install.log").read_text(encoding="utf-8", errors="replace")
        figures = {
            "first_start_s": first,
            "next_start_s": second,
            "downloaded_mb": sum(float(value) * MB[unit] for value, unit in DOWNLOADED.findall(log)),
            "venv_mb": size_mb(folder / ".venv"),
        }
    for name, value in figures.items():
        print(f"{name:16}{value:10.1f}")
    write_figures(options.json, figures)


if __name__ == "__main__":
    main()
