"""Start-up, speed and memory of the main path, measured on a real server process.

    python -m benchmarks.main_path [--bundle B] [--recording FILE] [--json FILE]

Starts ``app.py`` on a free port, waits for the page, sends the recording, flips lightweight mode, and prints what it saw. Noisy
machines: trust ratios, and state the machine and the day beside every figure that is quoted.
"""

from __future__ import annotations

import argparse
import platform
import re
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gradio_client import Client, handle_file

from benchmarks.command_line import figures_parser, write_figures
from engine.bundle_roots import ROOT
from engine.runtime.session import cpu_flags

RUNS = 5
SETTLE_S = 2.0
START_LIMIT_S = 300


def wait_for_address(server: subprocess.Popen[str]) -> str:
    """The page's address, read from what the server says when it is ready."""
    deadline = time.monotonic() + START_LIMIT_S
    while server.stderr is not None and time.monotonic() < deadline:
        line = server.stderr.readline()
        found = re.search(r"LightVoice: (https?://\S+)", line)
        if found:
            return found.group(1)
        if server.poll() is not None:
            raise SystemExit(f"the server ended with {server.returncode}: {line.strip()}")
    raise SystemExit("the server did not become ready")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the measurement: figures in seconds and MB."""
    command = [sys.executable, str(ROOT / "app.py"), "--port", "0", "--bundle", arguments.bundle]
    started = time.perf_counter()
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own program
    try:
        address = wait_for_address(server)
        page_s = time.perf_counter() - started
        client = Client(address, verbose=False)
        audio = handle_file(str(arguments.recording))
        first = client.predict(audio, api_name="/transcribe")
        first_transcript_s = time.perf_counter() - started
        figures: dict[str, Any] = {"page_s": page_s, "first_transcript_s": first_transcript_s, "duration_s": first["duration_s"]}
        for precision in ("fp32", "int8"):
            runs = [client.predict(audio, precision=precision, api_name="/transcribe")["timing"]["rtf"] for _ in range(RUNS)]
            figures[f"rtf_{precision}"] = statistics.median(runs)
        time.sleep(SETTLE_S)
        figures["rss_both_mb"] = client.predict(api_name="/resources")["rss_mb"]
        report = client.predict(True, api_name="/set_lightweight")
        time.sleep(SETTLE_S)
        figures |= {"freed_mb": report["freed_mb"], "rss_after_toggle_mb": report["rss_mb"]}
        figures["rss_idle_lightweight_mb"] = client.predict(api_name="/resources")["rss_mb"]
    finally:
        server.terminate()
        server.wait(30)
    return figures


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = figures_parser("main_path", __doc__)
    parser.add_argument("--bundle", default="starter")
    parser.add_argument("--recording", type=Path, default=ROOT / "ui" / "examples" / "digits-en.flac")
    arguments = parser.parse_args()
    figures = {name: round(value, 4) for name, value in measure(arguments).items()}
    flags = sorted(cpu_flags() & {"avx512_vnni", "avx_vnni", "amx_int8", "avx512_bf16"})
    figures["machine"] = f"{platform.machine()}, {' '.join(flags) or 'no INT8 instructions'}"
    figures["when"] = datetime.now(UTC).date().isoformat()
    for name, value in figures.items():
        print(f"{name:26} {value}")
    write_figures(arguments.json, figures)


if __name__ == "__main__":
    main()
