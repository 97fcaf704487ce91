"""What of a live stream is in the history when it is over: its words always, its sound where its owner wishes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fastapi import FastAPI
from starlette.testclient import TestClient

from engine.options import TranscribeOptions
from tests.ui.history.kept import ANN, held
from tests.ui.html_reader import Reader
from tests.ui.live.fake_streams import BINARY, IDS, QUARTER, FakeEngine
from ui.history.history import History
from ui.history.kept_transcript import Keep, KeptTranscript
from ui.history.options import HistoryOptions
from ui.live.routes import live_routes
from ui.live.sessions import GONE_AFTER_S, LiveSessions

TONE = (8_000 * np.sin(np.arange(12_000) * 0.1)).astype(np.int16)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(HistoryOptions(folder=tmp_path / "history"))
    history.store._busy_s = 0.0
    yield history
    history.close()


def rows(history: History) -> list[KeptTranscript]:
    """Ann's history, once all that is on its way has arrived."""
    history.settle(list(history._waiting) + ([history._writing.id] if history._writing else []), within_s=60)
    return history.store.page(ANN)


def speak(sessions: LiveSessions, *, blocks: int = 4, rates: tuple[int, ...] = (48_000,)) -> None:
    session = sessions.open(IDS[0], TranscribeOptions(), owner=ANN)
    for number in range(blocks):
        session.add(number, TONE, rates[number % len(rates)])


def test_what_was_said_is_kept_when_the_person_stops(history: History) -> None:
    sessions = LiveSessions(FakeEngine(), max_duration_s=None, history=history)
    speak(sessions)
    session = sessions.find(IDS[0])
    assert session is not None and session.kept is not None
    session.finish()
    assert session.kept.failure() is None
    (row,) = rows(history)
    assert (row.kind, row.text, row.sound) == ("live", "one two one two", False)
    assert row.name.startswith("live ")
    sessions.close()
    assert len(rows(history)) == 1


@pytest.mark.parametrize("how", ["leave", "sweep", "close"])
def test_what_was_said_is_kept_when_the_page_or_the_server_goes_away(history: History, how: str) -> None:
    now_s = [0.0]
    sessions = LiveSessions(FakeEngine(), max_duration_s=None, history=history, clock_s=lambda: now_s[0])
    speak(sessions)
    now_s[0] = GONE_AFTER_S + 1
    {"leave": lambda: sessions.leave(IDS[0]), "sweep": sessions.sweep, "close": sessions.close}[how]()
    assert [row.text for row in rows(history)] == ["one two"]
    sessions.close()


def test_the_sound_is_kept_for_who_wishes_it_and_played_again(history: History) -> None:
    history.store.choose(ANN, Keep.SOUND)
    sessions = LiveSessions(FakeEngine(), max_duration_s=None, history=history)
    speak(sessions, blocks=8)
    sessions.close()
    (row,) = rows(history)
    _, result, sound = history.open(ANN, row.id)
    assert sound is not None
    samples, rate = soundfile.read(sound)
    assert (len(samples), rate) == (8 * len(TONE), 48_000)
    assert np.abs(samples[: len(TONE)] - TONE / 32_768).max() < 1e-3
    assert result.peaks.max() == pytest.approx(TONE.max() / 32_768, abs=1e-3)
    assert [path.name for path in sound.parent.iterdir()] == [sound.name]  # nothing half written is left


def test_of_a_stream_whose_rate_changes_the_words_alone_are_kept(history: History) -> None:
    history.store.choose(ANN, Keep.SOUND)
    sessions = LiveSessions(FakeEngine(), max_duration_s=None, history=history)
    speak(sessions, rates=(48_000, 44_100))
    sessions.close()
    assert [(row.text, row.sound) for row in rows(history)] == [("one two", False)]
    assert list(history.sounds.path("a" * 32).parent.iterdir()) == []


@pytest.mark.parametrize("keep", [Keep.SOUND, Keep.TEXT])
def test_silence_and_who_wants_nothing_kept_leave_nothing(history: History, keep: Keep) -> None:
    history.store.choose(ANN, keep)
    sessions = LiveSessions(FakeEngine(), max_duration_s=None, history=history)
    speak(sessions, blocks=2)  # no segment has ended
    sessions.close()
    history.store.choose(ANN, Keep.NOTHING)
    sessions = LiveSessions(FakeEngine(), max_duration_s=None, history=history)
    speak(sessions)
    sessions.close()
    assert rows(history) == []
    folder = history.sounds.path("a" * 32).parent
    assert not folder.exists() or list(folder.iterdir()) == []


def test_a_history_that_takes_nothing_is_said_at_the_end_and_what_was_said_stays(history: History) -> None:
    app = FastAPI()
    app.include_router(live_routes(LiveSessions(FakeEngine(), max_duration_s=None, history=history)))
    client = TestClient(app, headers={"accept-language": "en"})
    other = held(history)
    for number in range(4):
        answer = client.post(f"/live/{IDS[0]}/blocks/{number}?rate=16000", content=QUARTER.tobytes(), headers=BINARY)
        assert answer.status_code == 200
    news = client.post(f"/live/{IDS[0]}/end", headers=BINARY).json()
    assert "not in the history" in Reader(news["notes"]).text
    assert "one two" in client.get(f"/live/{IDS[0]}/transcript.txt").text
    other.close()
