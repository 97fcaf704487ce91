"""The slim page: WAV in, text out, nothing heavy loaded, and what it saves measured, not claimed."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from starlette.testclient import TestClient

from engine.audio.sandbox.decoder import Decoder
from engine.audio.waveform import load_audio
from engine.formats import FORMATS
from engine.options import TranscribeOptions
from engine.pipeline import Engine
from tests.starter_facts import DIGITS
from tests.subtitles import read_srt
from ui.limits import Limits
from ui.slim.memory_probe import Footprint, ProbeError, Saving, measure_saving
from ui.slim.slim_app import COMMAND, SOUND, slim_app
from ui.slim.slim_html import saving_html
from ui.text.texts import Texts
from ui.transcribe.exports import MEDIA_TYPES

ROOT = Path(__file__).resolve().parents[3]
SOUND_HEADER, COMMAND_HEADER = {"content-type": SOUND}, {"content-type": COMMAND}


@pytest.fixture
def wav(tmp_path: Path) -> Callable[..., bytes]:
    """``wav(subtype=…, format=…)``: the spoken digits as a file's bytes."""

    def write(subtype: str = "PCM_16", file_format: str = "WAV", rate: int = 16_000) -> bytes:
        path = tmp_path / f"digits.{file_format.lower()}"
        soundfile.write(path, load_audio(DIGITS).samples, rate, subtype=subtype, format=file_format)
        return path.read_bytes()

    return write


