"""Which track and which channels a person or a program chooses, on the page and over HTTP, and files of any name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio_client
import httpx
import numpy as np
import pytest
import soundfile
from starlette.testclient import TestClient

from engine.audio.containers import probe
from engine.audio.read_options import CHANNELS, Channel, ReadOptions
from engine.audio.sandbox.decoder import Decoder
from engine.audio.tracks import Track
from engine.audio.waveform import load_audio
from engine.options import TranscribeOptions
from engine.pipeline import Engine
from tests.starter_facts import DIGITS, WRITTEN
from tests.two_tracks import tone, write_two_tracks
from tests.ui.conftest import RunningPage
from tests.ui.queue_client import QueueClient, transcribed, wait
from ui.limits import Limits
from ui.scheduling.queue_runner import QueueRunner
from ui.scheduling.recording_queue import EntryState, RecordingQueue
from ui.serve import build_app
from ui.slim.slim_app import SOUND, slim_app
from ui.text.texts import Texts
from ui.transcribe.exports import file_stem
from ui.transcribe.form import channel_choices
from ui.transcribe.form_options import remembered

WAIT_S = 60


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tracks, the second one marked."""
    pytest.importorskip("av")
    return write_two_tracks(tmp_path_factory.mktemp("film") / "film.mkv", tone(300, 2), tone(900, 3), default=2)


def post(page: RunningPage, file: Path, name: str | None = None, *, path: str = "transcriptions", **fields: object) -> httpx.Response:
    files = {"file": (name or file.name, file.read_bytes())}
    return httpx.post(f"{page.address}/v1/audio/{path}", files=files, data=fields, timeout=WAIT_S)


# ---- the API ---------------------------------------------------------------------------------------------------------


def test_tracks_are_listed_and_chosen_over_http(page: RunningPage, film: Path, two_words: Path) -> None:
    answer = post(page, film, path="tracks")
    assert answer.status_code == 200
    first, second = answer.json()["data"]
    assert (first["number"], first["title"], first["default"]) == (1, "A <comment>", False)
    assert (second["number"], second["language"], second["default"]) == (2, "chi", True)
    assert [track["number"] for track in post(page, two_words, path="tracks").json()["data"]] == [1]
    assert post(page, film, track=1, channel="left").status_code == 200
    assert page.engine.calls[-1].read == ReadOptions(channel=Channel.LEFT, track=1)
    assert post(page, film).status_code == 200
    assert page.engine.calls[-1].read == ReadOptions()
    assert list((page.files / "requests").glob("*")) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"channel": "middle"}, "unknown channel 'middle'"),
        ({"track": "two"}, "track is 'two'; it must lie between 1 and 999"),
        ({"track": "0"}, "track is 0; it must lie between 1 and 999"),
        ({"track": "3"}, "there is no audio track 3 in film.mkv, whose last one is 2"),
    ],
)
def test_a_wrong_choice_is_refused_by_name(page: RunningPage, film: Path, fields: dict[str, str], words: str) -> None:
    answer = post(page, film, **fields)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_a_file_without_tracks_is_refused_by_name(page: RunningPage, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no audio", encoding="utf-8")
    answer = post(page, tmp_path / "notes.txt", path="tracks")
    assert answer.status_code == 400
    assert "cannot read notes.txt as audio (no audio track was found in it)" in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["录" * 200 + ".wav", "x" * 300, "caf\udce9.wav", "no extension", ".wav", "a/b\\c.caf"])
def test_files_of_any_name_are_taken(page: RunningPage, two_words: Path, name: str) -> None:
    boundary, content = "lightvoice", two_words.read_bytes()
    head = f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode("utf-8", "surrogateescape") + content + f"\r\n--{boundary}--\r\n".encode()
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    answer = httpx.post(f"{page.address}/v1/audio/transcriptions", content=body, headers=headers, timeout=WAIT_S)
    assert (answer.status_code, answer.json()["text"]) == (200, "three one four one five nine")


