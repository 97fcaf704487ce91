"""The HTTP API as other programs use it: OpenAI's own client, curl-like requests, clients that misbehave or leave."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile

openai = pytest.importorskip("openai")

from engine.errors import SessionError  # noqa: E402 - after the skip
from engine.options import TranscribeOptions  # noqa: E402
from tests.servers import metrics  # noqa: E402
from tests.subtitles import read_srt, read_vtt  # noqa: E402
from tests.ui.conftest import RunningPage  # noqa: E402
from tests.ui.models.fake_workshop import FakeWorkshop  # noqa: E402
from tests.waiting import WAIT_S, until  # noqa: E402
from ui.http.access.managing import Managing  # noqa: E402
from ui.limits import Limits  # noqa: E402

SPOKEN = "three one four one five nine"


@pytest.fixture
def client(page: RunningPage) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{page.address}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="session")
def two_words_mp3(two_words: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    samples, rate = soundfile.read(two_words)
    path = tmp_path_factory.mktemp("mp3") / "两个词.mp3"
    soundfile.write(path, samples, rate)
    return path


def post(page: RunningPage, file: Path | None, **fields: object) -> httpx.Response:
    files = {} if file is None else {"file": (file.name, file.read_bytes())}
    return httpx.post(f"{page.address}/v1/audio/transcriptions", files=files or {"nothing": b""}, data=fields, timeout=WAIT_S)


def in_flight(page: RunningPage) -> list[Path]:
    return list((page.files / "requests").glob("*"))


@pytest.fixture
def cut_short(two_words: Path, tmp_path: Path) -> Path:
    """The same words in a file that its header says to be longer."""
    samples, rate = soundfile.read(two_words)
    soundfile.write(tmp_path / "cut.wav", np.concatenate([samples, np.zeros(10 * rate)]), rate, subtype="PCM_16")
    content = (tmp_path / "cut.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[: 44 + 2 * len(samples)])
    return tmp_path / "cut.wav"


def test_what_could_not_be_read_is_said_in_every_format(page: RunningPage, cut_short: Path, two_words: Path) -> None:
    for response_format in ("json", "verbose_json"):
        answer = post(page, cut_short, response_format=response_format)
        [warning] = answer.json()["warnings"]
        assert warning["type"] == "ends_early"
        assert warning["values"]["promised_s"] == pytest.approx(10 + warning["values"]["read_s"], abs=0.01)
        assert answer.json()["text"] == SPOKEN
    for response_format in ("text", "srt", "vtt"):
        assert post(page, cut_short, response_format=response_format).headers["x-lightvoice-warnings"] == "ends_early"
    assert '"ends_early"' in post(page, cut_short, stream="true").text.strip().splitlines()[-1]
    whole = post(page, two_words)
    assert set(whole.json()) == {"text"}
    assert "x-lightvoice-warnings" not in whole.headers


# ---- what OpenAI's client asks ---------------------------------------------------------------------------------------


def test_openais_client_gets_the_text_of_wav_and_mp3(
    client: openai.OpenAI, page: RunningPage, two_words: Path, two_words_mp3: Path
) -> None:
    for path in (two_words, two_words_mp3):
        with path.open("rb") as file:
            assert client.audio.transcriptions.create(file=file, model="fake:int8", language="en").text == SPOKEN
        assert page.engine.calls[-1] == TranscribeOptions(language="en", precision="int8")
    assert in_flight(page) == []


def test_openais_client_gets_segments_with_tags_and_words_with_times(client: openai.OpenAI, two_words: Path) -> None:
    with two_words.open("rb") as file:
        answer = client.audio.transcriptions.create(
            file=file,
            model="fake",
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
            prompt="digits",
            temperature=0.2,
        )
    assert (answer.text, answer.language, answer.duration) == (SPOKEN, "en", 3.0)
    first, second = answer.segments
    assert (first.id, first.text, first.start, first.seek) == (0, "three one four", 0.5, 50)
    assert 0.5 < first.end < second.start < second.end <= 3
    assert (first.emotion, second.emotion, first.event) == ("NEUTRAL", "HAPPY", "Speech")
    assert first.confidence == {"language": 0.998, "emotion": 0.71, "event": 0.93}
    assert first.probabilities["emotion"]["SAD"] == 0.2
    assert first.avg_logprob == pytest.approx(-0.1054, abs=1e-4)
    assert [word.word for word in answer.words] == SPOKEN.split()
    times = [time_s for word in answer.words for time_s in (word.start, word.end)]
    assert times == sorted(times)


@pytest.mark.parametrize(("asked", "expected"), [(["word"], {"words"}), (["segment"], {"segments"}), ([], {"segments"})])
def test_the_granularities_asked_for_are_those_answered(page: RunningPage, two_words: Path, asked: list[str], expected: set[str]) -> None:
    answer = post(page, two_words, response_format="verbose_json", **{"timestamp_granularities[]": asked}).json()
    assert {"words", "segments"} & set(answer) == expected


@pytest.mark.parametrize(
    ("response_format", "begins", "media_type"),
    [
        ("text", SPOKEN, "text/plain"),
        ("srt", "1\n00:00:00,500 --> ", "application/x-subrip"),
        ("vtt", "WEBVTT\n\n00:00:00.500", "text/vtt"),
    ],
)
def test_openais_client_gets_text_and_subtitles(
    client: openai.OpenAI, page: RunningPage, two_words: Path, response_format: str, begins: str, media_type: str
) -> None:
    with two_words.open("rb") as file:
        assert client.audio.transcriptions.create(file=file, model="fake:fp32", response_format=response_format).startswith(begins)
    assert post(page, two_words, response_format=response_format).headers["content-type"] == f"{media_type}; charset=utf-8"


def test_subtitles_are_cut_as_the_fields_say(page: RunningPage, two_words: Path) -> None:
    [first, *_] = read_srt(post(page, two_words, response_format="srt").text)
    [longer, *_] = read_srt(post(page, two_words, response_format="srt", min_cue_ms="1000").text)
    assert (first.end_ms - first.start_ms, longer.end_ms - longer.start_ms) == (800, 1_000)
    narrow = read_vtt(post(page, two_words, response_format="vtt", max_line_width="10", max_line_count="1", min_cue_ms="").text)
    assert all(len(cue.text) <= 10 and "\n" not in cue.text for cue in narrow)


def test_openais_client_lists_and_retrieves_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["fake:fp32", "fake:int8"]
    assert client.models.retrieve("fake:int8").owned_by == "made up by the tests"
    for name in ("fake", "whisper-1", "gpt-4o-mini-transcribe"):
        found = client.models.retrieve(name)
        assert (found.id, found.object, found.root) == (name, "model", "fake:fp32")
    with pytest.raises(openai.NotFoundError, match="no model 'gpt-4o'; choose one of fake:fp32, fake:int8"):
        client.models.retrieve("gpt-4o")


@pytest.mark.parametrize(
    "model",
    [
        "whisper-1", "WHISPER-1", "whisper", "whisper-large-v3-turbo", "openai/whisper-large-v3", "Systran/faster-distil-whisper-large-v3",
        "distil-whisper-large-v3-en", "gpt-4o-transcribe", "gpt-4o-mini-transcribe-2025-12-15", "gpt-4o-transcribe-diarize",
    ],
)  # fmt: skip
def test_the_models_of_other_services_mean_the_open_bundle(page: RunningPage, two_words: Path, model: str) -> None:
    answer = post(page, two_words, model=model)
    assert (answer.json(), answer.headers["x-lightvoice-model"]) == ({"text": SPOKEN}, "fake:fp32")
    assert page.engine.calls[-1].precision == "current"


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4o-mini-tts", "tts-1", "whisper-1:int8", "a/b/whisper", "text-embedding-3-small"])
def test_a_model_that_recognizes_no_speech_stays_unknown(page: RunningPage, two_words: Path, model: str) -> None:
    answer = post(page, two_words, model=model)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


def test_a_model_that_is_installed_but_not_open_is_listed_and_refused(
    run_page: Callable[..., object], tiny_bundle: Path, two_words: Path
) -> None:
    with run_page(managing=Managing(workshop=FakeWorkshop(roots=[tiny_bundle]))) as page:
        models = {model["id"]: model["open"] for model in httpx.get(f"{page.address}/v1/models").json()["data"]}
        assert models == {"fake:fp32": True, "fake:int8": True, "tiny:fp32": False, "tiny:int8": False}
        for model in ("tiny:int8", "tiny"):
            answer = post(page, two_words, model=model)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "model_not_open")
            assert (
                "bundle 'fake' is open; open 'tiny' on the page's Models tab, or start the server with --bundle tiny"
                in answer.json()["error"]["message"]
            )


def test_openais_asynchronous_client_works_too(page: RunningPage, two_words: Path) -> None:
    import asyncio

    recording = ("a.wav", two_words.read_bytes())

    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{page.address}/v1", api_key="none", max_retries=0) as client:
            calls = [client.audio.transcriptions.create(file=recording, model="fake") for _ in range(5)]
            return [answer.text for answer in await asyncio.gather(*calls)]

    assert asyncio.run(ask()) == [SPOKEN] * 5


def test_silence_is_an_answer(page: RunningPage, tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(16_000), 16_000)
    answer = post(page, path, response_format="verbose_json", **{"timestamp_granularities[]": ["word", "segment"]}).json()
    assert (answer["text"], answer["segments"], answer["words"], answer["language"]) == ("", [], [], "nospeech")


def test_the_extensions_reach_the_engine(client: openai.OpenAI, page: RunningPage, two_words: Path) -> None:
    with two_words.open("rb") as file:
        client.audio.transcriptions.create(file=file, model="fake", extra_body={"itn": False, "ban_emo_unknown": True})
    assert page.engine.calls == [TranscribeOptions(itn=False, ban_emo_unknown=True)]


def test_openais_client_gets_segments_as_they_come(client: openai.OpenAI, page: RunningPage, two_words: Path) -> None:
    with two_words.open("rb") as file:
        events = list(client.audio.transcriptions.create(file=file, model="fake", stream=True))
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.delta", "transcript.text.done"]
    assert [event.delta for event in events[:-1]] == ["three one four", " one five nine"]
    assert events[-1].text == SPOKEN
    until(lambda: in_flight(page) == [])


def test_an_error_in_the_middle_of_a_stream_reaches_the_client(client: openai.OpenAI, page: RunningPage, two_words: Path) -> None:
    page.engine.error = SessionError("the model is gone; install it again")
    with two_words.open("rb") as file, pytest.raises(openai.APIError, match="the model is gone"):
        list(client.audio.transcriptions.create(file=file, model="fake", stream=True))
    until(lambda: in_flight(page) == [])


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status", "param", "said"),
    [
        ({"model": "gpt-4o"}, 404, "model", "no model 'gpt-4o'; choose one of fake:fp32, fake:int8"),
        ({"model": "fake:int3"}, 404, "model", "no model 'fake:int3'"),
        ({"language": "zn"}, 400, "language", "unknown language 'zn'; choose one of auto, zh"),
        ({"response_format": "xml"}, 400, "response_format", "'xml'; choose one of json, text"),
        ({"timestamp_granularities[]": "word"}, 400, "timestamp_granularities[]", "needs response_format verbose_json, not json"),
        ({"timestamp_granularities[]": "syllable"}, 400, "timestamp_granularities[]", "'syllable'; choose one of word, segment"),
        ({"stream": "true", "response_format": "srt"}, 400, "stream", "needs response_format json or text, not srt"),
        ({"max_line_width": "42"}, 400, "max_line_width", "needs response_format srt or vtt, not json"),
        ({"max_line_width": "wide", "response_format": "srt"}, 400, "max_line_width", "'wide'; it must lie between 10 and 200"),
        ({"max_line_count": "9", "response_format": "vtt"}, 400, "max_line_count", "9; it must lie between 1 and 4"),
        ({"min_cue_ms": "-1", "response_format": "srt"}, 400, "min_cue_ms", "'-1'; it must lie between 0 and 5000"),
        ({"itn": "perhaps"}, 400, "itn", "'perhaps'; choose one of true, false"),
    ],
)
def test_a_wrong_field_is_refused_by_name(
    page: RunningPage, two_words: Path, fields: dict[str, str], status: int, param: str, said: str
) -> None:
    answer = post(page, two_words, **fields)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert said in error["message"]
    assert page.engine.calls == []
    assert in_flight(page) == []


def test_a_file_that_is_no_audio_is_refused_by_name_and_the_next_is_read(page: RunningPage, two_words: Path, tmp_path: Path) -> None:
    for name, content, said in (
        ("坏 文件.wav", b"RIFF and no more", "cannot read 坏 文件.wav as audio"),
        ("no.wav", b"", "no.wav holds no audio"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        answer = post(page, path)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "file")
        assert said in answer.json()["error"]["message"]
    assert post(page, two_words).json() == {"text": SPOKEN}


@pytest.mark.parametrize("name", ["../../../etc/passwd", "..", "/", "a\\b\\c.wav", "词" * 300 + ".wav", "."])
def test_no_name_of_a_file_leads_out_of_its_folder(page: RunningPage, two_words: Path, name: str) -> None:
    before = sorted(page.files.parent.rglob("*"))
    answer = httpx.post(f"{page.address}/v1/audio/transcriptions", files={"file": (name, two_words.read_bytes())}, timeout=WAIT_S)
    assert answer.json() == {"text": SPOKEN}
    assert {path.name for path in sorted(page.files.parent.rglob("*")) if path not in before} <= {"requests"}


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"", 400),
        ("multipart/form-data; boundary=x", b"nonsense", 400),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF', 400),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\ntext\r\n--x--\r\n', 400),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\ntext\r\n--x--\r\n", 400),
    ],
)
def test_a_form_that_is_none_is_refused(page: RunningPage, content_type: str, body: bytes, status: int) -> None:
    answer = httpx.post(f"{page.address}/v1/audio/transcriptions", content=body, headers={"content-type": content_type})
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_what_is_not_offered_is_said_in_openais_shape(client: openai.OpenAI, page: RunningPage) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no POST /v1/embeddings; see /docs"):
        client.embeddings.create(input="three", model="fake")
    answer = httpx.delete(f"{page.address}/v1/nothing")
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "invalid_request_error")


def test_an_upload_over_the_limit_is_refused_and_leaves_nothing(run_page: Callable[..., object], two_words: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.wav"
    soundfile.write(large, np.zeros(1_700_000), 16_000)
    with run_page(limits=Limits(upload_mb=1)) as page:
        answer = post(page, large)
        assert answer.status_code == 413
        assert "over the server's limit of 1 MB" in answer.json()["error"]["message"]
        assert in_flight(page) == []
        assert post(page, two_words).json() == {"text": SPOKEN}


def test_a_recording_over_the_limit_is_refused(run_page: Callable[..., object], two_words: Path) -> None:
    with run_page(limits=Limits(duration_s=1.0)) as page:
        answer = post(page, two_words)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "AudioTooLongError")
    assert "two words.wav lasts" in answer.json()["error"]["message"]


def test_errors_of_the_server_are_the_servers(page: RunningPage, two_words: Path) -> None:
    page.engine.error = SessionError("the model is gone; install it again")
    answer = post(page, two_words)
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "server_error")
    page.engine.error = KeyError("secret")
    answer = post(page, two_words)
    assert answer.status_code == 500
    assert "secret" not in answer.text and "under" in answer.json()["error"]["message"]


# ---- taking turns ----------------------------------------------------------------------------------------------------


def test_runs_wait_for_a_place_and_the_server_answers_meanwhile(run_page: Callable[..., object], two_words: Path) -> None:
    with run_page(limits=Limits(concurrent_runs=2)) as page, ThreadPoolExecutor(6) as pool:
        page.engine.hold.clear()
        answers = [pool.submit(post, page, two_words) for _ in range(6)]
        until(lambda: len(page.engine.calls) == 2 and len(in_flight(page)) == 6)
        assert httpx.get(f"{page.address}/healthz").json()["status"] == "ok"
        assert httpx.get(f"{page.address}/v1/models").status_code == 200
        assert len(page.engine.calls) == 2
        page.engine.hold.set()
        assert [answer.result(WAIT_S).json() for answer in answers] == [{"text": SPOKEN}] * 6
    assert in_flight(page) == []


def test_gradios_clients_and_ours_wait_for_the_same_places(run_page: Callable[..., object], two_words: Path) -> None:
    gradio_client = pytest.importorskip("gradio_client")
    with run_page(limits=Limits(concurrent_runs=1)) as page, ThreadPoolExecutor(1) as pool:
        page.engine.hold.clear()
        client = gradio_client.Client(page.address, verbose=False)
        first = client.submit(audio=gradio_client.handle_file(str(two_words)), api_name="/transcribe")
        until(lambda: len(page.engine.calls) == 1)
        second = pool.submit(post, page, two_words)
        until(lambda: len(in_flight(page)) == 1)
        until(lambda: metrics(page.address)["lightvoice_runs_waiting"] == 1)
        assert len(page.engine.calls) == 1
        page.engine.hold.set()
        assert first.result(WAIT_S)["text"] == second.result(WAIT_S).json()["text"] == SPOKEN
        client.close()


def raw_request(page: RunningPage, content: bytes, *, stream: bool = False) -> socket.socket:
    """A connection that has sent a whole request and not yet read the answer."""
    body = b'--x\r\nContent-Disposition: form-data; name="stream"\r\n\r\n' + str(stream).encode() + b"\r\n"
    body += b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + content + b"\r\n--x--\r\n"
    host, port = page.address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    connection.sendall(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_frees_its_place(run_page: Callable[..., object], two_words: Path, stream: bool) -> None:
    with run_page(limits=Limits(concurrent_runs=1)) as page:
        page.engine.hold.clear()
        running = raw_request(page, two_words.read_bytes(), stream=stream)
        until(lambda: len(page.engine.calls) == 1)
        waiting = raw_request(page, two_words.read_bytes(), stream=stream)
        until(lambda: len(in_flight(page)) == 2)
        waiting.close()
        until(lambda: len(in_flight(page)) == 1)
        running.close()
        until(lambda: in_flight(page) == [])  # while the engine is still held: the run stopped at its next step
        page.engine.hold.set()
        assert post(page, two_words).json() == {"text": SPOKEN}
        assert len(page.engine.calls) == 2


def test_a_client_that_leaves_while_it_sends_leaves_nothing(page: RunningPage, two_words: Path) -> None:
    host, port = page.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            "Content-Length: 5000000\r\n\r\n".encode()
            + b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
            + bytes(2_000_000)
        )
    assert post(page, two_words).json() == {"text": SPOKEN}
    assert in_flight(page) == []


def test_a_request_for_a_model_that_is_not_open_keeps_nobody_waiting(
    page: RunningPage, two_words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All bundles' folders are looked through for it, which takes as long as their disk does."""
    looking, may_end = threading.Event(), threading.Event()

    def survey(_: object) -> tuple[()]:
        looking.set()
        assert may_end.wait(60)
        return ()

    monkeypatch.setattr("ui.models.state.survey_bundles", survey)
    with ThreadPoolExecutor(1) as pool, two_words.open("rb") as file:
        asked = pool.submit(
            httpx.post, f"{page.address}/v1/audio/transcriptions", files={"file": file}, data={"model": "somebody-elses"}, timeout=60
        )
        assert looking.wait(60)
        assert httpx.get(f"{page.address}/healthz", timeout=30).status_code == 200
        may_end.set()
        assert asked.result().json()["error"]["code"] == "model_not_found"


def test_too_many_at_once_are_asked_to_come_back(run_page: Callable[..., object], two_words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.api.http_api.MOST_SENDING", 0)
    with run_page(limits=Limits(concurrent_runs=1, waiting_runs=0)) as page, ThreadPoolExecutor(1) as pool:
        page.engine.hold.clear()
        first = pool.submit(post, page, two_words)
        until(lambda: len(page.engine.calls) == 1)
        answer = post(page, two_words)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
        page.engine.hold.set()
        assert first.result(WAIT_S).status_code == 200


# ---- documentation ---------------------------------------------------------------------------------------------------


def test_the_documentation_names_every_route_and_field_and_asks_nobody_else(page: RunningPage) -> None:
    from ui.api.transcription_request import FIELDS

    schema = httpx.get(f"{page.address}/openapi.json").json()
    assert {"/v1/audio/transcriptions", "/v1/models", "/healthz"} <= set(schema["paths"])
    form = schema["paths"]["/v1/audio/transcriptions"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == set(FIELDS)
    shown = httpx.get(f"{page.address}/docs")
    assert shown.headers["content-type"].startswith("text/html")
    for word in (*FIELDS, *schema["paths"]):
        assert word in shown.text
    assert "src=" not in shown.text and "<script" not in shown.text
