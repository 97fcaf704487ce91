"""A server as ``app.py`` starts it, asked by the clients that other programs use: OpenAI's, Gradio's, plain HTTP."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import soundfile

from tests.starter_facts import DIGITS, WRITTEN

openai = pytest.importorskip("openai")
gradio_client = pytest.importorskip("gradio_client")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    command = [sys.executable, str(ROOT / "app.py"), "--port", "0", "--threads", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            lines = iter(server.stderr.readline, "")
            yield next(found[1] for line in lines if (found := re.search(r"LightVoice: (http://\S+)", line)))
        finally:
            server.terminate()
            server.communicate(timeout=60)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("recordings")
    samples, rate = soundfile.read(DIGITS)
    paths = {name: folder / f"digits.{name}" for name in ("wav", "mp3")}
    for path in paths.values():
        soundfile.write(path, samples, rate)
    return paths


@pytest.mark.parametrize("container", ["wav", "mp3"])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_openais_client_transcribes(address: str, recordings: dict[str, Path], container: str, precision: str) -> None:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none") as client, recordings[container].open("rb") as file:
        answer = client.audio.transcriptions.create(
            file=file, model=f"starter:{precision}", response_format="verbose_json", timestamp_granularities=["segment", "word"]
        )
        file.seek(0)
        *deltas, done = client.audio.transcriptions.create(file=file, model=f"starter:{precision}", stream=True)
    assert answer.language == "en"
    assert [segment.text for segment in answer.segments] == list(WRITTEN)
    assert sum(answer.segments[0].probabilities["emotion"].values()) == pytest.approx(1, abs=0.05)
    assert "".join(delta.delta for delta in deltas) == done.text == answer.text == " ".join(segment.text for segment in answer.segments)
    assert all(0 <= word.start <= word.end <= answer.duration for word in answer.words)


def test_every_interface_gives_the_same_text(address: str, recordings: dict[str, Path]) -> None:
    client = gradio_client.Client(address, verbose=False)
    heard = client.predict(gradio_client.handle_file(str(recordings["wav"])), api_name="/transcribe")
    client.close()
    with recordings["wav"].open("rb") as file:
        answer = httpx.post(f"{address}/v1/audio/transcriptions", files={"file": file}, data={"response_format": "text"}, timeout=60)
    assert answer.text == f"{heard['text']}\n"
    assert re.search(r"\d{2}", heard["text"])


def test_the_models_are_the_bundles_variants(address: str) -> None:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none") as client:
        assert {"starter:fp32", "starter:int8"} <= {model.id for model in client.models.list()}
