"""Which audio track is read: the container's default, or the one that was chosen; and what the tracks are called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.containers import probe
from engine.audio.read_options import ReadOptions
from engine.audio.sandbox.decoder import Decoder
from engine.audio.tracks import LONGEST_TEXT, Track
from engine.audio.waveform import SAMPLE_RATE_HZ, Waveform, load_audio
from engine.errors import AudioDecodeError, AudioNotFoundError, UnknownTrackError
from tests.reading import DECODER
from tests.two_tracks import tone, write_two_tracks

pytest.importorskip("av")

LOW_HZ, HIGH_HZ = 300.0, 900.0


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.close()


def pitch_of(waveform: Waveform) -> float:
    spectrum = np.abs(np.fft.rfft(waveform.samples * np.hanning(len(waveform.samples))))
    return float(np.argmax(spectrum)) * SAMPLE_RATE_HZ / len(waveform.samples)


@pytest.mark.parametrize(("extension", "codec"), [("mp4", "aac"), ("mkv", "aac"), ("mov", "aac"), ("mkv", "flac"), ("webm", "libopus")])
@pytest.mark.parametrize("default", [1, 2])
def test_the_default_track_is_read_and_any_other_on_demand(
    tmp_path: Path, decoder: Decoder, extension: str, codec: str, default: int
) -> None:
    path = write_two_tracks(tmp_path / f"two.{extension}", tone(LOW_HZ), tone(HIGH_HZ), default=default, codec=codec)
    pitches = {None: (LOW_HZ, HIGH_HZ)[default - 1], 1: LOW_HZ, 2: HIGH_HZ}
    for track, hertz in pitches.items():
        assert pitch_of(decoder.load(path, read=ReadOptions(track=track))) == pytest.approx(hertz, abs=3)
        assert pitch_of(load_audio(path, read=ReadOptions(track=track))) == pytest.approx(hertz, abs=3)
    assert [track.default for track in decoder.tracks(path)] == [default == 1, default == 2]


def test_without_a_mark_the_first_track_is_the_default(tmp_path: Path, decoder: Decoder) -> None:
    path = write_two_tracks(tmp_path / "two.mkv", tone(LOW_HZ), tone(HIGH_HZ), default=None)
    assert pitch_of(decoder.load(path)) == pytest.approx(LOW_HZ, abs=3)
    assert [track.default for track in decoder.tracks(path)] == [True, False]


def test_a_track_that_is_not_there_is_named_with_the_last_one(tmp_path: Path, decoder: Decoder) -> None:
    path = write_two_tracks(tmp_path / "two.mkv", tone(LOW_HZ), tone(HIGH_HZ), default=1)
    words = r"there is no audio track 3 in two\.mkv, whose last one is 2; choose one up to that, or none for the default track"
    with pytest.raises(UnknownTrackError, match=words):
        decoder.load(path, read=ReadOptions(track=3))
    soundfile.write(tmp_path / "one.wav", tone(LOW_HZ), 48_000)
    assert pitch_of(decoder.load(tmp_path / "one.wav", read=ReadOptions(track=1))) == pytest.approx(LOW_HZ, abs=3)
    with pytest.raises(UnknownTrackError, match=r"no audio track 2 in one\.wav, whose last one is 1"):
        decoder.load(tmp_path / "one.wav", read=ReadOptions(track=2))


def test_tracks_say_what_the_file_says_of_them(tmp_path: Path, decoder: Decoder) -> None:
    path = write_two_tracks(tmp_path / "two.mkv", tone(LOW_HZ), tone(HIGH_HZ), default=2)
    first, second = decoder.tracks(path)
    assert first == Track(number=1, codec="aac", channels=1, sample_rate_hz=48_000, language="eng", title="A <comment>", default=False)
    assert second.description == "2: The talk, chi, aac, mono"
    soundfile.write(tmp_path / "one.flac", np.zeros((100, 2)), 8_000)
    [only] = decoder.tracks(tmp_path / "one.flac")
    assert (only.description, only.sample_rate_hz, only.default) == ("1: PCM_16, stereo", 8_000, True)
    assert probe(path) is not None and probe(path).channels(None) == 1
    assert probe(tmp_path / "one.flac").channels(None) == 2 and probe(tmp_path / "one.flac").channels(7) == 1


def test_what_holds_no_track_is_refused(tmp_path: Path, decoder: Decoder) -> None:
    (tmp_path / "notes.txt").write_text("no audio")
    with pytest.raises(AudioDecodeError, match=r"notes\.txt .*no audio track was found in it"):
        decoder.tracks(tmp_path / "notes.txt")
    with pytest.raises(AudioNotFoundError):
        decoder.tracks(tmp_path / "lost.mp4")


def test_what_a_worker_says_of_tracks_becomes_numbers_and_short_text() -> None:
    said = Track(number=1, codec="aac", channels=2, sample_rate_hz=8_000).to_dict() | {"title": "x" * 9_999, "channels": "2", "default": 1}
    track = Track.from_dict(said)
    assert (len(track.title), track.channels, track.default) == (LONGEST_TEXT, 2, True)


def test_the_odd_recording_is_read_in_its_second_track(data_dir: Path, engine) -> None:
    path = data_dir / "odd_files" / "two_tracks_second_default.mp4"
    if not path.exists():
        pytest.skip("no odd recordings here")
    first, second = (engine.transcribe(DECODER.open(path, read=ReadOptions(track=number))) for number in (1, 2))
    assert engine.transcribe(DECODER.open(path)).segments == second.segments
    assert first.text and second.text and first.duration_s != second.duration_s
