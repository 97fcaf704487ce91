"""Every edge of the page parses each option that it offers into the one value, which reaches the engine whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import gradio_client
import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from engine.errors import OptionChoiceError
from engine.live import LiveStream
from engine.options import DEFAULT_OPTIONS, TranscribeOptions
from tests.ui.conftest import RunningPage
from tests.ui.fake_engine import FakeEngine, InProcessDecoder
from ui.api.transcription_request import FIELDS, OPTION_FIELDS
from ui.compare.actions import OPTION_CONTROLS, CompareActions
from ui.limits import Limits
from ui.live.routes import live_routes
from ui.live.sessions import LiveSessions
from ui.models.state import ModelState
from ui.scheduling.run_slots import RunSlots
from ui.scheduling.server_folders import ServerFolders
from ui.slim.slim_app import SOUND, slim_app
from ui.transcribe.form import form_options
from ui.transcribe.form_options import CONTROLS, FormOptions

CHOSEN = {"language": "ja", "itn": False, "ban_emo_unknown": True, "precision": "int8", "channel": "left", "track": 1}
CHOSEN |= {"hotwords": "张三\n重庆火锅 3.0", "homophones": True, "n_best": 3}


def chosen(*names: str) -> dict[str, Any]:
    return {name: CHOSEN[name] for name in names}


def test_the_openai_form(page: RunningPage, two_words: Path) -> None:
    assert set(OPTION_FIELDS) == set(FIELDS) & set(DEFAULT_OPTIONS.to_dict()) == set(CHOSEN) - {"precision"}
    form = {**{name: str(value) for name, value in chosen(*OPTION_FIELDS).items()}, "model": "fake:int8", "response_format": "verbose_json"}
    with two_words.open("rb") as file:
        answer = httpx.post(f"{page.address}/v1/audio/transcriptions", files={"file": file}, data=form, timeout=60)
    assert answer.status_code == 200, answer.text
    assert page.engine.calls == [TranscribeOptions.parse(CHOSEN)]


def test_the_gradio_endpoints(page: RunningPage, two_words: Path) -> None:
    client = gradio_client.Client(page.address, verbose=False)
    audio = gradio_client.handle_file(str(two_words))
    own = chosen("language", "itn", "precision", "channel", "track", "hotwords", "homophones", "n_best")
    client.predict(audio=audio, **own, api_name="/transcribe")
    assert page.engine.calls == [TranscribeOptions.parse(own)]
    own = chosen("language", "itn", "channel", "track", "hotwords", "homophones")
    client.predict(audio=audio, **own, left="int8", right="fp32", api_name="/compare")
    assert page.engine.calls[1:] == [TranscribeOptions.parse({**own, "precision": name}) for name in ("int8", "fp32")]
    with pytest.raises(Exception, match="channel is 'split'; choose one of auto, mix, left, right"):
        client.predict(audio=audio, channel="split", api_name="/compare")
    client.close()


def test_the_form_of_the_page() -> None:
    own = chosen("language", "itn", "ban_emo_unknown", "channel", "hotwords", "homophones", "n_best")
    own |= {"vad_precision": "off", "max_end_silence_ms": 500, "speech_noise_threshold": 0.4}
    values = {**FormOptions().to_dict(), **own, "max_segment_s": 10}
    assert form_options([values[name] for name in CONTROLS]).transcribe == TranscribeOptions.parse({**own, "max_segment_ms": 10_000})
    offered = set(CONTROLS) & set(DEFAULT_OPTIONS.to_dict())
    assert offered == set(own)


def test_the_slim_page(tmp_path: Path, two_words: Path) -> None:
    engine, own = FakeEngine(), chosen("language", "itn", "channel")
    with TestClient(slim_app(engine, InProcessDecoder(), files=tmp_path, limits=Limits())) as client:
        query = {name: json.dumps(value).strip('"') for name, value in own.items()}
        answer = client.post("/transcribe", params=query, content=two_words.read_bytes(), headers={"content-type": SOUND})
        assert answer.status_code == 200, answer.text
        assert engine.calls == [TranscribeOptions.parse(own)]
        refused = client.post("/transcribe", params={"itn": "perhaps"}, content=two_words.read_bytes(), headers={"content-type": SOUND})
    assert "&#39;perhaps&#39;; choose one of true, false" in refused.json()["failure"]


def test_live() -> None:
    asked: list[TranscribeOptions] = []

    class Asked(FakeEngine):
        def live(self, options: TranscribeOptions = DEFAULT_OPTIONS) -> LiveStream:
            asked.append(options)
            return super().live(options)

    app = FastAPI()
    app.include_router(live_routes(LiveSessions(Asked(), max_duration_s=None)))
    text = str(CHOSEN["hotwords"]).encode()
    query = {
        "rate": 16_000,
        "language": "ja",
        "itn": "false",
        "ban": "true",
        "pause": 500,
        "homophones": "true",
        "hotwords_bytes": len(text),
    }
    with TestClient(app) as client:
        block = {"content": text + b"\0\0" * 1600, "headers": {"content-type": "application/octet-stream"}}
        assert client.post(f"/live/{'a' * 32}/blocks/0", params=query, **block).json()["over"]
        refused = client.post(f"/live/{'b' * 32}/blocks/0", params={**query, "pause": 1}, **block).json()
    own = chosen("language", "itn", "ban_emo_unknown", "hotwords", "homophones")
    assert asked == [TranscribeOptions.parse({**own, "max_end_silence_ms": 500})]
    assert "max_end_silence_ms is 1" in refused["failure"]


@pytest.fixture
def compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeEngine]:
    """Runs the Compare tab's listener with values of its controls."""
    monkeypatch.setattr("ui.compare.actions.has_left", lambda _: False)
    engine, decoder, limits = FakeEngine(), InProcessDecoder(), Limits()
    models, slots, folders = ModelState(engine, None), RunSlots(1), ServerFolders(tmp_path)
    actions = CompareActions(engine=engine, decoder=decoder, models=models, slots=slots, limits=limits, folders=folders)
    monkeypatch.setattr(actions.choices, "find", lambda value, *, others: value)

    def run(audio: Path, *values: object) -> FakeEngine:
        request = gr.Request(session_hash="page", headers={})
        actions.comparer(1)(request, lambda *_, **__: None, str(audio), "fp32", "int8", "", *values)
        return engine

    return run


def test_the_compare_tab(compare: Callable[..., FakeEngine], two_words: Path) -> None:
    own = chosen(*OPTION_CONTROLS)
    engine = compare(two_words, *own.values())
    assert engine.calls == [TranscribeOptions.parse({**own, "precision": name}) for name in ("fp32", "int8")]
    compare(two_words, "auto", True, "", False, "auto", None)  # an empty number is the default track
    assert engine.calls[-1].read == DEFAULT_OPTIONS.read
    compare(two_words, "auto", True, "", False, "auto", 0)  # as the page sends it
    assert engine.calls[-1].read == DEFAULT_OPTIONS.read


def test_a_comparison_takes_no_channels_apart(compare: Callable[..., FakeEngine], two_words: Path) -> None:
    with pytest.raises((gr.Error, OptionChoiceError), match="split"):
        compare(two_words, "auto", True, "", False, "split", None)
