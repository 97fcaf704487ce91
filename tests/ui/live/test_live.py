"""The Live tab's server side: blocks that count once, streams that end, pages that go away, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gradio", reason="the page needs gradio")

from fastapi import FastAPI
from starlette.testclient import TestClient

from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from engine.bundle import Bundle
from engine.errors import SessionError, TooManyStreamsError
from engine.formats import FORMATS
from engine.live import Final, Partial
from engine.options import TranscribeOptions
from engine.pipeline import Engine
from engine.speech.endpointing import VadOptions
from engine.transcript import Transcript
from tests.starter_facts import DIGITS
from tests.transcripts import segment
from tests.ui.live.fake_streams import BINARY, IDS, QUARTER, FakeEngine
from ui.live.routes import MOST_BYTES, live_routes
from ui.live.sessions import GONE_AFTER_S, KEPT_S, MOST_RUNNING, LiveSessions, LostBlockError
from ui.live.stage_html import final_html, partial_html, stage_html
from ui.serve import build_app
from ui.status.run_log import RunLog
from ui.text.texts import Texts


@pytest.fixture
def engine_on_starter(starter_bundle: Path) -> Iterator[Engine]:
    real = Engine(Bundle.load(starter_bundle))
    yield real
    real.close()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def clock() -> SimpleNamespace:
    return SimpleNamespace(now_s=0.0)


@pytest.fixture
def counted() -> list[tuple[Transcript, str]]:
    """The runs that were noted, and who asked for each."""
    return []


@pytest.fixture
def sessions(engine: FakeEngine, clock: SimpleNamespace, counted: list[tuple[Transcript, str]]) -> Iterator[LiveSessions]:
    runs = RunLog(count=lambda transcript, source: counted.append((transcript, source)))
    sessions = LiveSessions(engine, max_duration_s=10.0, clock_s=lambda: clock.now_s, runs=runs)
    yield sessions
    sessions.close()


@pytest.fixture
def client(sessions: LiveSessions) -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(live_routes(sessions))
    with TestClient(app) as client:
        yield client


def send(client: TestClient, number: int, samples: np.ndarray = QUARTER, *, stream: str = IDS[0], query: str = "rate=16000") -> Any:
    return client.post(f"/live/{stream}/blocks/{number}?{query}", content=samples.astype("<i2").tobytes(), headers=BINARY)


def test_a_block_that_comes_twice_counts_once(sessions: LiveSessions, engine: FakeEngine) -> None:
    session = sessions.open(IDS[0], TranscribeOptions())
    first = session.add(0, QUARTER, 16_000)
    assert session.add(0, QUARTER, 16_000) is first
    assert engine.streams[0].blocks == 1
    assert session.add(1, QUARTER, 16_000) is not first


@pytest.mark.parametrize("end", ["finish", "leave"])
def test_a_stream_is_counted_once_when_it_is_over(sessions: LiveSessions, counted: list[tuple[Transcript, str]], end: str) -> None:
    session = sessions.open(IDS[0], TranscribeOptions())
    for number in range(5):
        session.add(number, QUARTER, 16_000)
    assert not counted
    if end == "finish":
        session.finish()
    sessions.leave(IDS[0])
    sessions.close()
    [(transcript, source)] = counted
    assert source == "live" and transcript.segments and transcript.bundle


def test_a_stream_in_which_nobody_spoke_is_not_counted(sessions: LiveSessions, counted: list[tuple[Transcript, str]]) -> None:
    sessions.open(IDS[0], TranscribeOptions()).add(0, QUARTER, 16_000)
    sessions.leave(IDS[0])
    assert not counted


def test_a_block_out_of_turn_is_refused(sessions: LiveSessions) -> None:
    session = sessions.open(IDS[0], TranscribeOptions())
    session.add(0, QUARTER, 16_000)
    with pytest.raises(LostBlockError, match="block 2 came where block 1"):
        session.add(2, QUARTER, 16_000)


def test_finals_are_numbered_and_the_transcript_holds_them_all(sessions: LiveSessions) -> None:
    session = sessions.open(IDS[0], TranscribeOptions())
    news = [session.add(number, QUARTER, 16_000) for number in range(8)]
    assert [one.first_index for one in news if one.finals] == [0, 1]
    last = session.finish()
    assert (last.first_index, last.over, last.partial) == (2, True, None)
    assert session.finish() is last  # a second press changes nothing
    transcript = session.transcript()
    assert [one.text for one in transcript.segments] == ["one two"] * 3
    assert (transcript.precision, transcript.bundle, transcript.duration_s, transcript.timing.rtf) == ("fp32", "fake", 2.0, 0.3)


def test_a_stream_has_a_longest_length(sessions: LiveSessions, engine: FakeEngine) -> None:
    session = sessions.open(IDS[0], TranscribeOptions())
    news = [session.add(number, QUARTER, 16_000) for number in range(42)]
    assert [one.over for one in news].index(True) == 40
    assert news[40].full
    assert news[40].finals  # the last segment is not lost
    assert news[41] is news[40]
    assert engine.streams[0].closed


@pytest.mark.parametrize(
    ("error", "title"), [(SessionError("the model is gone"), "model cannot be run"), (RuntimeError("secret"), "did not work")]
)
def test_an_error_ends_the_stream_and_keeps_what_was_said(client: TestClient, engine: FakeEngine, error: Exception, title: str) -> None:
    for number in range(4):
        send(client, number)
    engine.streams[0].error = error
    told = send(client, 4).json()
    assert told["over"] is True
    assert title in told["failure"]
    assert "secret" not in told["failure"]
    assert engine.streams[0].closed
    assert "one two" in client.get(f"/live/{IDS[0]}/transcript.txt").text


def test_people_have_streams_of_their_own_and_not_too_many(sessions: LiveSessions, engine: FakeEngine) -> None:
    for stream_id in IDS[:MOST_RUNNING]:
        sessions.open(stream_id, TranscribeOptions()).add(0, QUARTER, 16_000)
    assert [stream.blocks for stream in engine.streams] == [1] * MOST_RUNNING
    with pytest.raises(TooManyStreamsError, match="try again"):
        sessions.open(IDS[-1], TranscribeOptions())
    sessions.find(IDS[0]).finish()
    sessions.open(IDS[-1], TranscribeOptions())
    assert sessions.running() == MOST_RUNNING


def test_the_models_are_released_when_the_page_is_closed(sessions: LiveSessions, engine: FakeEngine, clock: SimpleNamespace) -> None:
    sessions.open(IDS[0], TranscribeOptions()).add(0, QUARTER, 16_000)
    sessions.open(IDS[1], TranscribeOptions()).add(0, QUARTER, 16_000)
    sessions.leave(IDS[0])
    assert sessions.find(IDS[0]) is None
    assert [stream.closed for stream in engine.streams] == [1, 0]
    clock.now_s += GONE_AFTER_S + 1  # the other one's browser crashed
    sessions.sweep()
    assert engine.streams[1].closed == 1
    assert sessions.running() == 0
    assert sessions.find(IDS[1]) is not None  # what was said waits for its page
    clock.now_s += KEPT_S + 1
    sessions.sweep()
    assert sessions.find(IDS[1]) is None


def test_a_server_that_ends_lets_everything_go(sessions: LiveSessions, engine: FakeEngine) -> None:
    sessions.open(IDS[0], TranscribeOptions())
    sessions.close()
    assert engine.streams[0].closed == 1
    assert sessions.running() == 0


def test_the_first_block_brings_the_options(client: TestClient, engine: FakeEngine) -> None:
    send(client, 0, query="rate=48000&language=en&itn=false&ban=true&pause=400")
    options = TranscribeOptions(language="en", itn=False, ban_emo_unknown=True, vad=VadOptions(max_end_silence_ms=400))
    assert engine.options == [options]


@pytest.mark.parametrize("query", ["rate=16000&pause=5", "rate=16000&pause=70000"])
def test_options_that_are_not_on_offer_are_said(client: TestClient, query: str) -> None:
    told = send(client, 0, query=query).json()
    assert told["over"]
    assert "max_end_silence_ms" in told["failure"]


@pytest.mark.parametrize(
    ("path", "content", "headers", "status"),
    [
        (f"/live/{IDS[0]}/blocks/0?rate=16000", b"", {"content-type": "text/plain"}, 415),  # what another page can send
        (f"/live/{IDS[0]}/blocks/0?rate=16000", b"abc", BINARY, 400),
        (f"/live/{IDS[0]}/blocks/0?rate=16000", bytes(MOST_BYTES + 2), BINARY, 413),
        (f"/live/{IDS[0]}/blocks/0?rate=1", b"ab", BINARY, 422),
        (f"/live/{IDS[0]}/blocks/7?rate=16000", b"ab", BINARY, 404),
        ("/live/no-such-stream/blocks/0?rate=16000", b"ab", BINARY, 404),
        (f"/live/{IDS[1]}/end", b"", {}, 404),
    ],
)
def test_what_no_page_of_ours_sends_is_refused(
    client: TestClient, engine: FakeEngine, path: str, content: bytes, headers: dict[str, str], status: int
) -> None:
    assert client.post(path, content=content, headers=headers).status_code == status
    assert engine.streams == []


def test_a_lost_block_is_a_conflict(client: TestClient) -> None:
    assert send(client, 0).status_code == 200
    assert send(client, 5).status_code == 409


def test_leaving_forgets_what_was_said(client: TestClient) -> None:
    send(client, 0)
    assert client.get(f"/live/{IDS[0]}/transcript.txt").status_code == 200
    assert client.get(f"/live/{IDS[0]}/transcript.exe").status_code == 404
    assert client.get(f"/live/{IDS[0]}/transcript.srt?max_line_width=20").status_code == 200
    assert client.get(f"/live/{IDS[0]}/transcript.srt?max_line_width=2").status_code == 422
    assert client.post(f"/live/{IDS[0]}/leave").status_code == 200
    assert client.get(f"/live/{IDS[0]}/transcript.txt").status_code == 404


def test_words_are_never_markup() -> None:
    final = Final(segment=segment(0, 900, "<img src=x>"), bundle="fake", precision="fp32", latency_s=0.5)
    partial = Partial(start_ms=0, end_ms=1, text="<b>", precision="fp32", delay_s=0.1)
    for html in (final_html(0, final, Texts("en")), partial_html(partial, Texts("en"))):
        assert "<img" not in html
        assert "<b>" not in html
    assert partial_html(None, Texts("en")) == ""


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_stage_holds_every_word_that_the_script_says(language: str) -> None:
    script = (Path(__file__).resolve().parents[3] / "ui" / "assets" / "live.js").read_text(encoding="utf-8")
    html = stage_html(Texts(language))
    for state in ("ready", "opening", "listening", "stopping", "stopped", "denied", "no-device", "insecure", "lost", "full", "failed"):
        assert f"data-{state}=" in html
    for place in ("stage", "state", "level", "status", "text", "empty", "earlier", "segments", "partial", "tools", "copied"):
        assert f'id="lv-live-{place}"' in html
        assert f'"{place}"' in script


def test_speech_becomes_text_and_files(starter_bundle: Path) -> None:
    """The whole way over the real engine: blocks at 48 kHz in, the segments of one pass out, in every format."""
    real = Engine(Bundle.load(starter_bundle))
    sessions, app = LiveSessions(real, max_duration_s=None), FastAPI()
    app.include_router(live_routes(sessions))
    samples = (load_audio(DIGITS).samples * 32767).astype(np.int16)
    with TestClient(app) as client:
        texts, partials = [], 0
        for number, start in enumerate(range(0, len(samples), 4_000)):
            told = send(client, number, samples[start : start + 4_000]).json()
            texts += told["segments"]
            partials += bool(told["partial"])
            assert "FP32" in told["status"]
        texts += client.post(f"/live/{IDS[0]}/end").json()["segments"]
        expected = real.transcribe(load_audio(DIGITS)).segments
        assert len(texts) == len(expected) == 2
        assert partials > 2
        for html, one in zip(texts, expected, strict=True):
            assert one.text in html
        for output_format in FORMATS:
            answer = client.get(f"/live/{IDS[0]}/transcript.{output_format}")
            assert "attachment" in answer.headers["content-disposition"]
            assert expected[0].text in answer.text
        parsed = json.loads(client.get(f"/live/{IDS[0]}/transcript.json").text)
        assert parsed["duration_s"] == pytest.approx(len(samples) / SAMPLE_RATE_HZ, abs=0.01)
    sessions.close()
    real.close()


def test_a_server_that_stops_lets_whoever_speaks_go(engine_on_starter: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    samples = (load_audio(DIGITS).samples * 32767).astype(np.int16)
    with TestClient(build_app(engine_on_starter, files=tmp_path)) as client:
        assert send(client, 0, samples[: 2 * SAMPLE_RATE_HZ]).json()["over"] is False
        engine_on_starter.set_lightweight(True)
        assert engine_on_starter.resources()["sessions"]  # the running segment holds FP32
    assert engine_on_starter.resources()["sessions"] == []


def test_a_stream_takes_a_language_by_its_tag_or_name(engine_on_starter: Engine, tmp_path: Path) -> None:
    app = build_app(engine_on_starter, files=tmp_path)
    with TestClient(app) as client:
        for number, language in enumerate(("zh-TW", "Chinese (Traditional, Taiwan)", "粤语", "EN")):
            query = {"rate": 16_000, "language": language}
            answer = client.post(f"/live/{IDS[number]}/blocks/0", params=query, content=QUARTER.tobytes(), headers=BINARY)
            assert answer.json()["failure"] is None
            client.post(f"/live/{IDS[number]}/leave")
        answer = client.post(
            f"/live/{IDS[5]}/blocks/0", params={"rate": 16_000, "language": "zn"}, content=QUARTER.tobytes(), headers=BINARY
        )
        assert "zn" in answer.json()["failure"]
