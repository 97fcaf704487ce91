"""The API as other programs use it: what n8n, Open WebUI, Home Assistant and curl send, and forms with less than they should have."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

openai = pytest.importorskip("openai")

from engine.errors import SessionError  # noqa: E402 - after the skip
from engine.options import TranscribeOptions  # noqa: E402
from engine.speech.decoding.hotwords import Hotword  # noqa: E402
from tests.ui.conftest import RunningPage  # noqa: E402
from tests.waiting import WAIT_S, until  # noqa: E402

SPOKEN = "three one four one five nine"
#: Fields that clients send and that mean nothing here.
IGNORED = {
    "chunking_strategy": "auto",
    "include[]": "logprobs",
    "user": "somebody",
    "temperature": "0",
    "known_speaker_names[]": "bo",
    "stream_options": "{}",
    "vad_filter": "true",
}
#: Fields that clients send empty, or that mean what they say.
OTHERS = {"prompt": "digits", "hotwords": ""}


@pytest.fixture
def client(page: RunningPage) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{page.address}/v1", api_key="none", max_retries=0) as client:
        yield client


def posted(page: RunningPage, files: Any, **fields: object) -> httpx.Response:
    return httpx.post(f"{page.address}/v1/audio/transcriptions", files=files, data=fields, timeout=WAIT_S)


def part(content: bytes, *headers: str) -> bytes:
    return b"--x\r\n" + "\r\n".join(headers).encode() + b"\r\n\r\n" + content + b"\r\n"


def sent(page: RunningPage, *parts: bytes, boundary: str = "x") -> httpx.Response:
    """A form that is written by hand."""
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    return httpx.post(f"{page.address}/v1/audio/transcriptions", content=b"".join(parts) + b"--x--\r\n", headers=headers, timeout=WAIT_S)


# ---- languages and models --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "understood"),
    [("zh-CN", "zh"), ("EN", "en"), ("english", "en"), ("zh-HK", "yue"), ("粤语", "yue"), ("日本語", "ja"), ("ko-KR", "ko"), ("", "auto")],
)
def test_a_language_is_understood_as_clients_write_it(
    client: openai.OpenAI, page: RunningPage, two_words: Path, language: str, understood: str
) -> None:
    with two_words.open("rb") as file:
        assert client.audio.transcriptions.create(file=file, model="whisper-1", language=language).text == SPOKEN
    assert page.engine.calls[-1].language == understood


def test_a_gradio_client_names_a_language_as_it_likes(page: RunningPage, two_words: Path) -> None:
    gradio_client = pytest.importorskip("gradio_client")
    client = gradio_client.Client(page.address, verbose=False)
    client.predict(gradio_client.handle_file(str(two_words)), language="Japanese", api_name="/transcribe")
    assert page.engine.calls[-1].language == "ja"
    client.close()


# ---- fields ----------------------------------------------------------------------------------------------------------


def test_fields_that_mean_nothing_here_are_accepted_and_the_unknown_ones_are_named(page: RunningPage, two_words: Path) -> None:
    answer = posted(page, {"file": two_words.read_bytes()}, model="whisper-1", **IGNORED, **OTHERS)
    assert answer.json() == {"text": SPOKEN}
    assert answer.headers["x-lightvoice-ignored"] == "known_speaker_names[], stream_options, vad_filter"
    assert page.engine.calls[-1] == TranscribeOptions(hotwords=(Hotword("digits", 0.5),))  # of the prompt
    assert "x-lightvoice-ignored" not in posted(page, {"file": two_words.read_bytes()}, prompt="x").headers


def test_a_misspelt_extension_is_named_also_where_it_could_not_stand_in_a_header(page: RunningPage, two_words: Path) -> None:
    answer = posted(
        page,
        {"file": two_words.read_bytes()},
        **{"bann_emo": "true", "词\r\nx: y": "1", **{f"{number}{'z' * 100}": "" for number in range(30)}},
    )
    assert answer.status_code == 200
    assert answer.headers["x-lightvoice-ignored"].startswith("bann_emo, %E8%AF%8D")
    assert len(answer.headers["x-lightvoice-ignored"]) <= 1000


def test_openais_client_sends_all_that_openai_has(client: openai.OpenAI, page: RunningPage, two_words: Path) -> None:
    with two_words.open("rb") as file:
        answer = client.audio.transcriptions.create(
            file=file,
            model="gpt-4o-transcribe",
            response_format="json",
            chunking_strategy={"type": "server_vad", "threshold": 0.5},
            include=["logprobs"],
            extra_body={"user": "somebody", "itn": False},
        )
    assert answer.text == SPOKEN
    assert page.engine.calls[-1].itn is False


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"timestamp_granularities[]": ["word", "segment"]}, {"words", "segments"}),
        ({"timestamp_granularities": "word"}, {"words"}),
        ({"timestamp_granularities[0]": "word", "timestamp_granularities[1]": "segment"}, {"words", "segments"}),
        ({"timestamp_granularities[]": "word,segment"}, {"words", "segments"}),
        ({"timestamp_granularities": '["word"]'}, {"words"}),
        ({"timestamp_granularities[]": ""}, {"segments"}),
    ],
)
def test_granularities_are_read_as_clients_write_them(
    page: RunningPage, two_words: Path, fields: dict[str, Any], expected: set[str]
) -> None:
    answer = posted(page, {"file": two_words.read_bytes()}, response_format="verbose_json", **fields)
    assert {"words", "segments"} & set(answer.json()) == expected
    assert "x-lightvoice-ignored" not in answer.headers


def test_the_default_granularity_goes_with_every_format(page: RunningPage, two_words: Path) -> None:
    """Vercel's SDK sends it with json."""
    assert posted(page, {"file": two_words.read_bytes()}, **{"timestamp_granularities[]": "segment"}).json() == {"text": SPOKEN}


