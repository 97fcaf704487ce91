"""The engine on Ray Serve: fifty callers with a replica killed, what the remote engine answers, and what it does not offer."""

from __future__ import annotations

import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from engine.audio.waveform import load_audio
from engine.errors import NotOfferedError, UnknownLanguageError, UnknownPrecisionError
from engine.options import TranscribeOptions
from tests.engine.cluster.conftest import spoken
from tests.reading import DECODER
from tests.starter_facts import DIGITS

CALLERS = 50
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(ray_cluster) -> str:
    """A served engine: two replicas of FP32, the one precision, so that each caller meets the one that is killed."""
    from engine.cluster.serve.serving import app, start_serving, stop_serving

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    application = app({"precisions": "fp32", "min_replicas": 2, "max_replicas": 2, "cpus": 0.5})
    start_serving(application, name="speech", host="127.0.0.1", port=port, proxies="HeadOnly")
    yield f"ray://127.0.0.1:{port}/speech"
    stop_serving()


@pytest.fixture
def remote(address):
    from engine.cluster.serve.remote_engine import RemoteEngine

    return RemoteEngine(address)


def test_fifty_callers_and_a_killed_replica_no_request_fails(remote, engine):
    expected = spoken(engine.transcribe(DECODER.open(DIGITS)).to_dict())
    answered: list[dict] = []
    killed: list[int] = []

    def call(number: int) -> None:
        segments: list[str] = []
        transcript = remote.transcribe(DECODER.open(DIGITS), on_segment=lambda segment: segments.append(segment.text))
        assert segments == [segment.text for segment in transcript.segments]  # each once, whatever was begun again
        answered.append(spoken(transcript.to_dict()))
        if number == 5:
            [victim, _] = [
                one for one in psutil.process_iter(["cmdline"]) if "ServeReplica:speech:fp32" in " ".join(one.info["cmdline"] or ())
            ]
            victim.send_signal(signal.SIGKILL)
            killed.append(victim.pid)

    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(call, range(CALLERS)))
    assert len(killed) == 1
    assert answered == [expected] * CALLERS


def test_a_decoded_recording_gives_the_same_as_its_file(remote, engine):
    here, there = engine.transcribe(DECODER.open(DIGITS)), remote.transcribe(load_audio(DIGITS))
    assert there.segments == here.segments
    assert (there.speech_track == here.speech_track).all()
    assert remote.bundle.name == "starter"
    assert remote.resources()["sessions"][0]["mb"] > 0
    assert set(remote.speeds()) == {"fp32"}


def test_an_error_over_there_is_the_error_it_would_be_here(remote, tmp_path):
    (tmp_path / "junk.wav").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"cannot read junk\.wav as audio") as raised:
        remote.transcribe(DECODER.open(tmp_path / "junk.wav"))
    assert type(raised.value).__name__ == "AudioDecodeError"
    with pytest.raises(UnknownPrecisionError, match="int8"):
        remote.transcribe(DECODER.open(DIGITS), TranscribeOptions(precision="int8"))
    with pytest.raises(UnknownLanguageError):
        remote.transcribe(DECODER.open(DIGITS), TranscribeOptions(language="xx"))


def test_what_is_not_offered_says_so(remote):
    for ask in (remote.live, lambda: remote.switch(remote.bundle)):
        with pytest.raises(NotOfferedError, match="not offered"):
            ask()
