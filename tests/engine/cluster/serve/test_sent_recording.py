"""What a cluster is sent: the whole recording, from its beginning each time, and never whole in the client's memory."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import threading
import tracemalloc
from collections.abc import Generator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from engine.audio.waveform import SAMPLE_RATE_HZ, AudioStream, Waveform
from engine.cluster.serve.remote_engine import RemoteEngine
from engine.cluster.serve.sent_recording import sent_recording
from engine.cluster.wire import transcript_to_wire
from engine.errors import StorageFullError
from engine.transcript import Timing, Transcript
from tests.reading import DECODER

MINUTES = 20
MB = 1_000_000


def seconds(number: int) -> np.ndarray:
    return np.random.default_rng(number).standard_normal(SAMPLE_RATE_HZ, np.float32)


def recording(minutes: int = MINUTES) -> Generator[np.ndarray, None, None]:
    for number in range(60 * minutes):
        yield seconds(number)


@pytest.fixture(scope="module")
def sha256() -> str:
    digest = hashlib.sha256()
    for part in recording():
        digest.update(part.astype("<f4").tobytes())
    return digest.hexdigest()


class Cluster:
    """Answers every run with silence, after as many failures as it is told; keeps what it was sent as a digest."""

    def __init__(self, bundle: Path) -> None:
        self.failures, self.received = 0, []
        manifest = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
        cluster = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(200, {"bundle": manifest, "precisions": ["fp32", "int8"]})

            def do_POST(self) -> None:
                left, digest = int(self.headers["content-length"]), hashlib.sha256()
                while left:
                    piece = self.rfile.read(min(left, 1 << 16))
                    left -= len(piece)
                    digest.update(piece)
                cluster.received.append((digest.hexdigest(), self.headers["transfer-encoding"]))
                if cluster.failures:
                    cluster.failures -= 1
                    self.answer(500, {})
                    return
                timing = Timing(decode_s=0, features_s=0, vad_s=0, asr_s=0, total_s=0, rtf=0)
                silence = Transcript(file="x", duration_s=1.0, bundle="b", precision="fp32", segments=(), timing=timing)
                self.answer(200, {"transcript": {**transcript_to_wire(silence), "sessions_mb": 1.0}})

            def answer(self, status: int, values: dict) -> None:
                content = json.dumps(values).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Answers)
        self.address = f"ray://127.0.0.1:{self.server.server_port}/speech"


@pytest.fixture
def cluster(starter_bundle: Path) -> Iterator[Cluster]:
    cluster = Cluster(starter_bundle)
    thread = threading.Thread(target=cluster.server.serve_forever)
    thread.start()
    yield cluster
    cluster.server.shutdown()
    thread.join()
    cluster.server.server_close()


@pytest.fixture
def remote(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteEngine]:
    monkeypatch.setattr("engine.cluster.serve.remote_engine._PAUSE_S", 0.001)
    remote = RemoteEngine(cluster.address)
    yield remote
    remote.close()


def test_a_long_recording_is_sent_whole_and_never_lies_in_memory_whole(cluster: Cluster, remote: RemoteEngine, sha256: str) -> None:
    whole_mb = MINUTES * 60 * SAMPLE_RATE_HZ * 4 / MB
    assert whole_mb > 70
    tracemalloc.start()
    try:
        remote.transcribe(AudioStream(recording(), name="long"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert cluster.received == [(sha256, None)]
    assert peak / MB < 15  # blocks of half a minute: 2 MB each


def test_a_second_attempt_sends_it_from_its_beginning(cluster: Cluster, remote: RemoteEngine, sha256: str) -> None:
    cluster.failures = 2
    remote.transcribe(AudioStream(recording(), name="long"))
    assert [digest for digest, _ in cluster.received] == [sha256] * 3


def test_files_and_samples_are_sent_as_they_are(cluster: Cluster, remote: RemoteEngine, tmp_path: Path) -> None:
    path = tmp_path / "talk.wav"
    path.write_bytes(os.urandom(300_000))
    samples = np.concatenate([seconds(number) for number in range(3)])
    cluster.failures = 1
    remote.transcribe(DECODER.open(path))
    remote.transcribe(Waveform(samples))
    remote.transcribe(Waveform(samples[::2]))  # not contiguous
    expected = [path.read_bytes(), path.read_bytes(), samples.tobytes(), samples[::2].tobytes()]
    assert [digest for digest, _ in cluster.received] == [hashlib.sha256(content).hexdigest() for content in expected]


def test_samples_say_that_they_are_and_what_decoding_took(tmp_path: Path) -> None:
    with sent_recording(Waveform(np.zeros(0, np.float32), name="empty", decode_s=0.5)) as sent:
        assert (sent.name, sent.size_bytes, sent.about) == ("empty", 0, {"samples": True, "decode_s": 0.5, "warnings": []})
    stream = AudioStream(recording(1), name="minute")
    with sent_recording(stream) as sent:
        assert (sent.name, sent.size_bytes) == ("minute", 60 * SAMPLE_RATE_HZ * 4)
        assert sent.about == {"samples": True, "decode_s": stream.decode_s, "warnings": []}


def test_a_full_temporary_folder_is_said_and_the_reading_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    ended: list[bool] = []

    def parts() -> Iterator[np.ndarray]:
        try:
            yield from recording(2)
        finally:
            ended.append(True)

    monkeypatch.setattr("engine.cluster.serve.sent_recording.tempfile.TemporaryFile", lambda **_: Full())
    with pytest.raises(StorageFullError, match="No space left on device"), sent_recording(AudioStream(parts(), name="long")):
        pass
    assert ended == [True]
