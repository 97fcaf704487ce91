"""Decoding in worker processes: the same samples, and whatever goes wrong in there is a typed error and stays in there."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from engine.audio.sandbox.decoder import DecodeLimits, Decoder
from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from engine.errors import (
    AudioDecodeError,
    AudioError,
    AudioNotFoundError,
    AudioTooLongError,
    DecoderCrashedError,
    DecoderLimitError,
    DecoderUnavailableError,
    EmptyAudioError,
    NonFiniteAudioError,
    SampleRateError,
)
from tests.starter_facts import EXAMPLES
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[4]
HOSTILE = (sys.executable, "-m", "tests.engine.audio.sandbox.hostile_worker")


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.close()


@pytest.fixture
def hostile() -> Iterator[Decoder]:
    decoder = Decoder(limits=DecodeLimits(stall_s=3.0), command=HOSTILE)
    yield decoder
    decoder.close()


@pytest.fixture
def named(tmp_path: Path):
    """A whole recording by the name that was asked for."""

    def write(name: str) -> Path:
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, np.full(SAMPLE_RATE_HZ, 0.25, np.float32), SAMPLE_RATE_HZ)
        return path

    return write


#: Ours, not those of Ray, which another test of the same process may have left running.
WORKER = re.compile(r"sandbox\.worker|hostile_worker")


_others: set[int] = set()


def _is_worker(child: psutil.Process) -> bool:
    try:
        return bool(WORKER.search(" ".join(child.cmdline())))
    except psutil.Error:  # it has just ended
        return False


def workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.pid not in _others and _is_worker(child)]


@pytest.fixture(autouse=True)
def others() -> None:
    """An engine that several tests share keeps a worker of its own meanwhile."""
    _others.clear()
    _others.update(child.pid for child in psutil.Process().children() if _is_worker(child))


def test_the_samples_are_those_of_this_process(decoder: Decoder) -> None:
    for path in sorted(EXAMPLES.glob("*.flac")):
        here, there = load_audio(path), decoder.load(path)
        np.testing.assert_array_equal(here.samples, there.samples)
        assert (there.name, there.samples.dtype) == (path.name, np.float32)
    assert len(workers()) == 1


def test_no_text_of_a_worker_comes_out(hostile: Decoder, named) -> None:
    loaded = hostile.load(named("preach"))
    assert (len(loaded.samples), loaded.warnings) == (SAMPLE_RATE_HZ, ())


def test_a_recording_of_many_blocks_arrives_whole(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "ten minutes.wav"
    samples = np.sin(np.arange(600 * SAMPLE_RATE_HZ, dtype=np.float32) * 0.1) * 0.5
    soundfile.write(path, samples, SAMPLE_RATE_HZ, subtype="FLOAT")
    np.testing.assert_array_equal(decoder.load(path).samples, samples)


@pytest.mark.parametrize(
    ("samples", "rate", "limit_s", "kind"),
    [
        (np.zeros(0, np.float32), SAMPLE_RATE_HZ, None, EmptyAudioError),
        (np.array([0, np.nan, np.inf], np.float32), SAMPLE_RATE_HZ, None, NonFiniteAudioError),
        (np.zeros(100, np.float32), 100, None, SampleRateError),
        (np.zeros(5 * SAMPLE_RATE_HZ, np.float32), SAMPLE_RATE_HZ, 3.0, AudioTooLongError),
    ],
)
def test_refusals_are_those_of_this_process(decoder: Decoder, tmp_path: Path, samples, rate, limit_s, kind) -> None:
    path = tmp_path / "odd.wav"
    soundfile.write(path, samples, rate, subtype="FLOAT")
    with pytest.raises(kind) as there:
        decoder.load(path, max_duration_s=limit_s)
    with pytest.raises(kind) as here:
        load_audio(path, max_duration_s=limit_s)
    assert type(there.value) is kind
    assert str(there.value) == str(here.value)


def test_what_is_no_file_needs_no_process(decoder: Decoder, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    for path, kind in (
        (tmp_path / "lost.wav", AudioNotFoundError),
        (tmp_path, AudioDecodeError),
        (tmp_path / "empty.wav", EmptyAudioError),
    ):
        with pytest.raises(kind):
            decoder.load(path)
        assert decoder.probe(path) is None
    assert workers() == []


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_crash_of_the_library_is_an_error_that_names_the_file_and_the_remedy(hostile: Decoder, named) -> None:
    with pytest.raises(DecoderCrashedError, match=r"crash\.wav .*SIGSEGV.* convert it") as caught:
        hostile.load(named("crash"))
    assert isinstance(caught.value, AudioDecodeError)
    assert hostile.load(named("whole")).duration_s == 1.0


@pytest.mark.parametrize(("deed", "said"), [("hang", "more time"), ("eat", "more memory"), ("babble", "crashed"), ("lie", "crashed")])
def test_a_decoder_that_hangs_or_answers_nonsense_is_stopped_and_the_next_file_is_read(
    hostile: Decoder, named, deed: str, said: str
) -> None:
    if deed == "eat" and sys.platform != "linux":
        pytest.skip("this system does not limit a process's memory")
    with pytest.raises((DecoderLimitError, DecoderCrashedError), match=said):
        hostile.load(named(deed))
    assert hostile.load(named("whole")).duration_s == 1.0
    assert len(workers()) == 1


def test_samples_without_an_end_are_stopped_by_this_side_too(hostile: Decoder, named) -> None:
    with pytest.raises(AudioTooLongError):
        hostile.load(named("flood"), max_duration_s=30.0)
    assert hostile.load(named("whole")).duration_s == 1.0


def test_a_file_that_always_gives_a_little_more_is_stopped_in_the_end(named) -> None:
    class Short(DecodeLimits):
        def total_s(self, duration_s: float) -> float:
            return 2.0

    decoder = Decoder(limits=Short(), command=HOSTILE)
    with pytest.raises(DecoderLimitError, match="more time"):
        decoder.load(named("dribble"))
    decoder.close()


def test_the_system_ends_a_worker_that_computes_for_ever_by_itself(named) -> None:
    pytest.importorskip("resource", reason="this system has no limits for processes")

    class Unwatched(DecodeLimits):
        def total_s(self, duration_s: float) -> float:
            return 1.0

    class Patient(Decoder):
        def _messages(self, *arguments, **how):
            object.__setattr__(self.limits, "stall_s", 60.0)
            return super()._messages(*arguments, **how)

    decoder = Patient(limits=Unwatched(), command=HOSTILE)
    with pytest.raises(DecoderLimitError):
        decoder.load(named("spin"))
    decoder.close()


def test_an_unexpected_error_names_its_type_and_keeps_the_worker(hostile: Decoder, named) -> None:
    with pytest.raises(AudioDecodeError, match="LookupError"):
        hostile.load(named("stumble"))
    [worker] = workers()
    assert hostile.load(named("whole")).duration_s == 1.0
    assert workers() == [worker]


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_worker_that_an_earlier_file_left_broken_is_no_fault_of_the_next_one(hostile: Decoder, named) -> None:
    assert hostile.load(named("whole")).duration_s == 1.0
    [worker] = workers()
    worker.kill()
    assert hostile.load(named("whole")).duration_s == 1.0


def test_a_worker_that_nobody_asks_leaves_and_another_one_comes(named) -> None:
    if os.name != "posix":
        pytest.skip("a worker stays as long as its parent on this system")
    decoder = Decoder(limits=DecodeLimits(idle_s=1.5))
    decoder.warm_up()
    [worker] = workers()
    worker.wait(30)
    assert decoder.load(named("whole")).duration_s == 1.0
    decoder.close()


def test_workers_end_with_their_decoder_closed_or_forgotten(named) -> None:
    closed, forgotten = Decoder(), Decoder()
    for decoder in (closed, forgotten):
        decoder.load(named("whole"))
    assert len(workers()) == 2
    closed.close()
    del decoder, forgotten
    assert workers() == []


def test_a_recording_that_is_no_longer_wanted_is_read_no_further(hostile: Decoder, named) -> None:
    class GoneError(OSError):
        """As an error of the machine's would be, which a worker's end is told by."""

    parts: list[int] = []

    def cancel_check() -> None:
        parts.append(1)
        if len(parts) == 3:
            raise GoneError

    with pytest.raises(GoneError):
        hostile.load(named("flood"), cancel_check=cancel_check)
    assert hostile.load(named("whole")).duration_s == 1.0
    assert len(workers()) == 1


def test_several_recordings_are_read_at_once_and_no_more_than_there_are_places(decoder: Decoder, named) -> None:
    lengths: list[float] = []
    path = named("whole")
    threads = [threading.Thread(target=lambda: lengths.append(decoder.load(path).duration_s)) for _ in range(12)]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    until(lambda: seen.append(len(workers())) or not any(thread.is_alive() for thread in threads))
    assert lengths == [1.0] * 12
    assert 1 <= max(seen) <= 4


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_knows_no_secret_of_the_server_and_holds_itself_to_limits(monkeypatch: pytest.MonkeyPatch, named) -> None:
    monkeypatch.setenv("LIGHTVOICE_API_KEYS", "a secret")
    decoder = Decoder()
    decoder.load(named("whole"))
    [worker] = workers()
    assert "LIGHTVOICE_API_KEYS" not in worker.environ()
    assert worker.rlimit(psutil.RLIMIT_AS)[0] == 1024 << 20
    assert worker.rlimit(psutil.RLIMIT_FSIZE)[0] == worker.rlimit(psutil.RLIMIT_CORE)[0] == 0
    decoder.close()


def test_a_worker_loads_nothing_but_the_decoders(decoder: Decoder) -> None:
    code = "import sys, engine.audio.sandbox.worker; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    import subprocess

    loaded = set(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())
    assert loaded.isdisjoint({"onnxruntime", "torch", "gradio", "kaldi_native_fbank", "psutil", "av", "ui", "models", "asyncio"})


def test_where_no_process_can_be_started_that_is_what_is_said(named) -> None:
    decoder = Decoder(command=("/no/such/python",))
    with pytest.raises(DecoderUnavailableError, match="no decoder can be started"):
        decoder.load(named("whole"))
    assert not issubclass(DecoderUnavailableError, AudioError)
