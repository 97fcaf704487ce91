"""What the process uses right now: CPU, memory, sessions, GPU. Cheap enough to be read every second."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterable
from typing import Any

import psutil

from engine.files.sizes import BYTES_PER_MB
from engine.runtime.session import Session, rss_mb

GPU_CACHE_S = 5.0
GPU_TIMEOUT_S = 3.0
_QUERY = ("--query-gpu=name,memory.used,memory.total", "--format=csv,noheader,nounits")
_MIB_TO_MB = 1.048576


class ResourceMeter:
    """Measures this process; the CPU share counts from the previous reading."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()  # the first answer is always 0: it starts the clock
        self._lock = threading.Lock()
        self._gpu: dict[str, Any] | None = None
        self._gpu_asked_at: float | None = None
        self._nvidia_smi = shutil.which("nvidia-smi")

    def read(self, sessions: Iterable[Session], *, last_rtf: float | None) -> dict[str, Any]:
        """The resources as the API answers them; ``cpu_percent`` is 100 for one busy core."""
        with self._lock:
            cpu = self._process.cpu_percent()
            gpu = self._read_gpu()
        return {
            "cpu_percent": round(cpu, 1),
            "rss_mb": round(rss_mb(), 1),
            "threads": self._process.num_threads(),
            "sessions": [
                {"model": session.model, "precision": session.precision, "mb": round(session.mb, 1), "provider": session.provider}
                for session in sessions
            ],
            "last_rtf": None if last_rtf is None else round(last_rtf, 5),
            "gpu": gpu,
        }

    def _read_gpu(self) -> dict[str, Any] | None:
        if self._nvidia_smi is None:
            return None
        now = time.monotonic()
        if self._gpu_asked_at is None or now - self._gpu_asked_at > GPU_CACHE_S:
            self._gpu, self._gpu_asked_at = _ask_gpu(self._nvidia_smi), now
        return self._gpu


def _ask_gpu(command: str) -> dict[str, Any] | None:
    try:
        answer = subprocess.run(  # noqa: S603 - our own arguments
            [command, *_QUERY], capture_output=True, text=True, timeout=GPU_TIMEOUT_S, check=True
        ).stdout
        name, used, total = (part.strip() for part in answer.splitlines()[0].split(","))
        return {"name": name, "used_mb": round(float(used) * _MIB_TO_MB), "total_mb": round(float(total) * _MIB_TO_MB)}
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None  # a driver without a device prints a message instead


def total_memory_mb() -> float:
    """Physical memory of the machine in MB."""
    return float(psutil.virtual_memory().total) / BYTES_PER_MB
