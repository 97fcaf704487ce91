"""A server as ``app.py`` starts it, in a process of its own, for tests that ask it from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

ROOT = Path(__file__).resolve().parent.parent
STOP_S = 60


@dataclass(frozen=True)
class Server:
    """A server that answers; ``files`` is the folder that its uploads' folder lies in."""

    address: str
    process: subprocess.Popen[str]
    files: Path

    def figure(self, name: str) -> float:
        """One of the figures of ``/metrics`` that have no labels."""
        return metrics(self.address)[name]


def metrics(address: str) -> dict[str, float]:
    """The figures of ``/metrics``: name{labels} → value."""
    lines = httpx.get(f"{address}/metrics", timeout=60).text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))}


@contextmanager
def serving(*options: str, environment: dict[str, str] | None = None) -> Iterator[Server]:
    """Start ``app.py`` with these options on a free port, and stop it when the block ends."""
    with TemporaryDirectory(prefix="lightvoice-served-") as files:
        command = [sys.executable, str(ROOT / "app.py"), "--port", "0", *options]
        variables = {**os.environ, "GRADIO_TEMP_DIR": files, **(environment or {})}
        log = Path(files) / "log.txt"
        with log.open("w", encoding="utf-8") as said, subprocess.Popen(command, cwd=ROOT, env=variables, stderr=said, text=True) as process:
            try:
                yield Server(_address(process, log), process, Path(files))
            finally:
                process.terminate()
                try:
                    process.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise


def _address(process: subprocess.Popen[str], log: Path) -> str:
    """The address that the server writes when it is ready."""
    while process.poll() is None:
        found = re.search(r"LightVoice: (https?://\S+)", log.read_text(encoding="utf-8"))
        if found:
            return found[1]
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    raise RuntimeError(f"the server ended with {process.returncode}: {log.read_text(encoding='utf-8')[-2000:]}")
