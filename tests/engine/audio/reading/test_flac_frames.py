"""The first frame of a FLAC is found by its own header, whatever the file's header has become."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.reading.flac_frames import SEARCHED_BYTES, first_flac_frame

NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, (20_000, 2))


def frames_at(content: bytes) -> int:
    """Where the metadata blocks end, each of which states its length (RFC 9639, section 8.1)."""
    at, last = 4, False
    while not last:
        last, length = bool(content[at] & 0x80), int.from_bytes(content[at + 1 : at + 4], "big")
        at += 4 + length
    return at


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 12_345, 96_000])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_S8"])
@pytest.mark.parametrize("channels", [1, 2])
def test_it_is_found_where_the_header_says_that_it_is(tmp_path: Path, rate: int, subtype: str, channels: int) -> None:
    soundfile.write(tmp_path / "a.flac", NOISE[:, :channels], rate, subtype=subtype)
    content = (tmp_path / "a.flac").read_bytes()
    place = frames_at(content)
    assert first_flac_frame(io.BytesIO(content)) == place
    assert first_flac_frame(io.BytesIO(b"\xff\xf8junk" * 9 + content[place:])) == 54
    without_first = content[place + 1 :]  # the next one, whose number is not 0
    following = first_flac_frame(io.BytesIO(without_first))
    assert following is not None and following > 1_000


def test_a_header_with_a_wrong_bit_is_none_and_so_is_anything_else(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", NOISE[:2_000], 16_000)
    frames = bytearray((tmp_path / "a.flac").read_bytes()[frames_at((tmp_path / "a.flac").read_bytes()) :])
    for bit in range(16, 40):
        frames[bit // 8] ^= 0x80 >> bit % 8
        assert first_flac_frame(io.BytesIO(frames)) != 0
        frames[bit // 8] ^= 0x80 >> bit % 8
    assert first_flac_frame(io.BytesIO(frames)) == 0
    for content in (b"", b"\xff", b"\xff\xf8" * 100, bytes(range(256)) * 40, bytes(SEARCHED_BYTES) + bytes(frames), bytes(frames[:6])):
        assert first_flac_frame(io.BytesIO(content)) is None
