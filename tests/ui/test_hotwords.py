"""A name that comes out wrong and, with the hotword, right: /v1, Gradio's endpoints, Live, and what the page shows of other readings."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio_client
import httpx
import numpy as np
import pytest

from engine.audio.waveform import load_audio
from engine.bundle import Bundle
from engine.options import TranscribeOptions
from engine.pipeline import Engine
from engine.speech.decoding.hotwords import Hotword
from tests.named_recording import NAME, RIGHT, WRONG, name_said, write_bundle, write_recording
from tests.starter_facts import NAMES, STARTER
from tests.ui.conftest import RunningPage, running
from tests.ui.sent_transcript import sent_segments
from tests.waiting import WAIT_S
from ui.scheduling.recording_queue import Result
from ui.transcribe.viewer_data import recognized_gzip


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp("hotwords") / "name.wav")


def on(bundle: Path, files: Path, **options: Any) -> Iterator[RunningPage]:
    engine = Engine(Bundle.load(bundle), **options)
    files.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(files))
        with running(files, engine=engine) as page:
            yield page
    engine.close()


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    folder = tmp_path_factory.mktemp("tones")
    yield from on(write_bundle(folder / "bundle"), folder / "files")


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    folder = tmp_path_factory.mktemp("older")
    yield from on(write_bundle(folder / "bundle", searches=False), folder / "files")


@pytest.fixture(scope="module", params=["fp32", "int8"])
def starter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    yield from on(STARTER, tmp_path_factory.mktemp("starter") / "files", precision=request.param)


def post(page: RunningPage, file: Path, **fields: object) -> httpx.Response:
    files = {"file": (file.name, file.read_bytes())}
    return httpx.post(f"{page.address}/v1/audio/transcriptions", files=files, data=fields, timeout=WAIT_S)


# ---- /v1 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_name_comes_out_right(tones: RunningPage, recording: Path, precision: str) -> None:
    model = f"tones:{precision}"
    assert post(tones, recording, model=model).json() == {"text": WRONG}
    assert post(tones, recording, model=model, hotwords=f"{NAME} 1.5").json() == {"text": RIGHT}
    assert post(tones, recording, model=model, hotwords=NAME, stream="true").text.count(RIGHT) == 2
    answer = post(tones, recording, model=model, hotwords=NAME, n_best=2, response_format="verbose_json").json()
    assert [one["text"] for one in answer["segments"][0]["alternatives"]] == [RIGHT, WRONG]
    plain = post(tones, recording, model=model, hotwords=NAME, response_format="verbose_json").json()
    assert "alternatives" not in plain["segments"][0]


def test_the_words_of_a_prompt_are_weak_hotwords(recording: Path, page: RunningPage, two_words: Path) -> None:
    post(page, two_words, prompt="Meeting with Zyntriqix, 你好。 O'Brien a", hotwords="Zyntriqix 4.0\n张三")
    [options] = page.engine.calls
    assert options.hotwords[:2] == (Hotword("Zyntriqix", 4.0), Hotword("张三"))
    assert {(one.phrase, one.weight) for one in options.hotwords[2:]} == {(word, 0.5) for word in ("Meeting", "with", "你好", "O'Brien")}
    page.engine.calls.clear()
    post(page, two_words, prompt=" \x00\x07 ?! " + "x" * 500)
    post(page, two_words, prompt=" ".join(f"word{number}" for number in range(20_000)))
    nothing, many = page.engine.calls
    assert nothing == TranscribeOptions()
    assert [many.hotwords[0].phrase, len(many.hotwords)] == ["word19999", 200]


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"hotwords": f"{NAME} 99.0"}, "hotwords", "the weight of 你好 is 99.0; it must lie between 0.1 and 10"),
        ({"hotwords": "a\x07b"}, "hotwords", "control character U+0007"),
        ({"hotwords": "x" * 101}, "hotwords", "has 101 characters"),
        ({"hotwords": "\n".join(f"w{number}" for number in range(10_001))}, "hotwords", "10001 hotwords are more than the 10000"),
        ({"n_best": 9, "response_format": "verbose_json"}, "n_best", "must lie between 1 and 8"),
        ({"n_best": 2}, "n_best", "n_best needs response_format verbose_json, not json"),
        ({"homophones": "perhaps"}, "homophones", "choose one of true, false"),
    ],
)
def test_what_cannot_be_taken_is_refused(page: RunningPage, two_words: Path, fields: dict[str, object], param: str, words: str) -> None:
    answer = post(page, two_words, **fields)
    assert answer.status_code == 400
    assert (answer.json()["error"]["param"], page.engine.calls) == (param, [])
    assert words in answer.json()["error"]["message"]


def test_an_empty_list_is_none(page: RunningPage, two_words: Path) -> None:
    assert post(page, two_words, hotwords=" \n\n ,, ", homophones="true", n_best=1).status_code == 200
    assert page.engine.calls == [TranscribeOptions(homophones=True)]


def test_an_older_bundle_is_named_with_the_remedy(older: RunningPage, recording: Path) -> None:
    answer = post(older, recording, hotwords=NAME)
    assert answer.json()["text"] == WRONG
    assert [one["type"] for one in answer.json()["warnings"]] == ["hotwords_left_out"]
    assert answer.headers["x-lightvoice-warnings"] == "hotwords_left_out"
    assert post(older, recording).json() == {"text": WRONG}


# ---- Gradio, Live ----------------------------------------------------------------------------------------------------


def test_the_gradio_endpoints(tones: RunningPage, recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tones.files))  # another page of this file may have been started last
    client = gradio_client.Client(tones.address, verbose=False)
    audio = gradio_client.handle_file(str(recording))
    assert client.predict(audio=audio, api_name="/transcribe")["text"] == WRONG
    found = client.predict(audio=audio, hotwords=NAME, n_best=2, api_name="/transcribe")
    assert [one["text"] for one in found["segments"][0]["alternatives"]] == [RIGHT, WRONG]
    compared = client.predict(audio=audio, hotwords=NAME, api_name="/compare")
    assert (compared["left"]["text"], compared["right"]["text"]) == (RIGHT, RIGHT)
    client.close()


def live(page: RunningPage, stream: str, hotwords: str, *, samples: np.ndarray | None = None, **query: object) -> list[dict[str, Any]]:
    """The page's answers to a recording in blocks, the name unless given, the hotwords before the first one's samples."""
    said = name_said() if samples is None else samples
    pcm = (np.resize(said, len(said) // 12 * 12) * 32767).astype("<i2").tobytes()
    text = hotwords.encode()
    answers = []
    with httpx.Client(base_url=f"{page.address}/live/{stream}", headers={"content-type": "application/octet-stream"}) as client:
        for number in range(12):
            head = b"" if number else text
            asked = {"rate": 16_000, "hotwords_bytes": len(head), **query}
            block = head + pcm[number * len(pcm) // 12 : (number + 1) * len(pcm) // 12]
            answers.append(client.post(f"/blocks/{number}", params=asked, content=block, timeout=WAIT_S).json())
            if answers[-1]["over"]:
                return answers
        return [*answers, client.post("/end", timeout=WAIT_S).json()]


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_a_name_that_the_starter_writes_wrong_comes_out_right(starter: RunningPage, number: int) -> None:
    """Through /v1 and through Live, in the precision that the server has."""
    (path, (name, line)) = list(NAMES.items())[number]
    assert name not in post(starter, path).json()["text"]
    assert name in post(starter, path, hotwords=line).json()["text"]
    samples = np.pad(load_audio(path).samples, (0, 16_000))  # the pause after which the segment ends
    for stream, hotwords, is_right in (("a", "", False), ("b", line, True)):
        live(starter, f"{stream}{number}" * 16, hotwords, samples=samples)
        written = httpx.get(f"{starter.address}/live/{f'{stream}{number}' * 16}/transcript.json", timeout=WAIT_S).json()
        assert written["precision"] == starter.engine.precision
        assert (name in written["text"]) is is_right, written["text"]


def test_live(tones: RunningPage, older: RunningPage) -> None:
    def said(answers: list[dict[str, Any]]) -> str:
        return "".join(html for answer in answers for html in answer["segments"])

    assert WRONG in said(live(tones, "a" * 32, ""))
    named = live(tones, "b" * 32, f"{NAME}\n王五")
    assert RIGHT in said(named) and WRONG not in said(named)
    assert "王五" in named[-1]["notes"]
    transcript = httpx.get(f"{tones.address}/live/{'b' * 32}/transcript.json", timeout=WAIT_S).json()
    assert [one["type"] for one in transcript["warnings"]] == ["hotwords_unwritable"]
    assert "made before they existed" in live(older, "c" * 32, NAME)[-1]["notes"]
    refused = live(tones, "d" * 32, f"{NAME} 99.0")
    assert len(refused) == 1 and "it must lie between 0.1 and 10" in refused[0]["failure"]


@pytest.mark.parametrize(("length", "content"), [(9, b"\xe4\xbd\xa0"), (2, b"\xe4\xbd\0\0"), (3, b"\xe4\xbd\xa0\0")])
def test_a_block_without_the_text_it_promises_is_refused(tones: RunningPage, length: int, content: bytes) -> None:
    asked = {"rate": 16_000, "hotwords_bytes": length}
    headers = {"content-type": "application/octet-stream"}
    address = f"{tones.address}/live/{'e' * 32}/blocks/0"
    assert httpx.post(address, params=asked, content=content, headers=headers, timeout=WAIT_S).status_code == 400


# ---- what the page shows ---------------------------------------------------------------------------------------------


def test_other_readings_go_with_their_segment_to_the_viewer(tones: RunningPage) -> None:
    from engine.audio.waveform import Waveform

    waveform = Waveform(np.asarray(name_said()))
    for n_best, count in ((2, 2), (1, 0)):
        made = tones.engine.transcribe(waveform, TranscribeOptions(n_best=n_best))
        packed = recognized_gzip(Result(transcript=made, peaks=np.zeros(4, np.float32)))
        [sent] = sent_segments(json.loads(gzip.decompress(packed)))
        assert len(sent.get("readings", [])) == count
        assert count == 0 or RIGHT in [text for text, _ in sent["readings"]]