@pytest.fixture
def client(engine: Engine, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(slim_app(engine, Decoder(), files=tmp_path / "files", limits=Limits(upload_mb=1))) as client:
        yield client


def test_a_wav_becomes_a_transcript_with_tags_and_files(client: TestClient, engine: Engine, wav: Callable[..., bytes]) -> None:
    answer = client.post("/transcribe?name=my%20digits.wav&language=English&itn=false", content=wav(), headers=SOUND_HEADER)
    told = answer.json()
    assert answer.status_code == 200
    assert set(told["downloads"]) == set(FORMATS)
    assert told["downloads"]["srt"]["name"] == "my digits.srt"
    expected = engine.transcribe(load_audio(DIGITS), TranscribeOptions(language="en", itn=False))
    for segment in expected.segments:
        assert segment.text in told["html"]
        assert segment.text in told["downloads"]["txt"]["text"]
    assert told["html"].count("lv-segment-head") == len(expected.segments)
    assert "lv-emotion" in told["html"]


def test_a_document_is_written_by_a_process_that_takes_its_memory_along(client: TestClient, wav: Callable[..., bytes]) -> None:
    told = client.post("/transcribe?name=my%20digits.wav", content=wav(), headers=SOUND_HEADER).json()
    loaded = "docx" in sys.modules
    assert told["document"]["name"] == "my digits.docx"
    answer = client.post("/document", content=told["document"]["source"], headers=COMMAND_HEADER)
    assert answer.headers["content-type"] == MEDIA_TYPES["docx"]
    assert ("docx" in sys.modules) == loaded
    import docx

    paragraphs = [one.text for one in docx.Document(io.BytesIO(answer.content)).paragraphs]
    words = [segment["text"] for segment in json.loads(told["downloads"]["json"]["text"])["segments"]]
    assert words and all(any(text in one for one in paragraphs) for text in words)


@pytest.mark.parametrize("source", [b"{}", b"no JSON", b'{"file": 7}'])
def test_what_is_no_transcript_becomes_no_document(client: TestClient, source: bytes) -> None:
    answer = client.post("/document", content=source, headers={**COMMAND_HEADER, "accept-language": "zh-CN"})
    assert answer.status_code == 400
    assert "无法生成文档" in answer.json()["failure"]


def test_subtitles_are_cut_as_asked(client: TestClient, wav: Callable[..., bytes]) -> None:
    asked = "max_line_width=12&max_line_count=1&min_cue_ms="
    told = client.post(f"/transcribe?name=x.wav&{asked}", content=wav(), headers=SOUND_HEADER).json()
    assert all(len(cue.text) <= 12 and "\n" not in cue.text for cue in read_srt(told["downloads"]["srt"]["text"]))
    refused = client.post("/transcribe?name=x.wav&max_line_width=1", content=wav(), headers={**SOUND_HEADER, "accept-language": "zh"})
    assert refused.status_code == 400
    assert "必须在 10 与 200 之间" in refused.json()["failure"]


@pytest.mark.parametrize(("subtype", "file_format"), [("PCM_24", "WAV"), ("FLOAT", "WAVEX"), ("PCM_16", "RF64")])
def test_every_kind_of_wav_is_read(client: TestClient, wav: Callable[..., bytes], subtype: str, file_format: str) -> None:
    answer = client.post("/transcribe?name=x.wav", content=wav(subtype, file_format), headers=SOUND_HEADER)
    assert "lv-segment-head" in answer.json()["html"]


@pytest.mark.parametrize("content", ["mp3", "flac", "renamed", "nonsense"])
def test_anything_but_wav_is_refused_with_the_remedy(client: TestClient, wav: Callable[..., bytes], content: str) -> None:
    body = {"mp3": lambda: wav("MPEG_LAYER_III", "MP3"), "flac": DIGITS.read_bytes, "nonsense": lambda: b"RIFF????WAVE" + b"?" * 99}
    data = body.get(content, DIGITS.read_bytes)()
    name = "song.wav" if content == "renamed" else f"song.{content}"
    answer = client.post(f"/transcribe?name={name}", content=data, headers=SOUND_HEADER)
    assert answer.status_code == 400
    assert f"{name} is no WAV file" in answer.json()["failure"]
    assert "without --slim" in answer.json()["failure"]
    chinese = client.post(f"/transcribe?name={name}", content=data, headers={**SOUND_HEADER, "accept-language": "zh-CN"})
    assert "此处仅支持 WAV 文件" in chinese.json()["failure"]


def test_uploads_are_gone_when_they_are_read(client: TestClient, tmp_path: Path, wav: Callable[..., bytes]) -> None:
    client.post("/transcribe?name=../../etc/x.wav", content=wav(), headers=SOUND_HEADER)
    client.post("/transcribe?name=x.mp3", content=b"no", headers=SOUND_HEADER)
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


def test_each_channel_s_speaker_is_named_and_a_wrong_choice_is_said(client: TestClient, tmp_path: Path) -> None:
    samples = load_audio(DIGITS).samples
    soundfile.write(tmp_path / "call.wav", np.stack([samples, np.roll(samples, 24_000)], axis=1), 16_000)
    sound = (tmp_path / "call.wav").read_bytes()
    told = client.post("/transcribe?name=call.wav&channel=split", content=sound, headers=SOUND_HEADER).json()
    assert "Speaker 2" in told["html"]
    assert "Speaker 1: " in told["downloads"]["srt"]["text"] and "<v Speaker 2>" in told["downloads"]["vtt"]["text"]
    assert "Speaker" not in client.post("/transcribe?name=call.wav", content=sound, headers=SOUND_HEADER).json()["html"]
    wrong = client.post("/transcribe?channel=middle", content=sound, headers={**SOUND_HEADER, "accept-language": "zh-CN"})
    assert wrong.status_code == 400
    assert "未知的声道选项 &#39;middle&#39;；可选：auto, mix" in wrong.json()["failure"]


def test_a_file_beyond_the_limit_is_refused(client: TestClient) -> None:
    answer = client.post("/transcribe?name=x.wav", content=bytes(1_000_001), headers=SOUND_HEADER)
    assert answer.status_code == 413
    assert "1.0 MB" in answer.json()["failure"]


def test_silence_and_a_wrong_language_are_answers(client: TestClient, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "quiet.wav", np.zeros(32_000, np.float32), 16_000)
    quiet = (tmp_path / "quiet.wav").read_bytes()
    assert "No speech was found" in client.post("/transcribe?name=q.wav", content=quiet, headers=SOUND_HEADER).json()["html"]
    wrong = client.post("/transcribe?name=q.wav&language=zn", content=quiet, headers=SOUND_HEADER)
    assert "unknown language" in wrong.json()["failure"]


def test_a_name_is_never_markup(client: TestClient, wav: Callable[..., bytes]) -> None:
    told = client.post("/transcribe?name=<img src=x>.wav", content=wav(), headers=SOUND_HEADER).json()
    assert "<img" not in told["html"]
    assert "<img" not in client.post("/transcribe?name=<img>.wav", content=b"no", headers=SOUND_HEADER).json()["failure"]


@pytest.mark.parametrize("path", ["/transcribe", "/lightweight", "/measure", "/document"])
def test_other_pages_cannot_send_anything(client: TestClient, engine: Engine, path: str) -> None:
    assert client.post(path, content=b'{"on": true}', headers={"content-type": "text/plain"}).status_code == 415
    assert not engine.lightweight


def test_the_switch_is_the_servers(client: TestClient, engine: Engine) -> None:
    assert client.get("/state").json()["on"] is False
    told = client.post("/lightweight", content=b'{"on": true}', headers=COMMAND_HEADER).json()
    assert told["on"] is True
    assert "INT8" in told["html"]
    assert engine.lightweight
    assert client.post("/lightweight", content=b'{"on": "yes"}', headers=COMMAND_HEADER).status_code == 400
    assert client.get("/healthz").json()["precision"] == "int8"


@pytest.mark.parametrize(("language", "said"), [("en-US", "One recording at a time"), ("zh-CN", "每次一个录音")])
def test_the_page_speaks_the_readers_language_and_asks_nobody_else(client: TestClient, language: str, said: str) -> None:
    answer = client.get("/", headers={"accept-language": language})
    assert said in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    fetched = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert fetched == ["favicon.svg"]
    assert client.get("/favicon.svg").status_code == 200


def test_a_slim_server_loads_neither_gradio_nor_what_comes_with_it() -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom engine.bundle import Bundle\nfrom engine.pipeline import Engine\n"
        "from ui.serve import build_app\nengine = Engine(Bundle.load('models/starter/bundle'), precision='int8')\nengine.warm_up()\n"
        "build_app(engine, files=Path('.'), slim=True)\n"
        "heavy = ('gradio', 'fastapi', 'pydantic', 'pandas', 'PIL', 'av', 'docx', 'lxml', 'models')\n"
        "print([name for name in heavy if name in sys.modules])\nengine.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_saving_is_measured_in_fresh_processes(starter_bundle: Path) -> None:
    saving = measure_saving(starter_bundle, "int8")
    assert saving.full.rss_mb > saving.slim.rss_mb > 20
    assert saving.full.modules > saving.slim.modules
    assert saving.saved_mb == pytest.approx(saving.full.rss_mb - saving.slim.rss_mb)
    assert 0 < saving.share < 1


def test_a_saving_that_cannot_be_measured_is_said(client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ProbeError):
        measure_saving(tmp_path / "no bundle", "int8")

    def fail(*_: object) -> Saving:
        raise ProbeError("killed <by> the system")

    monkeypatch.setattr("ui.slim.slim_app.measure_saving", fail)
    answer = client.post("/measure", content=b"{}", headers=COMMAND_HEADER)
    assert "killed &lt;by&gt; the system" in answer.json()["failure"]


def test_a_saving_is_measured_once_for_each_precision(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def measured(_: Path, precision: str) -> Saving:
        asked.append(precision)
        return Saving(Footprint(80.0, 400), Footprint(200.0, 1700))

    monkeypatch.setattr("ui.slim.slim_app.measure_saving", measured)
    for _ in range(2):
        html = client.post("/measure", content=b"{}", headers=COMMAND_HEADER).json()["html"]
        assert "120 MB saved (60 %)" in html
    client.post("/lightweight", content=b'{"on": true}', headers=COMMAND_HEADER)
    client.post("/measure", content=b"{}", headers=COMMAND_HEADER)
    assert asked == ["fp32", "int8"]


def test_a_page_that_saves_nothing_says_so() -> None:
    html = saving_html(Saving(Footprint(100.0, 1), Footprint(100.0, 1)), "int8", Texts("en"))
    assert "0 MB saved (0 %)" in html
