"""What a server takes in memory with its models open, measured in a fresh process: the slim page beside the full one."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 180
#: What each process runs. Not an import: the server imports this module.
_CHILD = "import json, sys; from ui.slim.server_memory import server_memory; sys.stdout.write(json.dumps(server_memory(*sys.argv[1:])))"


class ProbeError(RuntimeError):
    """A process that was to be measured ended early."""


@dataclass(frozen=True)
class Footprint:
    """RSS in MB, and how many Python modules were loaded."""

    rss_mb: float
    modules: int


@dataclass(frozen=True)
class Saving:
    """The two pages with the same models."""

    slim: Footprint
    full: Footprint

    @property
    def saved_mb(self) -> float:
        """How much less the slim page takes."""
        return self.full.rss_mb - self.slim.rss_mb

    @property
    def share(self) -> float:
        """The same as a share of the full page's memory."""
        return self.saved_mb / self.full.rss_mb


def measure_saving(folder: Path, precision: str) -> Saving:
    """Start both, one after the other; ProbeError when one does not come up."""
    return Saving(*(_footprint(kind, folder, precision) for kind in ("slim", "full")))


def _footprint(kind: str, folder: Path, precision: str) -> Footprint:
    try:
        done = subprocess.run(  # noqa: S603 - this Python, our own code
            [sys.executable, "-c", _CHILD, kind, str(folder), precision],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise ProbeError((error.stderr.strip().splitlines() or [f"exit status {error.returncode}"])[-1]) from error
    except subprocess.TimeoutExpired as error:
        raise ProbeError(f"nothing after {LIMIT_S} s") from error
    return Footprint(**json.loads(done.stdout))
