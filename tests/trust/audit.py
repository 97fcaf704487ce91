"""The packages that an installation runs with, looked up among known vulnerabilities.

    python -m tests.trust audit [--pip-audit PROGRAM] [--service pypi|osv]

pip-audit belongs into an environment of its own, for it needs thirty packages that we do not: name its program, or have it on PATH.
It asks a service on the network; where none can be reached nothing was audited, and that is said, not passed over.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sysconfig
from typing import Any

from packaging.utils import canonicalize_name

from tests.servers import ROOT

LIMIT_S = 600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which program, which service."""
    parser.add_argument("--pip-audit", default="pip-audit", help="the program (default: the one on PATH)")
    parser.add_argument("--service", choices=("pypi", "osv"), default="pypi")


def _pinned() -> set[str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(line.split("==")[0]) for line in lines if "==" in line}


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Findings by package; AssertionError for findings in what we pin, and where nothing could be audited."""
    program = shutil.which(arguments.pip_audit)
    if program is None:
        raise SystemExit(
            "pip-audit is not here; `python -m venv audit && audit/bin/pip install pip-audit`, then --pip-audit audit/bin/pip-audit"
        )
    command = [program, "--path", sysconfig.get_path("purelib"), "--vulnerability-service", arguments.service]
    command += ["--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    if not done.stdout.strip():
        raise AssertionError(f"nothing was audited: {done.stderr.strip().splitlines()[-1:]}")
    pinned = _pinned()
    found = [one for one in json.loads(done.stdout)["dependencies"] if canonicalize_name(one["name"]) in pinned]
    audited = [one for one in found if "skip_reason" not in one]
    vulnerable = {f"{one['name']} {one['version']}": [each["id"] for each in one["vulns"]] for one in audited if one["vulns"]}
    report = {"pinned_here": len(found), "audited": len(audited), "vulnerable": vulnerable}
    if not audited or vulnerable:
        reason = "" if audited else " nothing was audited: the service knows none of these packages, or could not be reached"
        raise AssertionError(f"{report}{reason}")
    return report
