"""Every odd recording of the data folder, by the command line and by the API: real processes on the embedded bundle."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.odd_files import ODD_FILES, OddFile, every_odd_file
from tests.servers import ROOT, Server, serving
from tests.subtitles import read_srt, read_vtt

Answered = tuple[dict[str, Any], str]


@pytest.fixture(scope="module")
def command_line(data_dir: Path) -> Callable[[OddFile], Answered]:
    """What ``transcribe`` makes of a file, and what it says of it on stderr; one process for all files that are read alike."""
    answered: dict[tuple[Path, str], Answered] = {}

    def answer(odd: OddFile) -> Answered:
        key = odd.path(data_dir), str(odd.options)
        if key not in answered:
            alike = [other.path(data_dir) for other in ODD_FILES if other.options == odd.options]
            chosen = [word for name, value in odd.options.items() for word in (f"--{name}", value)]
            command = [sys.executable, str(ROOT / "app.py"), "transcribe", *map(str, alike), *chosen]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
            assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
            for path, line in zip(alike, done.stdout.splitlines(), strict=True):
                said = [one for one in done.stderr.splitlines() if one.startswith(f"{path}: ")]
                answered[path, str(odd.options)] = json.loads(line), "\n".join(said)
        return answered[key]

    return answer


@pytest.fixture(scope="module")
def server(data_dir: Path) -> Iterator[Server]:
    if not (data_dir / "odd_files").is_dir():
        pytest.skip("no odd recordings here")
    with serving() as server:
        yield server


def ask(server: Server, odd: OddFile, path: Path, **fields: str) -> httpx.Response:
    with path.open("rb") as file:
        answer = httpx.post(
            f"{server.address}/v1/audio/transcriptions", files={"file": (path.name, file)}, data={**odd.options, **fields}, timeout=300
        )
    assert answer.status_code == 200, answer.text
    return answer


def beginnings(segments: Sequence[Mapping[str, Any]], start: str, *, per_s: int = 1) -> dict[int, float]:
    """Where each channel's first segment starts, in seconds."""
    found: dict[int, float] = {}
    for segment in segments:
        if "channel" in segment:
            assert segment["speaker"] == f"Speaker {segment['channel']}"
            found.setdefault(segment["channel"], segment[start] / per_s)
    return found


@every_odd_file
def test_by_the_command_line(odd: OddFile, command_line: Callable[[OddFile], Answered]) -> None:
    told, said = command_line(odd)
    segments = told["segments"]
    odd.check(
        duration_s=told["duration_s"],
        warnings=[warning["type"] for warning in told["warnings"]],
        text=told["text"],
        starts_s=[segment["start_ms"] / 1000 for segment in segments],
        end_s=max(segment["end_ms"] for segment in segments) / 1000,
    )
    odd.check_speakers(beginnings(segments, "start_ms", per_s=1000))
    assert said.count(": warning: ") == len(told["warnings"])
    assert all(warning["message"] in said for warning in told["warnings"])
    assert ("2 audio tracks, of which '2: " in said) == (odd.tracks > 1 and odd.track is None)


@every_odd_file
def test_by_the_api(odd: OddFile, server: Server, data_dir: Path) -> None:
    path = odd.path(data_dir)
    answer = ask(server, odd, path, response_format="verbose_json", **{"timestamp_granularities[]": "segment"})
    told = answer.json()
    types = [warning["type"] for warning in told["warnings"]]
    odd.check(
        duration_s=told["duration"],
        warnings=types,
        text=told["text"],
        starts_s=[segment["start"] for segment in told["segments"]],
        end_s=max(segment["end"] for segment in told["segments"]),
    )
    odd.check_speakers(beginnings(told["segments"], "start"))
    assert answer.headers.get("x-lightvoice-warnings", "") == ", ".join(types)


@pytest.mark.parametrize("odd", [odd for odd in ODD_FILES if odd.warnings or odd.speakers_s], ids=lambda odd: odd.label)
def test_subtitles_and_streams_of_the_api_know_it_too(odd: OddFile, server: Server, data_dir: Path) -> None:
    path = odd.path(data_dir)
    srt, vtt = (ask(server, odd, path, response_format=name) for name in ("srt", "vtt"))
    for answer, cues in ((srt, read_srt(srt.text)), (vtt, read_vtt(vtt.text))):
        assert odd.warnings <= set(answer.headers.get("x-lightvoice-warnings", "").split(", "))
        assert cues and cues[0].start_ms / 1000 == pytest.approx(odd.starts_s, abs=1.0)
        assert all(len(line) <= 42 for cue in cues for line in cue.text.split("\n"))
    for channel in odd.speakers_s:
        assert f"Speaker {channel}: " in srt.text and f"<v Speaker {channel}>" in vtt.text
    events = [json.loads(line[6:]) for line in ask(server, odd, path, stream="true").text.splitlines() if line.startswith("data: ")]
    assert events[-1]["type"] == "transcript.text.done"
    assert {warning["type"] for warning in events[-1].get("warnings", ())} >= odd.warnings


@pytest.mark.parametrize("odd", [odd for odd in ODD_FILES if odd.tracks > 1 and odd.track is None], ids=lambda odd: odd.label)
def test_tracks_are_listed_by_the_api(odd: OddFile, server: Server, data_dir: Path) -> None:
    with odd.path(data_dir).open("rb") as file:
        tracks = httpx.post(f"{server.address}/v1/audio/tracks", files={"file": file}, timeout=60).json()["data"]
    assert [(track["number"], track["default"]) for track in tracks] == [(1, False), (2, True)]
