"""Files of a model that were sent to the page: kept under their names until they are imported, together or alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import AudioNotFoundError, OptionError
from ui.models.sent_files import SameNameError, bundle_name, keep_sent


def sent(folder: Path, *names: str) -> list[Path]:
    """Files as Gradio keeps uploads: each in a folder of its own."""
    paths = []
    for number, name in enumerate(names):
        (folder / str(number)).mkdir(parents=True)
        paths.append(folder / str(number) / name)
        paths[-1].write_text(name)
    return paths


def test_one_file_is_imported_itself_and_lies_alone(tmp_path: Path) -> None:
    kept = keep_sent(sent(tmp_path / "uploads", "model.int8.onnx"), tmp_path / "kept")
    assert kept.path.name == "model.int8.onnx" and kept.name == "model.int8"
    assert [path.name for path in kept.path.parent.iterdir()] == ["model.int8.onnx"]
    kept.delete()
    assert list((tmp_path / "kept").iterdir()) == []


def test_several_files_are_a_folder(tmp_path: Path) -> None:
    names = {"model.int8.onnx", "tokens.txt", "模型.data"}
    kept = keep_sent(sent(tmp_path / "uploads", *names), tmp_path / "kept")
    assert {path.name for path in kept.path.iterdir()} == names and kept.name == "imported"


def test_two_files_of_one_name_are_refused_with_what_helps(tmp_path: Path) -> None:
    with pytest.raises(SameNameError, match=r"two of the files are called model\.onnx.*zip"):
        keep_sent(sent(tmp_path / "uploads", "model.onnx", "am.mvn", "model.onnx"), tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_what_is_gone_or_nothing_leaves_nothing(tmp_path: Path) -> None:
    files = sent(tmp_path / "uploads", "a.onnx", "b.onnx")
    files[1].unlink()
    with pytest.raises(AudioNotFoundError):
        keep_sent(files, tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []
    with pytest.raises(OptionError, match="nothing was sent"):
        keep_sent([], tmp_path / "kept")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("SenseVoice Small.zip", "SenseVoice-Small"),
        ("sherpa-onnx-sense-voice.tar.bz2", "sherpa-onnx-sense-voice"),
        ("model.int8.ONNX", "model.int8"),
        ("..zip", "imported"),
        ("模型.zip", "imported"),
        ("x" * 200 + ".zip", "x" * 60),
    ],
)
def test_a_bundle_is_called_as_its_file(file: str, name: str) -> None:
    assert bundle_name(file) == name
