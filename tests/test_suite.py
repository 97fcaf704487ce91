"""What the tests promise of themselves: they wait for events, lie where their subject lies, and share what two of them need."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
#: Polling with a bound, and the programs whose pace is what they simulate: callers that pause, a hub that sends slowly.
MAY_SLEEP = {TESTS / "waiting.py", Path(__file__).resolve(), *(TESTS / "trust" / name for name in ("death.py", "load.py", "switching.py"))}
#: Folders of tests whose subject is no folder of the product: the page in Chromium, and what the whole app is trusted with.
OF_THE_WHOLE_APP = {"browser", "trust"}
SLEEPS = {"sleep", "wait_for_timeout"}


def files() -> list[Path]:
    return sorted(TESTS.rglob("*.py"))


def fixed_sleeps(source: str) -> Iterator[int]:
    """The lines that let a fixed time pass, those of programs in strings included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in SLEEPS:
                yield node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"\btime\.sleep\(", node.value):
            yield node.lineno


def test_no_test_sleeps() -> None:
    """tests/waiting.py waits for an event."""
    waiting = [path for path in files() if path not in MAY_SLEEP]
    assert [f"{path.relative_to(ROOT)}:{line}" for path in waiting for line in fixed_sleeps(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(1)",
        "from time import sleep\nsleep(1)",
        "page.wait_for_timeout(5)",
        "asyncio.sleep(0)",
        "X = 'time.sleep(1)'",
    ],
)
def test_a_sleep_is_found(source: str) -> None:
    assert len(list(fixed_sleeps(source))) == 1


def test_the_folders_of_tests_are_those_of_the_product() -> None:
    folders = {path.parent.relative_to(TESTS) for path in files()} - {Path()}
    assert [str(folder) for folder in sorted(folders) if folder.parts[0] not in OF_THE_WHOLE_APP and not (ROOT / folder).is_dir()] == []


def test_no_test_file_is_imported() -> None:
    """What two files of tests need lies beside them, in a file of its own name."""
    imported = [
        f"{path.relative_to(ROOT)}: {node.module}"
        for path in files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and ".test_" in node.module and node.module.startswith("tests.")
    ]
    assert imported == []
