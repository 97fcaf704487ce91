"""Small files that unfold to many hours, and files that would have another file read: refused before they do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.containers import Probe, probe
from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from engine.errors import AudioDecodeError, AudioTooLongError

HOUR_S = 3600
SILENCE = np.zeros(60 * SAMPLE_RATE_HZ, np.int16)


def flac(path: Path, *, minutes: int, stated_samples: int | None = None) -> Path:
    """Digital silence; ``stated_samples`` overwrites the 36 bits in which the header states the length."""
    with soundfile.SoundFile(str(path), "w", SAMPLE_RATE_HZ, 1, format="FLAC") as file:
        for _ in range(minutes):
            file.write(SILENCE)
    if stated_samples is not None:
        content = bytearray(path.read_bytes())
        place = 8 + 13  # "fLaC", the block's header; the length's upper 4 bits share a byte with the sample size
        content[place] = content[place] & 0xF0 | stated_samples >> 32
        content[place + 1 : place + 5] = (stated_samples & 0xFFFFFFFF).to_bytes(4, "big")
        path.write_bytes(content)
    return path


def test_a_small_file_of_two_hours_is_refused_by_what_its_header_says(tmp_path: Path) -> None:
    path = flac(tmp_path / "bomb.flac", minutes=120)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(AudioTooLongError, match="lasts 7200 s or more; the limit is 3600 s"):
        load_audio(path, max_duration_s=HOUR_S)


def test_a_header_that_says_nothing_does_not_help(tmp_path: Path) -> None:
    path = flac(tmp_path / "bomb.flac", minutes=30, stated_samples=0)
    with pytest.raises(AudioTooLongError, match="the limit is 600 s"):
        load_audio(path, max_duration_s=600)


def test_a_header_that_lies_low_does_not_help_either(tmp_path: Path) -> None:
    path = flac(tmp_path / "bomb.flac", minutes=30, stated_samples=SAMPLE_RATE_HZ)
    with pytest.raises(AudioTooLongError, match="the limit is 600 s"):
        load_audio(path, max_duration_s=600)


def test_a_header_that_promises_days_is_refused_unread(tmp_path: Path) -> None:
    path = flac(tmp_path / "liar.flac", minutes=1, stated_samples=48 * HOUR_S * SAMPLE_RATE_HZ)
    assert probe(path) == Probe(container="FLAC", duration_s=48 * HOUR_S)
    with pytest.raises(AudioTooLongError, match="172800 s"):
        load_audio(path, max_duration_s=12 * HOUR_S)


def test_a_header_without_a_length_has_none(tmp_path: Path) -> None:
    path = flac(tmp_path / "stream.flac", minutes=1, stated_samples=0)
    assert probe(path) == Probe(container="FLAC", duration_s=None)
    assert load_audio(path, max_duration_s=61).duration_s == 60


def test_a_reckoned_length_refuses_nothing(tmp_path: Path) -> None:
    """The first frames of an MP3 are silent and small: the rest is reckoned to be as small, and the file to last for long."""
    path = tmp_path / "quiet start.mp3"
    noise = np.random.default_rng(1).uniform(-0.9, 0.9, 20 * SAMPLE_RATE_HZ)
    soundfile.write(path, np.concatenate([np.zeros(2 * SAMPLE_RATE_HZ), noise]), SAMPLE_RATE_HZ, bitrate_mode="VARIABLE")
    assert load_audio(path, max_duration_s=30).duration_s == pytest.approx(22, abs=0.2)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:5,\n{other}\n#EXT-X-ENDLIST\n"),
        ("list.wav", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:5,\nfile:{other}\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", "ffconcat version 1.0\nfile '{name}'\n"),
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:5,\nhttp://127.0.0.1:9/secret.mp3\n#EXT-X-ENDLIST\n"),
    ],
)
def test_a_play_list_reads_no_other_file(tmp_path: Path, name: str, text: str) -> None:
    other = tmp_path / "other.mp3"
    soundfile.write(other, np.full(3 * SAMPLE_RATE_HZ, 0.1), SAMPLE_RATE_HZ)
    path = tmp_path / name
    path.write_text(text.format(other=other, name=other.name), encoding="utf-8")
    with pytest.raises(AudioDecodeError):
        load_audio(path)
    assert probe(path) is None