@pytest.mark.parametrize("response_format", ["JSON", "json", "", "Verbose_JSON", "verbose-json", " text "])
def test_a_response_format_is_read_as_clients_write_it(page: RunningPage, two_words: Path, response_format: str) -> None:
    assert SPOKEN in posted(page, {"file": two_words.read_bytes()}, response_format=response_format).text


# ---- forms -----------------------------------------------------------------------------------------------------------

AUDIO = "Content-Type: audio/wav"


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        (['Content-Disposition: form-data; name="file"', AUDIO], "recording"),
        (['Content-Disposition: form-data; name="file"'], "recording"),
        (["Content-Disposition: form-data; name=file"], "recording"),
        (['Content-Disposition: form-data; name="file"; filename=""'], "recording"),
        (['Content-Disposition: form-data; name="file"; filename="-"'], "recording"),
        (["Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''%E4%B8%A4%20%E4%B8%AA.wav"], "两 个.wav"),
        (["Content-Disposition: form-data; filename*=utf-8'zh'%E4%B8%A4.wav; name=\"file\"", AUDIO], "两.wav"),
        (['Content-Disposition: form-data; name="file"; filename="__.wav"; filename*=UTF-8\'\'%E4%B8%A4.wav'], "两.wav"),
        (["Content-Disposition: form-data; name=\"file\"; filename*=iso-8859-1''caf%E9.wav"], "café.wav"),
        (["Content-Disposition: form-data; name=\"file\"; filename*=no-such-charset''caf%E9.wav"], "café.wav"),
        (['Content-Disposition: form-data; name="file"; filename="a\\"b;c.wav"'], 'a"b;c.wav'),
        (['Content-Disposition: form-data; name="file"; filename="a%22b.wav"'], 'a"b.wav'),
        (['content-disposition: FORM-DATA; Name="file"; FileName="a.wav"', "content-type: application/octet-stream"], "a.wav"),
        (['Content-Disposition: form-data; name="file"; filename="C:\\\\x\\\\a.wav"', "Content-Transfer-Encoding: binary"], "a.wav"),
        (['Content-Disposition: form-data; name="file"; filename="blob"', "Content-Type: audio/webm;codecs=opus"], "blob"),
        (['Content-Disposition: form-data; name="file"; filename="两个.wav"', "Content-Type: text/plain; charset=utf-8"], "两个.wav"),
    ],
)
def test_the_recording_is_found_however_its_part_is_written(page: RunningPage, two_words: Path, headers: list[str], name: str) -> None:
    model = part(b"whisper-1", 'Content-Disposition: form-data; name="model"', "Content-Type: text/plain")
    answer = sent(page, model, part(two_words.read_bytes(), *headers))
    assert answer.json() == {"text": SPOKEN}
    bad = sent(page, part(b"RIFF and no more", *headers))
    assert bad.status_code == 400
    assert f"cannot read {name} as audio" in bad.json()["error"]["message"]


