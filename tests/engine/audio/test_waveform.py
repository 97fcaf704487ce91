"""Files and arrays → Waveform: every container, every sample type, and clear words for what is not audio."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.containers import Probe, probe
from engine.audio.waveform import SAMPLE_RATE_HZ, Waveform, from_array, load_audio
from engine.errors import (
    AudioDecodeError,
    AudioNotFoundError,
    AudioTooLongError,
    EmptyAudioError,
    NonFiniteAudioError,
    SampleRateError,
)

TONE_HZ = 440.0


def tone(seconds: float = 1.0, rate: int = SAMPLE_RATE_HZ, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * TONE_HZ * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def pitch_of(waveform: Waveform) -> float:
    spectrum = np.abs(np.fft.rfft(waveform.samples * np.hanning(len(waveform.samples))))
    return float(np.argmax(spectrum)) * SAMPLE_RATE_HZ / len(waveform.samples)


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3"])
def test_libsndfile_containers_keep_pitch_and_length(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"tone.{extension}"
    soundfile.write(path, tone(rate=44_100), 44_100)
    waveform = load_audio(path)
    assert waveform.name == path.name
    assert waveform.samples.dtype == np.float32
    assert waveform.duration_s == pytest.approx(1.0, abs=0.06)
    assert pitch_of(waveform) == pytest.approx(TONE_HZ, abs=2)
    assert waveform.decode_s > 0


@pytest.mark.parametrize(("extension", "codec"), [("m4a", "aac"), ("mp4", "aac"), ("webm", "libopus"), ("mkv", "ac3"), ("opus", "libopus")])
def test_the_other_containers_go_through_av(tmp_path: Path, extension: str, codec: str) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / f"tone.{extension}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48_000, layout="stereo")
        samples = np.repeat(tone(2.0, 48_000)[None], 2, axis=0)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        resampler = av.AudioResampler(
            format=stream.codec_context.format, layout="stereo", rate=48_000, frame_size=stream.codec_context.frame_size
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    waveform = load_audio(path)
    assert waveform.duration_s == pytest.approx(2.0, abs=0.1)
    assert pitch_of(waveform) == pytest.approx(TONE_HZ, abs=2)
    assert 0.2 < np.abs(waveform.samples).max() < 0.8


def test_a_video_without_sound_says_so(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(AudioDecodeError, match="no audio track"):
        load_audio(path)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_sample_types_give_the_same_level(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(), SAMPLE_RATE_HZ, subtype=subtype)
    np.testing.assert_allclose(load_audio(path).samples, tone(), atol=0.01)


@pytest.mark.parametrize(("rate", "channels"), [(384_000, 8), (8_000, 1), (11_025, 2), (2_000, 1), (768_000, 1)])
def test_rates_and_channels_become_16_khz_mono(tmp_path: Path, rate: int, channels: int) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.repeat(tone(rate=rate)[:, None], channels, axis=1), rate)
    waveform = load_audio(path)
    assert waveform.duration_s == pytest.approx(1.0, abs=0.01)
    assert pitch_of(waveform) == pytest.approx(TONE_HZ, abs=2)
    assert np.abs(waveform.samples[4000:12000]).max() == pytest.approx(0.5, abs=0.02)


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "half.wav"
    soundfile.write(path, np.stack([tone(), np.zeros(SAMPLE_RATE_HZ, np.float32)], axis=1), SAMPLE_RATE_HZ)
    np.testing.assert_allclose(load_audio(path).samples, tone() / 2, atol=1e-3)


def test_blocks_are_resampled_without_a_seam() -> None:
    rate = 48_000
    samples = tone(30.0, rate)
    whole = from_array(samples, rate).samples
    assert len(samples) > (1 << 20)  # more than one block, else this proves nothing
    expected = tone(30.0)
    np.testing.assert_allclose(whole[1000:-1000], expected[1000 : len(whole) - 1000], atol=0.01)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.uint8, np.float32, np.float64])
def test_arrays_are_scaled_by_their_type(kind: type) -> None:
    if np.issubdtype(kind, np.integer):
        limits = np.iinfo(kind)
        middle = (limits.max + 1) // 2 if kind is np.uint8 else 0
        array = (tone().astype(np.float64) * (limits.max - middle) + middle).astype(kind)
    else:
        array = tone().astype(kind)
    np.testing.assert_allclose(from_array(array, SAMPLE_RATE_HZ).samples, tone(), atol=0.02)


def test_a_shape_that_is_no_audio_is_refused() -> None:
    with pytest.raises(AudioDecodeError, match="3 dimensions"):
        from_array(np.zeros((2, 2, 2)), SAMPLE_RATE_HZ)
    with pytest.raises(AudioDecodeError, match="not numbers"):
        from_array(np.array(["a"]), SAMPLE_RATE_HZ)


@pytest.mark.parametrize("content", [b"not audio at all" * 50, b"RIFF\x00\x00\x00\x00WAVE", b"ID3" + bytes(200), b"\xff\xfb\x90\x00" * 3])
def test_what_is_not_audio_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "noise.mp3"
    path.write_bytes(content)
    with pytest.raises((AudioDecodeError, EmptyAudioError), match=r"noise\.mp3") as refused:
        load_audio(path)
    assert "\n" not in str(refused.value)


def test_a_missing_file_a_folder_and_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(AudioNotFoundError, match="no such file"):
        load_audio(tmp_path / "lost.wav")
    with pytest.raises(AudioDecodeError, match="folder"):
        load_audio(tmp_path)
    (tmp_path / "empty.wav").touch()
    with pytest.raises(EmptyAudioError):
        load_audio(tmp_path / "empty.wav")


def test_a_header_without_samples_is_empty(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "zero.wav", np.zeros(0, np.float32), SAMPLE_RATE_HZ)
    with pytest.raises(EmptyAudioError):
        load_audio(tmp_path / "zero.wav")


def test_a_truncated_recording_gives_what_is_there(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "whole.wav", tone(2.0), SAMPLE_RATE_HZ, subtype="PCM_16")
    content = (tmp_path / "whole.wav").read_bytes()
    (tmp_path / "half.wav").write_bytes(content[: len(content) // 2])
    assert load_audio(tmp_path / "half.wav").duration_s == pytest.approx(1.0, abs=0.01)
    soundfile.write(tmp_path / "whole.flac", tone(2.0), SAMPLE_RATE_HZ)
    content = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 3])
    assert 0.2 < load_audio(tmp_path / "cut.flac").duration_s < 1.0


def test_a_header_that_promises_hours_gives_what_is_there(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "liar.wav", tone(1.0), SAMPLE_RATE_HZ, subtype="PCM_16")
    content = bytearray((tmp_path / "liar.wav").read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = struct.pack("<I", 0x7FFFFFF0)
    content[4:8] = struct.pack("<I", 0x7FFFFFFF)
    (tmp_path / "liar.wav").write_bytes(content)
    assert load_audio(tmp_path / "liar.wav").duration_s == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_counted(tmp_path: Path, value: float) -> None:
    samples = np.full(100, value, np.float32)
    samples[[5, 7]] = 0.5
    soundfile.write(tmp_path / "nan.wav", samples, SAMPLE_RATE_HZ, subtype="FLOAT")
    with pytest.raises(NonFiniteAudioError, match="98 samples"):
        load_audio(tmp_path / "nan.wav")


@pytest.mark.parametrize("rate", [8, 1_000, 1_000_000])
def test_rates_without_speech_are_refused(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "odd.wav", tone(), rate)
    with pytest.raises(SampleRateError, match=f"{rate} Hz"):
        load_audio(tmp_path / "odd.wav")


def test_the_limit_stops_reading(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", tone(5.0), SAMPLE_RATE_HZ)
    with pytest.raises(AudioTooLongError, match="limit is 3 s"):
        load_audio(tmp_path / "long.wav", max_duration_s=3.0)
    assert load_audio(tmp_path / "long.wav", max_duration_s=5.5).duration_s == pytest.approx(5.0)


@pytest.mark.weights
def test_every_real_recording_is_read(data_dir: Path) -> None:
    recordings = [path for path in sorted((data_dir / "real").iterdir()) if path.suffix != ".tsv"]
    assert len(recordings) == 12
    for path in recordings:
        assert load_audio(path).duration_s > 2


def test_the_header_says_how_long_a_recording_is_without_decoding_it(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(2.5), SAMPLE_RATE_HZ)
    assert probe(path) == Probe(container="WAV", duration_s=2.5)


@pytest.mark.parametrize("content", [b"", b"no audio at all", b"RIFF\0\0\0\0WAVE"])
def test_a_file_that_is_no_recording_has_no_length(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    assert probe(path) is None


@pytest.mark.parametrize("container", ["wav", "m4a"])
def test_reading_stops_when_it_is_no_longer_wanted(tmp_path: Path, container: str) -> None:
    """Whoever reads is asked before each block: ten minutes are not decoded for somebody who has left."""

    class UnwantedError(Exception):
        pass

    path = tmp_path / f"long.{container}"
    _write_silence(path, duration_s=200)
    looks = []

    def cancel_check() -> None:
        looks.append(1)
        if len(looks) == 2:
            raise UnwantedError

    with pytest.raises(UnwantedError):
        load_audio(path, cancel_check=cancel_check)
    assert len(looks) == 2


def _write_silence(path: Path, *, duration_s: int) -> None:
    samples = np.zeros(duration_s * 16_000, np.int16)
    if path.suffix == ".wav":
        soundfile.write(path, samples, 16_000)
        return
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None, :].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
