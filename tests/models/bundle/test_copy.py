"""A variant for a copy: the bundle stays as it is, and the copy appears whole or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.bundle import Bundle
from engine.errors import BundleTamperedError
from models.bundle.copy import BundleExistsError, bundle_to_change

ROOT = Path(__file__).resolve().parents[3]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_without_an_output_it_is_the_bundle_itself(tiny_bundle: Path) -> None:
    with bundle_to_change(tiny_bundle, None) as folder:
        assert folder == tiny_bundle


def test_the_copy_appears_when_the_block_ends_well(tiny_bundle: Path, tmp_path: Path) -> None:
    before = contents(tiny_bundle)
    output = tmp_path / "installed" / "own"
    with bundle_to_change(tiny_bundle, output) as folder:
        assert not output.exists()
        assert Bundle.load(folder).name == "own"
    copy = Bundle.load(output)
    assert (copy.name, set(copy.variants)) == ("own", {"fp32", "int8"})
    assert contents(tiny_bundle) == before
    assert [path.name for path in output.parent.iterdir()] == ["own"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_when_the_block_does_not_end_well(tiny_bundle: Path, tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), bundle_to_change(tiny_bundle, tmp_path / "installed" / "own"):
        raise error
    assert list((tmp_path / "installed").iterdir()) == []


def test_a_folder_that_is_taken_is_kept(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleExistsError, match="is there already"), bundle_to_change(tiny_bundle, tmp_path):
        pass


def test_a_damaged_bundle_is_not_copied(tiny_bundle: Path, tmp_path: Path) -> None:
    with bundle_to_change(tiny_bundle, tmp_path / "damaged"):
        pass
    (tmp_path / "damaged" / "tokens.txt").write_text("x", encoding="utf-8")
    with pytest.raises(BundleTamperedError), bundle_to_change(tmp_path / "damaged", tmp_path / "own"):
        pass
    assert not (tmp_path / "own").exists()


def test_the_command_line_leaves_the_bundle_and_writes_the_copy(exported_bundle: Path, tmp_path: Path) -> None:
    before = contents(exported_bundle)
    output = tmp_path / "own"
    done = subprocess.run(
        [sys.executable, "-m", "models", "quantize", str(exported_bundle), "--recipe", "mixed", "--output", str(output)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(output)
    assert set(Bundle.load(output).variants) == {"fp32", "int8", "int8-mixed"}
    assert json.loads((output / "bundle.json").read_text(encoding="utf-8"))["recipes"]["int8-mixed"]["recipe"] == "mixed"
    assert contents(exported_bundle) == before