def test_a_recording_without_a_name_may_be_large(page: RunningPage, tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    path = tmp_path / "long.wav"
    samples = np.zeros(2_000_000)
    samples[16_000:32_000] = 0.3 * np.sin(np.arange(16_000) * 0.2)
    soundfile.write(path, samples, 16_000)
    assert sent(page, part(path.read_bytes(), 'Content-Disposition: form-data; name="file"')).json() == {"text": "three one four"}


def test_a_quoted_boundary_and_a_preamble_are_no_obstacle(page: RunningPage, two_words: Path) -> None:
    file = part(two_words.read_bytes(), 'Content-Disposition: form-data; name="file"; filename="a.wav"')
    assert sent(page, b"\r\n", file, boundary='"x"').json() == {"text": SPOKEN}


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
@pytest.mark.parametrize(
    "options", [["-F", "file=@-"], ["-F", "file=@-;type=application/octet-stream"], ["-F", "file=<-"], ["-F", "file=@-;filename=a b.wav"]]
)
def test_curl_sends_what_it_reads_from_a_pipe(page: RunningPage, two_words: Path, options: list[str]) -> None:
    address = f"{page.address}/v1/audio/transcriptions"
    command = ["curl", "-sS", address, *options, "-F", "response_format=text", "-F", "language=en-US"]
    done = subprocess.run(command, input=two_words.read_bytes(), capture_output=True, check=True, timeout=WAIT_S)
    assert done.stdout.decode() == f"{SPOKEN}\n"


# ---- errors ----------------------------------------------------------------------------------------------------------


def test_an_unreadable_file_is_refused_before_its_stream_begins(client: openai.OpenAI, page: RunningPage) -> None:
    with pytest.raises(openai.BadRequestError, match=r"cannot read bad\.wav as audio") as caught:
        client.audio.transcriptions.create(file=("bad.wav", b"RIFF and no more"), model="whisper-1", stream=True)
    assert (caught.value.param, caught.value.response.headers["content-type"]) == ("file", "application/json")
    page.engine.error = SessionError("the model is gone; install it again")
    answer = posted(page, {"file": b"x"}, stream="true")
    assert answer.status_code == 400


def test_a_stream_without_a_slot_is_refused_with_its_status(run_page: Callable[..., object], two_words: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from ui.limits import Limits

    with run_page(limits=Limits(concurrent_runs=1, waiting_runs=0)) as page, ThreadPoolExecutor(1) as pool:
        page.engine.hold.clear()
        first = pool.submit(posted, page, {"file": two_words.read_bytes()})
        until(lambda: page.engine.calls)
        answer = posted(page, {"file": two_words.read_bytes()}, stream="true")
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert int(answer.headers["retry-after"]) > 0
        page.engine.hold.set()
        assert first.result(WAIT_S).status_code == 200


def test_what_goes_wrong_after_the_first_event_is_an_event(page: RunningPage, two_words: Path) -> None:
    page.engine.late_error = SessionError("the model is gone; install it again")
    answer = posted(page, {"file": two_words.read_bytes()}, stream="true")
    assert answer.status_code == 200
    first, second = (line for line in answer.text.splitlines() if line)
    assert "three one four" in first
    assert '"error"' in second and "the model is gone" in second


def test_translating_is_refused_in_plain_words_also_to_who_sends_much(page: RunningPage) -> None:
    answer = httpx.post(f"{page.address}/v1/audio/translations", files={"file": ("a.wav", bytes(20_000_000))}, data={"model": "whisper-1"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_offered")
    assert "does not translate" in answer.json()["error"]["message"]
    assert "POST /v1/audio/transcriptions" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/audio/transcriptions", "OPTIONS, POST"),
        ("PUT", "/v1/audio/transcriptions", "OPTIONS, POST"),
        ("DELETE", "/v1/models", "GET, HEAD, OPTIONS"),
        ("POST", "/v1/models/fake:int8", "GET, HEAD, OPTIONS"),
        ("TRACE", "/v1/models", "GET, HEAD, OPTIONS"),
        ("GET", "/v1/audio/translations", "OPTIONS, POST"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
        ("DELETE", "/readyz", "GET, HEAD, OPTIONS"),
        ("POST", "/metrics", "GET, HEAD, OPTIONS"),
        ("POST", "/docs", "GET, HEAD, OPTIONS"),
        ("POST", "/openapi.json", "GET, HEAD, OPTIONS"),
        ("GET", f"/live/{'1' * 32}/end", "OPTIONS, POST"),
        ("PUT", f"/recordings/{'1' * 32}", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_wrong_method_is_answered_with_the_right_ones(page: RunningPage, method: str, path: str, allowed: str) -> None:
    answer = httpx.request(method, f"{page.address}{path}")
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert f"not {method}" in (answer.json()["error"]["message"] if path.startswith("/v1/") else answer.text)
    asked = httpx.options(f"{page.address}{path}")
    assert (asked.status_code, asked.headers["allow"], asked.content) == (204, allowed, b"")


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/v1/models", "/v1/models/whisper-1"])
def test_head_is_get_without_the_content(page: RunningPage, path: str) -> None:
    until(lambda: httpx.get(f"{page.address}/readyz").status_code == 200)  # once the models are loaded
    shown, asked = httpx.get(f"{page.address}{path}"), httpx.head(f"{page.address}{path}")
    assert (asked.status_code, asked.content) == (shown.status_code, b"") == (200, b"")
    assert asked.headers["content-type"] == shown.headers["content-type"]


def test_the_slim_page_answers_methods_alike(run_page: Callable[..., object]) -> None:
    with run_page(slim=True) as page:
        assert httpx.head(f"{page.address}/healthz").status_code == 200
        answer = httpx.get(f"{page.address}/transcribe")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


# ---- whole programs --------------------------------------------------------------------------------------------------


def test_home_assistants_form(page: RunningPage, two_words: Path) -> None:
    """Every field is a part without a name; the language is the assistant's."""
    files = {
        "file": ("whisper_audio.wav", two_words.read_bytes(), "audio/wav"),
        "model": (None, "gpt-4o-mini-transcribe"),
        "language": (None, "zh-HK"),
        "prompt": (None, ""),
        "temperature": (None, "0"),
        "response_format": (None, "json"),
    }
    assert posted(page, files).json()["text"] == SPOKEN
    assert page.engine.calls[-1].language == "yue"


def test_a_program_that_looks_for_its_model_first_finds_it(page: RunningPage) -> None:
    """n8n and others ask for a list or for one model before they send anything."""
    assert httpx.get(f"{page.address}/v1/models", headers={"authorization": "Bearer sk-none"}).json()["object"] == "list"
    found = httpx.get(f"{page.address}/v1/models/whisper-1").json()
    assert {"id", "object", "created", "owned_by"} <= set(found)
