"""What mypy is asked to check: everything that ships and the fake engine, strictly, and each exception with its code and its reason."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ["app.py", "benchmarks", "engine", "models", "ui"]


def settings() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]


def test_everything_that_ships_and_the_fake_engine_are_checked_strictly():
    assert settings()["files"] == [*SHIPPED, "tests/ui/fake_engine.py"]
    assert settings()["strict"] is True
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages | {"app.py"} == set(SHIPPED)


def test_no_module_of_ours_is_left_out_or_checked_less():
    named = {module.split(".")[0] for override in settings()["overrides"] for module in override["module"]}
    assert named.isdisjoint({name.removesuffix(".py") for name in SHIPPED})
    assert "exclude" not in settings()


def test_every_ignored_error_has_its_code_and_its_reason():
    files = [path for name in SHIPPED for path in [ROOT / name, *(ROOT / name).rglob("*.py")] if path.is_file()]
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines() if "# type: ignore" in line]
    assert lines
    assert [line for line in lines if not re.search(r"# type: ignore\[[a-z-]+\]  # \w", line)] == []
