"""What a process held at most, and how hot its processor is: what the engine's own meter does not show."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from engine.files.sizes import BYTES_PER_MB

#: Sensors of the processor by the names Linux gives their drivers, and the label of the whole package where there are several.
SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal", "cpu-thermal", "acpitz")
PACKAGE_LABELS = ("package id 0", "tctl", "tdie")


def peak_rss_mb() -> float:
    """The most memory this process ever held resident, in MB."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / BYTES_PER_MB
    peak = getattr(psutil.Process().memory_info(), "peak_wset", None)  # Windows
    if peak is not None:
        return float(peak) / BYTES_PER_MB
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, KiB elsewhere
    return float(most) * (1 if sys.platform == "darwin" else 1024) / BYTES_PER_MB


def package_temperature_c() -> float | None:
    """Temperature of the processor package in °C; None where the machine shows no such sensor."""
    read: Callable[[], Mapping[str, Any]] | None = getattr(psutil, "sensors_temperatures", None)  # Linux and FreeBSD alone
    sensors = read() if read is not None else {}
    for name in SENSORS:
        entries = sensors.get(name, [])
        packages = [entry.current for entry in entries if (entry.label or "").lower() in PACKAGE_LABELS]
        if entries:
            return float(max(packages or [entry.current for entry in entries]))
    return None
