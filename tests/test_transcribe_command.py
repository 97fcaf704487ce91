"""The command line's contract, through a real process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import docx
import numpy as np
import pytest
import soundfile

from tests.starter_facts import DIGITS
from tests.subtitles import read_srt

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "app.py"), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, cwd=cwd, check=False, env={**os.environ, "PYTHONWARNINGS": "error"}
    )


@pytest.fixture(scope="module")
def silence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audio") / "silence.wav"
    soundfile.write(path, np.zeros((384_000, 8), np.float32), 384_000)
    return path


def test_json_lines_in_order_and_one_failure_does_not_stop_the_rest(silence: Path, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("not audio " * 100, encoding="utf-8")
    done = run("transcribe", DIGITS, tmp_path / "text.wav", silence, "--precision", "int8")
    assert done.returncode == 1
    first, second, third = (json.loads(line) for line in done.stdout.splitlines())
    assert first["file"] == str(DIGITS)
    assert first["precision"] == "int8"
    assert first["segments"]
    assert list(second) == ["file", "error"]
    assert second["error"]["type"] == "AudioDecodeError"
    assert (third["text"], third["segments"]) == ("", [])
    assert "Traceback" not in done.stderr


def test_subtitles_are_cut_by_the_options() -> None:
    done = run(
        "transcribe", DIGITS, "--no-itn", "--format", "srt", "--max-line-width", "12", "--max-line-count", "1", "--min-cue-ms", "500"
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = read_srt(done.stdout)
    assert len(found) > 2
    assert all(len(cue.text) <= 12 and "\n" not in cue.text for cue in found)


def test_silence_in_eight_channels_is_no_error(silence: Path) -> None:
    done = run("transcribe", silence, "--format", "txt")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(("output_format", "start"), [("srt", "1\n00:00:0"), ("vtt", "WEBVTT\n"), ("txt", ""), ("csv", "start_s,")])
def test_one_file_goes_to_stdout_in_any_format(output_format: str, start: str) -> None:
    done = run("transcribe", DIGITS, "--format", output_format)
    assert done.returncode == 0
    assert done.stdout.startswith(start)
    assert done.stdout.strip()
    assert done.stderr == ""


def test_a_document_is_written_into_a_folder(tmp_path: Path) -> None:
    done = run("transcribe", DIGITS, "--format", "docx", "--output-dir", tmp_path)
    assert done.returncode == 0, done.stderr
    [document] = tmp_path.glob("*.docx")
    assert len(docx.Document(str(document)).paragraphs) > 2


def test_a_language_may_be_a_tag_or_a_name(tmp_path: Path) -> None:
    """Both name one setting: the second run finds the first one's result."""
    first = run("transcribe", DIGITS, "--language", "English", "--output-dir", tmp_path)
    second = run("transcribe", DIGITS, "--language", "en-US", "--output-dir", tmp_path)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "finished before" in second.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--language", "zn"], "unknown language 'zn'"),
        (["--precision", "int4"], "unknown precision 'int4'"),
        (["--bundle", "lost"], "no bundle 'lost'"),
        (["--format", "pdf"], "unknown format 'pdf'"),
        (["--max-line-width", "5"], "max_line_width is 5; it must lie between 10 and 200"),
        (["--min-cue-ms", "9000"], "min_cue_ms is 9000"),
        (["--max-segment-ms", "5"], "max_segment_ms is 5"),
        (["--precision", "int8", "--device", "cuda"], "no kernels for dynamic INT8"),
        (["--threads", "0"], "is not at least 1"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_what_cannot_be_run_is_exit_2_and_a_clear_word(arguments: list[str], words: str) -> None:
    done = run("transcribe", DIGITS, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_tampered_bundle_is_exit_2(starter_bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(starter_bundle, tmp_path / "copy")
    with (copy / "vad.fp32.onnx").open("ab") as handle:
        handle.write(b"x")
    done = run("transcribe", DIGITS, "--bundle", copy)
    assert (done.returncode, done.stdout) == (2, "")
    assert "vad.fp32.onnx is not the file that bundle.json describes" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_several_files_as_subtitles_need_a_folder(silence: Path, tmp_path: Path) -> None:
    refused = run("transcribe", DIGITS, silence, "--format", "srt")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--output-dir" in refused.stderr
    twin = shutil.copy(DIGITS, tmp_path / DIGITS.name)
    done = run("transcribe", DIGITS, twin, tmp_path / "lost.wav", "--format", "srt", "--output-dir", tmp_path / "out")
    assert (done.returncode, done.stdout) == (1, "")
    written = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in written] == ["digits-en-2.srt", "digits-en.srt"]
    assert written[0].read_text(encoding="utf-8") == written[1].read_text(encoding="utf-8") != ""
    assert "lost.wav" in done.stderr


def test_what_could_not_be_read_is_a_line_beside_the_result(tmp_path: Path) -> None:
    samples, rate = soundfile.read(DIGITS)
    soundfile.write(tmp_path / "whole.wav", samples, rate, subtype="PCM_16")
    content = (tmp_path / "whole.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[: len(content) // 2])
    done = run("transcribe", "cut.wav", cwd=tmp_path)
    assert done.returncode == 0
    [warning] = json.loads(done.stdout)["warnings"]
    assert warning["type"] == "ends_early"
    assert done.stderr == f"cut.wav: warning: {warning['message']}\n"
    as_text = run("transcribe", "cut.wav", "--format", "srt", cwd=tmp_path)
    assert (as_text.returncode, as_text.stderr) == (0, done.stderr)


def test_relative_files_belong_to_the_caller(tmp_path: Path) -> None:
    shutil.copy(DIGITS, tmp_path / "here.flac")
    done = run("transcribe", "here.flac", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["file"] == "here.flac"


def test_bundles_are_listed(tiny_bundle: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "app.py"), "bundles"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "LIGHTVOICE_BUNDLES": str(tiny_bundle.parent)},
    )
    assert "starter " in done.stdout
    assert "tiny 1  [en zh]" in done.stdout


def test_transcribing_loads_neither_torch_nor_gradio() -> None:
    script = (
        "import sys, app; code = app.main(['transcribe', sys.argv[1]]); "
        "heavy = {'torch', 'gradio', 'librosa', 'funasr', 'modelscope', 'onnx', 'matplotlib', 'pandas', 'numba'} & set(sys.modules); "
        "sys.exit(f'loaded {sorted(heavy)}' if heavy or code else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(DIGITS)], capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_leaves_is_no_traceback() -> None:
    command = f"{sys.executable} {ROOT / 'app.py'} transcribe {DIGITS} {DIGITS} {DIGITS} | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_an_unexpected_error_fails_its_file_alone(monkeypatch, capfdbinary, tmp_path) -> None:
    import app

    class Odd(app.Engine):
        def transcribe(self, recording, *arguments, **others):
            if recording.name == "odd.wav":
                raise MemoryError
            return super().transcribe(recording, *arguments, **others)

    monkeypatch.setattr(app, "Engine", Odd)
    odd = tmp_path / "odd.wav"
    odd.write_bytes(b"anything")
    status = app.main(["transcribe", str(odd), str(DIGITS), "--precision", "int8"])
    said = capfdbinary.readouterr()
    first, second = (json.loads(line) for line in said.out.splitlines())
    assert status == 1
    assert first == {"file": str(odd), "error": {"type": "MemoryError", "message": "unexpected error (MemoryError)"}}
    assert second["segments"]
    assert b"Traceback" in said.err and b"odd.wav: unexpected error (MemoryError)" in said.err
