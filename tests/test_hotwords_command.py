"""A name that comes out wrong and, with the hotword, right: on the command line, from a file or a text, in both precisions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.named_recording import NAME, RIGHT, WRONG, write_bundle, write_recording
from tests.starter_facts import NAMES

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("hotwords") / "bundle")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp("hotwords") / "name.wav")


def run(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "app.py"), "transcribe", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_name_comes_out_right_with_the_hotword(bundle: Path, recording: Path, tmp_path: Path, precision: str) -> None:
    (tmp_path / "names.txt").write_text(f"王五\n{NAME} 1.5\n", encoding="gbk")
    common = (recording, "--bundle", bundle, "--precision", precision, "--language", "zh")
    greedy = run(*common)
    assert json.loads(greedy.stdout)["text"] == WRONG
    assert greedy.stderr == ""
    named = run(*common, "--hotwords", "names.txt", "--n-best", 2, cwd=tmp_path)
    found = json.loads(named.stdout)
    assert found["text"] == RIGHT
    [segment] = found["segments"]
    assert [one["text"] for one in segment["alternatives"]] == [RIGHT, WRONG]
    assert segment["alternatives"][0]["probability"] > segment["alternatives"][1]["probability"] > 0
    assert [token["text"] for token in segment["tokens"]] == list(RIGHT)
    [warning] = found["warnings"]
    assert (warning["type"], warning["values"]) == ("hotwords_unwritable", {"count": 1, "phrases": "王五"})
    assert "王五" in named.stderr


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_names_that_the_starter_writes_wrong_come_out_right(precision: str) -> None:
    """Without a list, then with the list of both: what one line of JSON says of each recording."""
    common = (*NAMES, "--bundle", "starter", "--precision", precision)
    plain, named = (
        [json.loads(line)["text"] for line in run(*common, *more).stdout.splitlines()] for more in ((), ("--hotwords", listed()))
    )
    assert len(plain) == len(named) == len(NAMES)
    for without, with_them, (name, _) in zip(plain, named, NAMES.values(), strict=True):
        assert name not in without and name in with_them


def listed() -> str:
    return ", ".join(line for _, line in NAMES.values())


def test_readings_alone_leave_the_text_as_it_is(bundle: Path, recording: Path) -> None:
    found = json.loads(run(recording, "--bundle", bundle, "--n-best", 3).stdout)
    assert found["text"] == WRONG
    assert [one["text"] for one in found["segments"][0]["alternatives"]][:2] == [WRONG, RIGHT]


def test_an_older_bundle_says_what_to_do(recording: Path, tmp_path: Path) -> None:
    older = write_bundle(tmp_path / "older", searches=False)
    done = run(recording, "--bundle", older, "--hotwords", NAME)
    found = json.loads(done.stdout)
    assert (done.returncode, found["text"]) == (0, WRONG)
    assert [warning["type"] for warning in found["warnings"]] == ["hotwords_left_out"]
    assert "tones was made before they existed; make the bundle again with `python -m models export" in done.stderr
    assert "alternatives" not in found["segments"][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--hotwords", "nobody.txt"), "cannot read hotwords from nobody.txt"),
        (("--hotwords", f"{NAME} 99.0"), "the weight of 你好 is 99.0; it must lie between 0.1 and 10"),
        (("--n-best", 9), "n_best is 9; it must lie between 1 and 8"),
        (("--hotwords", "x" * 101), "has 101 characters, more than 100"),
    ],
)
def test_what_cannot_be_taken_is_said_before_anything_runs(
    bundle: Path, recording: Path, arguments: tuple[object, ...], words: str
) -> None:
    done = run(recording, "--bundle", bundle, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
