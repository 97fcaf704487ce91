"""RemoteEngine against a server that speaks its protocol and fails as clusters fail: broken answers, lost replicas, no place."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app import main
from engine.audio.read_options import ReadOptions
from engine.audio.waveform import load_audio
from engine.cluster.serve.remote_engine import ATTEMPTS, RemoteEngine
from engine.cluster.serve.serving import Replica
from engine.errors import (
    AudioDecodeError,
    AudioNotFoundError,
    EngineBusyError,
    EngineUnreachableError,
    NotOfferedError,
    OptionError,
    OptionRangeError,
    UnknownPrecisionError,
)
from engine.options import VAD_OFF, TranscribeOptions
from engine.speech.decoding.hotwords import Hotword
from engine.speech.endpointing import VadOptions
from tests.engine.cluster.conftest import spoken
from tests.reading import DECODER
from tests.starter_facts import DIGITS
from tests.two_tracks import RATE, write_two_tracks
from tests.waiting import until
from ui.serve import build_app
from ui.text.texts import Texts
from ui.widgets.banner import header_html

#: What the server does with its next requests; None: it answers.
Fault = Callable[[Iterator[str]], Response]


class ServedHere:
    """Replicas of this process behind HTTP; ``faults`` are done to the next runs, one after the other."""

    def __init__(self, bundle: Path) -> None:
        self.replicas = {name: Replica(str(bundle), name, "cpu", 1) for name in ("fp32", "int8")}
        self.manifest = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
        self.faults: list[Fault] = []
        self.asked: list[dict] = []

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/speech/engine", self.describe), Route("/speech/transcribe", self.transcribe, methods=["POST"])])

    async def describe(self, _: Request) -> Response:
        return JSONResponse({"bundle": self.manifest, "precisions": list(self.replicas)})

    async def transcribe(self, request: Request) -> Response:
        values = json.loads(request.query_params["options"])
        self.asked.append(dict(values))
        lines = self.replicas[values.pop("precision")].transcribe(await request.body(), values)
        return self.faults.pop(0)(lines) if self.faults else StreamingResponse(lines)


@pytest.fixture(scope="module")
def serving(starter_bundle: Path) -> Iterator[tuple[ServedHere, str]]:
    served = ServedHere(starter_bundle)
    server = uvicorn.Server(uvicorn.Config(served.app(), host="127.0.0.1", port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive())
    port = server.servers[0].sockets[0].getsockname()[1]
    yield served, f"ray://127.0.0.1:{port}/speech"
    server.should_exit = True
    thread.join()


@pytest.fixture
def served(serving) -> ServedHere:
    serving[0].faults.clear()
    serving[0].asked.clear()
    return serving[0]


@pytest.fixture
def remote(serving, monkeypatch) -> RemoteEngine:
    monkeypatch.setattr("engine.cluster.serve.remote_engine._PAUSE_S", 0.001)
    return RemoteEngine(serving[1], busy_wait_s=0.2)


def broken_off(lines: Iterator[str]) -> Response:
    """As far as the first segment, and then the connection is gone."""
    kept = list(itertools.takewhile(lambda said: '"transcript"' not in said, lines))
    first = next(place for place, said in enumerate(kept) if said.startswith('{"segment"'))

    async def until() -> Iterator[str]:
        for said in kept[: first + 1]:
            yield said
        raise ConnectionResetError

    return StreamingResponse(until())


def lost(_: Iterator[str]) -> Response:
    return Response("the replica died", status_code=500)


def busy(_: Iterator[str]) -> Response:
    return JSONResponse({"error": "busy"}, status_code=503)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_it_says_what_the_engine_of_this_process_says(served, remote, engine, precision):
    options = TranscribeOptions(language="en", itn=False, precision=precision, vad_precision=VAD_OFF, vad=VadOptions(max_segment_ms=2_000))
    here, there = (one.transcribe(DECODER.open(DIGITS), options) for one in (engine, remote))
    assert there.segments == here.segments
    assert spoken(there.to_dict()) == spoken(here.to_dict())


def test_a_language_goes_to_the_cluster_as_our_code(served, remote):
    """Whatever the page's or a program's own name for it was: the cluster may be an older one."""
    remote.transcribe(DECODER.open(DIGITS), TranscribeOptions(language="en-US"))
    remote.transcribe(DECODER.open(DIGITS), TranscribeOptions(language="粤语"))
    assert [asked["language"] for asked in served.asked] == ["en", "yue"]
    assert remote.transcribe(DECODER.open(DIGITS), TranscribeOptions(language="EN")).segments


def test_thousands_of_hotwords_go_to_the_cluster(served, remote, engine):
    """In the body: an address has no room for them."""
    options = TranscribeOptions(hotwords=tuple(Hotword(f"name number {number}", 0.2) for number in range(3_000)), n_best=2)
    here = engine.transcribe(DECODER.open(DIGITS), options)
    for recording in (DECODER.open(DIGITS), load_audio(DIGITS)):
        there = remote.transcribe(recording, options)
        assert (there.segments, there.warnings) == (here.segments, here.warnings)
    assert all("hotwords" not in asked and asked["hotwords_bytes"] > 60_000 for asked in served.asked)


def test_a_decoded_recording_loses_nothing_on_its_way(served, remote, engine):
    waveform = load_audio(DIGITS)
    here, there = engine.transcribe(waveform), remote.transcribe(waveform)
    assert there.segments == here.segments
    assert (there.speech_track == here.speech_track).all()


def test_progress_and_segments_are_reported_as_they_come(served, remote, engine):
    stages, segments = [], []
    transcript = remote.transcribe(
        DECODER.open(DIGITS), progress=lambda share, stage: stages.append((share, stage)), on_segment=segments.append
    )
    assert tuple(segments) == transcript.segments
    assert [stage for stage, _ in itertools.groupby(name for _, name in stages)] == ["decode", "features", "vad", "asr"]


@pytest.mark.parametrize("faults", [[broken_off], [lost], [busy], [broken_off, lost, busy, broken_off]])
def test_what_fails_on_the_way_is_asked_again_and_nothing_is_reported_twice(served, remote, engine, faults):
    served.faults.extend(faults)
    segments = []
    transcript = remote.transcribe(DECODER.open(DIGITS), on_segment=segments.append)
    assert transcript.segments == engine.transcribe(DECODER.open(DIGITS)).segments
    assert tuple(segments) == transcript.segments
    assert len(served.asked) == len(faults) + 1


def test_a_cluster_that_stays_busy_is_said_to_be(served, remote):
    served.faults.extend([busy] * 1_000)
    with pytest.raises(EngineBusyError, match="no place"):
        remote.transcribe(DECODER.open(DIGITS))


def test_a_cluster_that_stays_broken_is_said_to_be(served, remote):
    served.faults.extend([lost] * ATTEMPTS)
    with pytest.raises(EngineUnreachableError, match="HTTP 500"):
        remote.transcribe(DECODER.open(DIGITS))


def test_errors_keep_their_class_and_message(served, remote, tmp_path):
    (tmp_path / "junk.wav").write_bytes(b"junk")
    with pytest.raises(AudioDecodeError, match=r"cannot read junk\.wav as audio"):
        remote.transcribe(DECODER.open(tmp_path / "junk.wav"))
    with pytest.raises(AudioNotFoundError):
        remote.transcribe(DECODER.open(tmp_path / "gone.wav"))
    with pytest.raises(UnknownPrecisionError):
        remote.transcribe(DECODER.open(DIGITS), TranscribeOptions(precision="fp64"))
    with pytest.raises(OptionRangeError):
        VadOptions(max_segment_ms=1)


def test_what_a_callback_raises_ends_the_run(served, remote):
    class EnoughError(Exception):
        pass

    def stop(*_: object) -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        remote.transcribe(DECODER.open(DIGITS), progress=stop)
    assert len(served.asked) == 1


def test_lightweight_mode_chooses_where_requests_go(served, remote):
    assert (remote.precision, remote.lightweight) == ("fp32", False)
    assert remote.set_lightweight(True).precision == "int8"
    assert remote.transcribe(DECODER.open(DIGITS)).precision == "int8"
    assert remote.set_lightweight(False).to_dict()["freed_mb"] == 0


def test_two_precisions_are_compared(served, remote, engine):
    there, here = (one.compare(load_audio(DIGITS)) for one in (remote, engine))
    assert (there.left.transcript.text, there.right.transcript.text) == (here.left.transcript.text, here.right.transcript.text)
    assert there.left.sessions_mb > 0
    assert there.left.file_mb == here.left.file_mb


def test_what_it_does_not_offer_it_names(served, remote):
    for ask in (remote.live, lambda: remote.switch(remote.bundle)):
        with pytest.raises(NotOfferedError, match="not offered"):
            ask()


@pytest.mark.parametrize("address", ["http://host/app", "ray://", "host:1"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(OptionError, match="ray://HOST:PORT/APPLICATION"):
        RemoteEngine(address)


def test_an_address_where_nobody_answers_is_named(monkeypatch):
    monkeypatch.setattr("engine.cluster.serve.remote_engine._PAUSE_S", 0.001)
    with pytest.raises(EngineUnreachableError, match=r"127\.0\.0\.1:9"):
        RemoteEngine("ray://127.0.0.1:9/speech")


def test_the_page_and_its_api_are_clients(served, remote, tmp_path, engine):
    with TestClient(build_app(remote, files=tmp_path)) as client:
        assert client.get("/healthz").json() == {"status": "ok", "bundle": "starter", "precision": "fp32"}
        assert {one["id"] for one in client.get("/v1/models").json()["data"]} == {"starter:fp32", "starter:int8"}
        with DIGITS.open("rb") as file:
            answer = client.post("/v1/audio/transcriptions", files={"file": file}, data={"model": "starter:int8"})
        assert answer.json()["text"] == engine.transcribe(DECODER.open(DIGITS), TranscribeOptions(precision="int8")).text
        served.faults.extend([busy] * 1_000)
        with DIGITS.open("rb") as file:
            assert client.post("/v1/audio/transcriptions", files={"file": file}).status_code == 429


def test_the_slim_page_is_a_client_too(served, remote, tmp_path):
    with TestClient(build_app(remote, files=tmp_path, slim=True)) as client:
        assert client.get("/healthz").json()["bundle"] == "starter"


def test_live_transcription_is_refused_with_the_reason(served, remote, tmp_path):
    with TestClient(build_app(remote, files=tmp_path)) as client:
        block = {"content": b"\0\0" * 1600, "headers": {"content-type": "application/octet-stream"}}
        told = client.post(f"/live/{'a' * 32}/blocks/0?rate=16000", **block).json()
    assert told["over"]
    assert "not offered" in told["failure"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_says_where_its_models_run(language):
    texts = Texts(language)
    assert "ray://host:8000/speech" in header_html(texts, "ray://host:8000/speech")
    assert "lv-note" not in header_html(texts)


def test_one_speaker_a_channel_and_a_chosen_channel_reach_the_cluster(served, remote, engine, tmp_path):
    samples = load_audio(DIGITS).samples
    soundfile.write(tmp_path / "call.wav", np.stack([samples, np.roll(samples, 24_000)], axis=1), 16_000)
    for channel in ("split", "left", "auto"):
        read = ReadOptions(channel=channel)
        told = []
        found = remote.transcribe(DECODER.open(tmp_path / "call.wav", read=read), on_segment=told.append)
        expected = engine.transcribe(DECODER.open(tmp_path / "call.wav", read=read))
        assert [one.to_dict() for one in found.segments] == [one.to_dict() for one in expected.segments]
        assert [segment.speaker for segment in told] == [segment.speaker for segment in expected.segments]
        assert found.duration_s == expected.duration_s


def test_what_could_not_be_read_here_is_known_there_whichever_way_it_was_sent(served, remote, engine, tmp_path):
    samples = np.tile(load_audio(DIGITS).samples, 2)
    soundfile.write(tmp_path / "cut.wav", np.stack([samples, np.roll(samples, 24_000)], axis=1), 16_000)
    content = (tmp_path / "cut.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[: len(content) // 2])
    for channel in ("split", "right", "auto"):
        # With a limit, which is kept here: without one, a file in its default reading is sent as it is.
        read = ReadOptions(channel=channel)
        recordings = [DECODER.open(tmp_path / "cut.wav", max_duration_s=60, read=read) for _ in range(2)]
        here, there = engine.transcribe(recordings[0]), remote.transcribe(recordings[1])
        assert [warning.type.value for warning in here.warnings] == ["ends_early"]
        assert there.warnings == here.warnings
        assert {one.speaker for one in there.segments} == ({"Speaker 1", "Speaker 2"} if channel == "split" else {None})
        assert there.timing.decode_s >= recordings[1].decode_s > 0
    assert remote.transcribe(DECODER.open(tmp_path / "cut.wav")).warnings == here.warnings
    assert remote.transcribe(DECODER.load(tmp_path / "cut.wav")).warnings == here.warnings


def test_the_command_line_names_the_track_that_a_cluster_reads(served, serving, tmp_path, capfd):
    silence, loud = np.zeros(48_000, np.float32), np.repeat(load_audio(DIGITS).samples, RATE // 16_000)
    film = write_two_tracks(tmp_path / "film.mkv", silence, loud, default=2, codec="flac")
    assert main(["transcribe", str(film), "--engine", serving[1]]) == 0
    said = capfd.readouterr()
    assert json.loads(said.out)["segments"]
    assert "film.mkv: 2 audio tracks, of which '2: The talk, chi, flac, mono' was read; --track N" in said.err
    assert "samples" not in served.asked[-1]  # the file went as it is
