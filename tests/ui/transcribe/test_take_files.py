"""Files that come together: one that cannot be taken costs no other one its place."""

from __future__ import annotations

import shutil
from pathlib import Path

import gradio as gr
import pytest

from engine.audio.containers import Probe, probe
from engine.errors import DecoderUnavailableError
from ui.scheduling.recording_queue import RecordingQueue
from ui.text.texts import Texts
from ui.transcribe.panel import take_files

MARK = {"_type": "gradio.FileData"}


@pytest.fixture
def uploads(tmp_path: Path, two_words: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Six uploads, as the browser names them; the second and the fifth are gone."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "files"))
    found: list[dict[str, object]] = []
    for number in range(6):
        path = tmp_path / "files" / str(number) / f"{number}.wav"
        path.parent.mkdir(parents=True)
        if number not in (1, 4):
            shutil.copy(two_words, path)
        found.append({"path": str(path), "orig_name": f"talk {number}.wav", "meta": MARK})
    return found


def names(queue: RecordingQueue) -> list[str]:
    return [entry.name for entry in queue.entries()]


def test_the_files_after_a_bad_one_are_taken_and_the_bad_ones_named(tmp_path: Path, uploads: list[dict[str, object]]) -> None:
    queue = RecordingQueue("0" * 32, tmp_path / "queue", probe=probe)
    with pytest.raises(gr.Error) as said:
        take_files(queue, uploads, Texts("en"))
    assert names(queue) == [f"talk {number}.wav" for number in (0, 2, 3, 5)]
    assert "2 of 6 files were not taken (talk 1.wav, talk 4.wav), the others were." in str(said.value)
    assert "The recording is gone" in str(said.value)
    assert len(list((tmp_path / "queue").iterdir())) == 4


def test_an_unexpected_error_fails_its_file_alone_and_leaves_nothing(tmp_path: Path, uploads: list[dict[str, object]]) -> None:
    answers = iter([RuntimeError("odd"), DecoderUnavailableError(reason="no process"), None, None])

    def look(path: Path) -> Probe | None:
        answer = next(answers)
        if answer is not None:
            raise answer
        return probe(path)

    queue = RecordingQueue("0" * 32, tmp_path / "queue", probe=look)
    with pytest.raises(gr.Error, match=r"6 个文件中有 4 个未能加入（talk 0\.wav, talk 1\.wav, talk 2\.wav, …）"):
        take_files(queue, uploads, Texts("zh"))
    assert names(queue) == ["talk 3.wav", "talk 5.wav"]
    assert len(list((tmp_path / "queue").iterdir())) == 2


def test_a_name_is_text_and_no_markup(tmp_path: Path, uploads: list[dict[str, object]]) -> None:
    uploads[1]["orig_name"] = "<img src=x onerror=alert(1)>.wav"
    with pytest.raises(gr.Error) as said:
        take_files(RecordingQueue("0" * 32, tmp_path / "queue", probe=probe), uploads, Texts("en"))
    assert "<img" not in str(said.value) and "&lt;img" in str(said.value)


def test_one_file_alone_is_refused_as_before(tmp_path: Path, uploads: list[dict[str, object]]) -> None:
    with pytest.raises(gr.Error) as said:
        take_files(RecordingQueue("0" * 32, tmp_path / "queue", probe=probe), [uploads[1]], Texts("en"))
    assert "files were not taken" not in str(said.value)
    take_files(RecordingQueue("0" * 32, tmp_path / "queue", probe=probe), [], Texts("en"))