@pytest.fixture(scope="module")
def real(starter_bundle: Path) -> Any:
    from engine.bundle import Bundle

    engine = Engine(Bundle.load(starter_bundle))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two speakers, one a channel."""
    samples = load_audio(DIGITS).samples
    path = tmp_path_factory.mktemp("call") / "call.wav"
    soundfile.write(path, np.stack([samples, np.roll(samples, 24_000)], axis=1), 16_000)
    return path


def test_each_channel_s_speaker_is_named_over_http(real: Engine, call: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with TestClient(build_app(real, files=tmp_path)) as client:

        def asked(**fields: str) -> httpx.Response:
            data = {"channel": "split", **fields}
            return client.post("/v1/audio/transcriptions", files={"file": ("call.wav", call.read_bytes())}, data=data)

        answer = asked(**{"response_format": "verbose_json", "timestamp_granularities[]": ["segment", "word"]}).json()
        assert [segment["start"] for segment in answer["segments"]] == sorted(segment["start"] for segment in answer["segments"])
        assert {(segment["channel"], segment["speaker"]) for segment in answer["segments"]} == {(1, "Speaker 1"), (2, "Speaker 2")}
        assert {word["speaker"] for word in answer["words"]} == {"Speaker 1", "Speaker 2"}
        assert f"Speaker 1: {WRITTEN[0]}\n" in asked(response_format="text").text
        assert f"Speaker 1: {WRITTEN[0]}" in asked(response_format="srt").text
        assert "<v Speaker 2>" in asked(response_format="vtt").text
        assert "Speaker" not in asked(response_format="json").text
        mixed = asked(response_format="verbose_json", channel="auto").json()
        assert all("speaker" not in segment for segment in mixed["segments"])
        events = asked(stream="true").text
        done = json.loads([line for line in events.splitlines() if line.startswith("data: ")][-1].removeprefix("data: "))
        deltas = [json.loads(line[6:]).get("delta", "") for line in events.splitlines() if line.startswith("data: ")]
        assert "".join(deltas) == done["text"]


# ---- Gradio's clients ------------------------------------------------------------------------------------------------


def test_gradio_s_clients_list_tracks_and_choose(page: RunningPage, film: Path) -> None:
    client = gradio_client.Client(page.address, verbose=False)
    audio = gradio_client.handle_file(str(film))
    assert [track["default"] for track in client.predict(audio=audio, api_name="/tracks")] == [False, True]
    client.predict(audio=audio, channel="right", track=1, api_name="/transcribe")
    assert page.engine.calls[-1].read == ReadOptions(channel=Channel.RIGHT, track=1)
    with pytest.raises(Exception, match="unknown channel 'middle'"):
        client.predict(audio=audio, channel="middle", api_name="/transcribe")


# ---- the page's queue ------------------------------------------------------------------------------------------------


def test_a_row_offers_the_tracks_where_there_are_several(ask: QueueClient, queue: RecordingQueue, film: Path, two_words: Path) -> None:
    queue.add(film, "film.mkv")
    queue.add(two_words, "one.wav")
    several, one = (row["html"] for row in ask("").json()["rows"])
    assert '<option value="1">1: A &lt;comment&gt;, eng, aac, mono</option>' in several
    assert '<option value="2" selected>2: The talk, chi, aac, mono · default</option>' in several
    assert "<select" not in one
    assert "音轨" in ask("", language="zh").json()["rows"][0]["html"]


def test_a_track_is_chosen_kept_and_passed_to_the_engine(ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, film: Path) -> None:
    entry = queue.add(film, "film.mkv")
    assert ask.post(f"/{entry.id}/track/1").status_code == 200
    assert '<option value="1" selected>' in ask("").json()["rows"][0]["html"]
    runner.submit(queue, TranscribeOptions(read=ReadOptions(channel="split")))
    wait(queue)
    assert runner._engine.calls[-1].read == ReadOptions(channel=Channel.SPLIT, track=1)
    assert ask.post(f"/{entry.id}/track/2").status_code == 200  # its transcript stays, and the other track is a new recording
    first, second = queue.entries()
    assert (first.state, first.track, second.state, second.track) == (EntryState.DONE, 1, EntryState.READY, 2)
    assert queue.selected == second
    runner.submit(queue, TranscribeOptions())
    wait(queue)
    assert runner._engine.calls[-1].read == ReadOptions(track=2)
    runner.submit(queue, TranscribeOptions())  # once more, in the same track
    wait(queue)
    assert queue.entries()[-1].track == 2


@pytest.mark.parametrize("number", ["0", "3", "x"])
def test_a_track_that_is_not_there_is_not_chosen(ask: QueueClient, queue: RecordingQueue, film: Path, number: str) -> None:
    entry = queue.add(film, "film.mkv")
    assert ask.post(f"/{entry.id}/track/{number}").status_code in (404, 422)
    assert queue.find(entry.id) == entry
    assert ask.post("/nobody/track/1").status_code == 404


def test_a_running_recording_keeps_its_track(queue: RecordingQueue, film: Path) -> None:
    entry = queue.add(film, "film.mkv")
    queue.submit(TranscribeOptions())
    queue.begin()
    assert queue.choose_track(entry.id, 1) is None
    queue.cancel_all()
    assert queue.choose_track(entry.id, 1).track == 1


def test_speakers_are_named_on_the_page(
    ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path, monkeypatch: Any
) -> None:
    from dataclasses import replace

    once = type(runner._engine).transcribe

    def apart(self: Any, *arguments: Any, **options: Any) -> Any:
        found = once(self, *arguments, **options)
        return replace(found, segments=tuple(replace(one, channel=number) for number, one in enumerate(found.segments, start=1)))

    monkeypatch.setattr(type(runner._engine), "transcribe", apart)
    [entry_id] = transcribed(runner, queue, two_words, "call.wav")
    shown = ask(f"/{entry_id}/segments").json()
    assert shown["channel"] == [1, 2]
    assert "Speaker 2: " in ask(f"/{entry_id}.srt").text


# ---- options and names -----------------------------------------------------------------------------------------------


def test_every_choice_of_channels_has_words_and_is_remembered() -> None:
    for language in ("en", "zh"):
        shown = channel_choices(Texts(language))
        assert [value for _, value in shown] == list(CHANNELS)
        assert len({said for said, _ in shown}) == len(CHANNELS)
    assert remembered({"channel": "split"}, precisions=["fp32"]).transcribe.read.channel == "split"
    assert remembered({"channel": "middle"}, precisions=["fp32"]).transcribe.read.channel == "auto"


def test_the_drop_zone_takes_files_of_any_name(page: RunningPage) -> None:
    components = httpx.get(f"{page.address}/config").json()["components"]
    ours = [one for one in components if str(one["props"].get("elem_id")).startswith("lv-transcribe")]
    boxes = [one for one in ours if one["type"] in {"file", "uploadbutton"}]
    assert boxes
    assert [box["props"].get("file_types") for box in boxes] == [None] * len(boxes)


@pytest.mark.parametrize("name", ["录" * 200 + ".wav", "x" * 250 + ".caf", "no extension"])
def test_uploads_of_any_name_come_into_the_queue(page: RunningPage, queue: RecordingQueue, two_words: Path, name: str) -> None:
    answer = httpx.post(f"{page.address}/gradio_api/upload", files={"files": (name, two_words.read_bytes())}, timeout=WAIT_S)
    assert answer.status_code == 200
    entry = queue.add(Path(answer.json()[0]), name)
    assert (entry.duration_s, entry.tracks[0].number) == (3.0, 1)


def test_long_names_become_names_of_downloads_that_a_disk_takes(real: Engine, tmp_path: Path, two_words: Path) -> None:
    for name in ("录" * 200 + ".wav", "😀" * 90 + ".wav", "caf\udce9.wav"):
        assert 0 < len(f"{file_stem(name)}.json".encode()) <= 255
    with TestClient(slim_app(real, Decoder(), files=tmp_path / "files", limits=Limits())) as client:
        wav = two_words.read_bytes()
        answer = client.post("/transcribe", params={"name": "录" * 200 + ".wav"}, content=wav, headers={"content-type": SOUND})
        assert answer.status_code == 200, answer.text


def test_tracks_of_an_entry_are_those_of_its_header(tmp_path: Path, two_words: Path) -> None:
    queue = RecordingQueue("0" * 32, tmp_path / "queue", probe=probe)
    assert queue.add(two_words, "a.wav").tracks == (Track(number=1, codec="PCM_16", channels=1, sample_rate_hz=16_000, default=True),)
    (tmp_path / "notes.txt").write_text("no audio", encoding="utf-8")
    assert queue.add(tmp_path / "notes.txt", "notes.txt").tracks == ()


def test_too_many_lookers_are_asked_to_come_back(page: RunningPage, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.api.track_routes.MOST_LOOKED_INTO", 0)
    answer = post(page, film, path="tracks")
    assert (answer.status_code, "retry-after" in answer.headers) == (429, True)
