"""What a person may give ``transcribe`` besides a plain file: pipes, names in any encoding, a track, a channel; a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.waveform import load_audio
from tests.starter_facts import DIGITS, WRITTEN
from tests.two_tracks import RATE, write_two_tracks

ROOT = Path(__file__).resolve().parent.parent
TEXT = " ".join(WRITTEN)
posix = pytest.mark.skipif(os.name != "posix", reason="no such pipes or names here")


def run(*arguments: str | Path, stdin: bytes | None = None, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "app.py"), "transcribe", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, input=stdin, timeout=300, check=False, **options)
    said = subprocess.CompletedProcess(command, done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8", "replace"))
    assert "Traceback" not in said.stderr
    return said


def abandoned() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("lightvoice-piped-*"))


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    return load_audio(DIGITS).samples


@pytest.fixture(scope="module")
def call(samples: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("call") / "call.wav"
    soundfile.write(path, np.stack([samples, np.roll(samples, 20_000)], axis=1), 16_000)
    return path


@pytest.fixture(scope="module")
def film(samples: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film whose second track is marked, and the first one silent."""
    pytest.importorskip("av")
    loud = np.repeat(samples, RATE // 16_000)
    return write_two_tracks(tmp_path_factory.mktemp("film") / "film.mkv", loud * 0, loud, default=2, codec="flac")


# ---- pipes -----------------------------------------------------------------------------------------------------------


def test_standard_input_is_a_recording() -> None:
    done = run("-", stdin=DIGITS.read_bytes())
    assert (done.returncode, done.stderr) == (0, "")
    assert (json.loads(done.stdout)["file"], json.loads(done.stdout)["text"]) == ("-", TEXT)
    assert run("-", "--format", "txt", stdin=DIGITS.read_bytes()).stdout == TEXT.replace(" ", "\n") + "\n"


def test_a_header_that_a_pipe_left_without_lengths_is_no_trouble(tmp_path: Path, samples: np.ndarray) -> None:
    soundfile.write(tmp_path / "x.wav", samples, 16_000, subtype="PCM_16")
    content = bytearray((tmp_path / "x.wav").read_bytes())
    content[4:8] = content[40:44] = b"\xff" * 4  # as FFmpeg writes into a pipe
    assert json.loads(run("-", stdin=bytes(content)).stdout)["text"] == TEXT


def test_standard_input_among_files_and_into_a_folder(tmp_path: Path) -> None:
    done = run(DIGITS, "-", "--output-dir", tmp_path / "out", stdin=DIGITS.read_bytes())
    assert done.returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["digits-en.json", "stdin.json"]
    assert json.loads((tmp_path / "out" / "stdin.json").read_text(encoding="utf-8"))["text"] == TEXT
    again = run(DIGITS, "-", "--output-dir", tmp_path / "out", stdin=DIGITS.read_bytes())
    assert again.stderr.count("finished before") == 1  # nobody knows whether the pipe brings the same again


@posix
@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0"])
def test_names_of_standard_input_are_it_too(name: str) -> None:
    with DIGITS.open("rb") as file:
        assert json.loads(run(name, stdin=file.read()).stdout)["text"] == TEXT


@posix
def test_a_named_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.flac"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(DIGITS.read_bytes()))
    writer.start()
    done = run(pipe)
    writer.join()
    assert json.loads(done.stdout)["text"] == TEXT


def test_what_is_piped_leaves_nothing_behind_and_says_what_is_wrong() -> None:
    before = set(abandoned())
    for content, words in ((b"", "holds no audio samples"), (b"no audio" * 99, "cannot read stdin as audio")):
        done = run("-", stdin=content)
        assert done.returncode == 1
        assert words in json.loads(done.stdout)["error"]["message"]
    assert set(abandoned()) <= before


def test_standard_input_is_read_once() -> None:
    done = run("-", "-", stdin=DIGITS.read_bytes())
    assert (done.returncode, done.stdout) == (2, "")
    assert "standard input (-) can be read once" in done.stderr


# ---- names -----------------------------------------------------------------------------------------------------------


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="this file system takes text alone")
def test_names_that_are_not_utf8_and_the_longest_ones(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode("录音\xff".encode("gbk", "replace") + b"\xff.flac")
    longest = tmp_path / ("录" * 83 + "a.flac")
    for path in (odd, longest):
        path.write_bytes(DIGITS.read_bytes())
    assert len(os.fsencode(longest.name)) == 255
    done = run(odd, longest)
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert (done.returncode, first["text"], second["text"]) == (0, TEXT, TEXT)
    assert "\ufffd" in first["file"] and second["file"] == str(longest)
    for _ in range(2):
        written = run(odd, longest, "--output-dir", tmp_path / "out")
        assert written.returncode == 0
        assert "\ufffd" in written.stderr
    assert written.stderr.count("finished before") == 2
    names = {os.fsencode(path.name) for path in (tmp_path / "out").iterdir()}
    assert names == {os.fsencode(odd.stem) + b".json", ("录" * 83 + "a").encode()[:250].decode(errors="ignore").encode() + b".json"}
    odd.write_bytes(b"no audio")
    refused = run(odd)
    assert refused.returncode == 1
    assert "\ufffd" in json.loads(refused.stdout)["error"]["message"]


def test_a_name_that_is_too_long_for_any_file_is_said_to_be() -> None:
    done = run("x" * 5_000 + ".wav", DIGITS)
    assert done.returncode == 1
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["error"]["type"] in {"AudioDecodeError", "AudioNotFoundError"}
    assert second["text"] == TEXT


# ---- tracks and channels ---------------------------------------------------------------------------------------------


def test_tracks_are_listed_and_chosen(film: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no audio", encoding="utf-8")
    listed = run("--list-tracks", film, DIGITS, tmp_path / "notes.txt")
    assert listed.returncode == 1
    two, one, none = (json.loads(line) for line in listed.stdout.splitlines())
    assert [(track["number"], track["title"], track["language"], track["default"]) for track in two["tracks"]] == [
        (1, "A <comment>", "eng", False),
        (2, "The talk", "chi", True),
    ]
    assert [track["number"] for track in one["tracks"]] == [1]
    assert none["error"]["type"] == "AudioDecodeError"
    unasked, asked = run(film, DIGITS), run(film, "--track", "2")
    assert json.loads(unasked.stdout.splitlines()[0])["text"] == json.loads(asked.stdout)["text"] == TEXT
    assert unasked.stderr == (
        f"{film}: 2 audio tracks, of which '2: The talk, chi, flac, mono' was read; --track N reads another, --list-tracks lists them\n"
    )
    assert asked.stderr == ""
    assert json.loads(run(film, "--track", "1").stdout)["text"] == ""
    wrong = run(film, "--track", "3")
    assert wrong.returncode == 1
    assert json.loads(wrong.stdout)["error"]["type"] == "UnknownTrackError"


def test_channels_are_chosen_and_split(call: Path, tmp_path: Path) -> None:
    for channel in ("left", "right"):
        assert json.loads(run(call, "--channel", channel).stdout)["text"]
    split = json.loads(run(call, "--channel", "split").stdout)
    assert {segment["speaker"] for segment in split["segments"]} == {"Speaker 1", "Speaker 2"}
    assert " ".join(segment["text"] for segment in split["segments"] if segment["channel"] == 1) == TEXT
    assert "Speaker 2: " in run(call, "--channel", "split", "--format", "srt").stdout
    assert "<v Speaker 2>" in run("-", "--channel", "split", "--format", "vtt", stdin=call.read_bytes()).stdout
    done = run(call, "--output-dir", tmp_path / "out")
    assert "finished before" not in run(call, "--output-dir", tmp_path / "out", "--channel", "split").stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--channel", "middle"], "unknown channel 'middle'; choose one of auto"),
        (["--track", "0"], "0 is not at least 1"),
        (["--track", "1000"], "track is 1000"),
    ],
)
def test_a_choice_that_there_is_not_runs_nothing(arguments: list[str], words: str) -> None:
    done = run(DIGITS, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
