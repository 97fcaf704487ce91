"""What is readable is read, at its own time, and what is not is said: joined, late, cut, damaged and unusual recordings."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("av")

from engine.audio.containers import probe
from engine.audio.reading.reading_warnings import WarningType
from engine.audio.waveform import SAMPLE_RATE_HZ, Waveform, from_array, load_audio
from engine.errors import AudioDecodeError, AudioTooLongError, NonFiniteAudioError
from tests.engine.audio.reading.made_recordings import VIDEO, bursts, stretches, write

RATE = 48_000
FILES = {"m4a": "aac", "mka": "aac", "webm": "libopus", "ogg": "libopus", "mp3": "libmp3lame", "aac": "aac", "ac3": "ac3", "wma": "wmav2"}
SOUND_FILES = ("wav", "flac", "aiff", "au", "caf", "w64")


def made(folder: Path, ending: str, *, seconds: float = 3.0, rate: int = RATE, name: str = "whole") -> Path:
    path = folder / f"{name}.{ending}"
    if ending in FILES:
        return write(path, [bursts(seconds, rate)], codec=FILES[ending], rate=rate)
    soundfile.write(path, bursts(seconds, rate), rate)
    return path


def joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def shortened(path: Path, share: float) -> Path:
    content = path.read_bytes()
    cut = path.with_name(f"cut{path.suffix}")
    cut.write_bytes(content[: round(len(content) * share)])
    return cut


def said(waveform: Waveform) -> set[str]:
    return {warning.type.value for warning in waveform.warnings}


# ---- joined ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [*FILES, *SOUND_FILES])
def test_joined_files_are_read_to_the_end_and_nothing_is_said(tmp_path: Path, ending: str) -> None:
    whole = made(tmp_path, ending)
    twice = load_audio(joined(tmp_path / f"twice.{ending}", whole, whole))
    assert twice.duration_s == pytest.approx(2 * load_audio(whole).duration_s, abs=0.1)
    assert len(stretches(twice)) == 6
    assert twice.warnings == ()
    found = probe(tmp_path / f"twice.{ending}")
    assert found is not None
    assert found.duration_s is None or found.duration_s > 5.5 or ending == "mp3"


@pytest.mark.parametrize("ending", ["mp3", "aac", "flac", "ogg", "wav", "m4a"])
def test_the_rate_may_change_within_a_stream(tmp_path: Path, ending: str) -> None:
    low = 24_000
    whole = load_audio(joined(tmp_path / f"both.{ending}", made(tmp_path, ending), made(tmp_path, ending, rate=low, name="low")))
    assert whole.duration_s == pytest.approx(6, abs=0.25)
    pitches = [pitch_of(whole, start_s) for start_s, _ in stretches(whole)]
    assert pitches == pytest.approx([440] * 6, abs=6)
    assert whole.warnings == ()


def pitch_of(waveform: Waveform, start_s: float) -> float:
    first = round((start_s + 0.05) * SAMPLE_RATE_HZ)
    part = waveform.samples[first : first + 4096]
    return float(np.argmax(np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 16)))) * SAMPLE_RATE_HZ / (1 << 16)


def test_streams_of_different_codecs_may_be_chained(tmp_path: Path) -> None:
    vorbis = tmp_path / "vorbis.ogg"
    soundfile.write(vorbis, bursts(2.0, RATE), RATE, format="OGG", subtype="VORBIS")
    chained = load_audio(joined(tmp_path / "chained.ogg", made(tmp_path, "ogg"), vorbis))
    assert chained.duration_s == pytest.approx(5, abs=0.1)


def test_a_second_piece_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    first = made(tmp_path, "m4a")
    broken = tmp_path / "broken.m4a"
    broken.write_bytes(first.read_bytes()[:20] + bytes(5000))
    both = load_audio(joined(tmp_path / "both.m4a", first, broken))
    [warning] = both.warnings
    assert warning.type is WarningType.LEFT_OUT
    assert warning.values == {"bytes": 5020, "from_byte": first.stat().st_size}


# ---- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", VIDEO)
def test_sound_that_begins_late_in_a_video_keeps_its_time(tmp_path: Path, ending: str) -> None:
    picture, codec, rate = VIDEO[ending]
    path = write(tmp_path / f"late.{ending}", [bursts(3, rate)], codec=codec, rate=rate, audio_at_s=5.0, video=(picture, 9.0))
    waveform = load_audio(path)
    starts = [start for start, _ in stretches(waveform)]
    assert starts == pytest.approx([5, 6, 7], abs=0.08)
    assert waveform.warnings == ()


@pytest.mark.parametrize("ending", VIDEO)
def test_what_comes_after_a_gap_keeps_its_time_and_the_gap_is_said(tmp_path: Path, ending: str) -> None:
    picture, codec, rate = VIDEO[ending]
    path = write(tmp_path / f"gap.{ending}", [bursts(4, rate)], codec=codec, rate=rate, gap=(1.7, 20.0), video=(picture, 24.0))
    waveform = load_audio(path)
    starts = [start for start, _ in stretches(waveform)]
    assert starts == pytest.approx([0, 1, 22, 23], abs=0.1)
    assert said(waveform) == {"gaps"}


def test_a_beginning_hours_late_is_refused_where_the_limit_is_shorter_and_else_keeps_its_time(tmp_path: Path) -> None:
    path = write(tmp_path / "late.mkv", [bursts(1, RATE)], codec="aac", rate=RATE, audio_at_s=2 * 3600.0, video=("mpeg4", 0.2))
    with pytest.raises(AudioTooLongError):
        load_audio(path, max_duration_s=3600)
    assert stretches(load_audio(path))[0][0] == pytest.approx(7200, abs=0.08)


def test_times_that_nothing_confirms_are_not_followed_beyond_the_limit(tmp_path: Path) -> None:
    """A transport stream joined with another one, whose clock stands elsewhere: its sound follows at once."""
    first, second = made(tmp_path, "ac3"), tmp_path / "second.ts"
    del first
    write(tmp_path / "first.ts", [bursts(2, RATE)], codec="mp2", rate=RATE)
    write(second, [bursts(2, RATE)], codec="mp2", rate=RATE, audio_at_s=9000.0)
    both = load_audio(joined(tmp_path / "both.ts", tmp_path / "first.ts", second), max_duration_s=600)
    assert both.duration_s == pytest.approx(4, abs=0.15)


# ---- cut and damaged -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [ending for ending in (*FILES, *SOUND_FILES) if ending != "m4a"])
def test_a_recording_that_is_cut_gives_what_is_there_and_says_so(tmp_path: Path, ending: str) -> None:
    waveform = load_audio(shortened(made(tmp_path, ending, seconds=6), 0.6))
    assert 1.9 < waveform.duration_s < 4.0
    assert said(waveform) & {"ends_early", "breaks_off"}


def test_mp4_with_its_index_in_front_or_in_fragments_may_be_cut(tmp_path: Path) -> None:
    for flags in ("faststart", "frag_keyframe+empty_moov+default_base_moof"):
        options = {"movflags": flags, "frag_duration": "500000"}
        whole = write(tmp_path / "whole.mp4", [bursts(6, RATE)], codec="aac", rate=RATE, options=options)
        waveform = load_audio(shortened(whole, 0.6))
        assert 2.5 < waveform.duration_s < 4.0
        assert said(waveform) & {"ends_early", "breaks_off"}


@pytest.mark.parametrize("ending", ["m4a", "mka", "webm", "ogg", "mp3", "aac", "ac3", "wma", "flac"])
def test_damage_in_the_middle_costs_its_own_place_alone(tmp_path: Path, ending: str) -> None:
    whole = made(tmp_path, ending, seconds=8)
    content = bytearray(whole.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = np.random.default_rng(3).bytes(200)
    (tmp_path / f"damaged.{ending}").write_bytes(content)
    waveform = load_audio(tmp_path / f"damaged.{ending}")
    assert waveform.duration_s == pytest.approx(8, abs=0.15)
    starts = [start for start, _ in stretches(waveform)]
    assert starts[0] == pytest.approx(0, abs=0.08)
    assert starts[-1] == pytest.approx(7, abs=0.08)


def test_how_much_is_lost_of_a_damaged_recording_is_said(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.mka", [bursts(8, RATE)], codec="flac", rate=RATE)
    content = bytearray(whole.read_bytes())
    # The frames keep their places in the container, and ten of them no longer begin as frames do.
    place = len(content) // 2
    for _ in range(10):
        place = content.index(b"\xff\xf8", place + 2)
        content[place : place + 2] = b"\0\0"
    whole.write_bytes(content)
    waveform = load_audio(whole)
    [damage] = [warning for warning in waveform.warnings if warning.type is WarningType.DAMAGED]
    assert 0.2 < damage.values["lost_s"] < 1.6
    assert 3 < damage.values["first_s"] < 5
    assert waveform.duration_s == pytest.approx(8, abs=0.01)
    assert stretches(waveform)[-1][0] == pytest.approx(7, abs=0.02)


def test_a_stream_that_begins_within_a_frame_is_read_from_its_next_one(tmp_path: Path) -> None:
    for ending in ("ac3", "mp3", "aac", "flac"):
        whole = made(tmp_path, ending, seconds=6)
        content = whole.read_bytes()
        (tmp_path / f"late.{ending}").write_bytes(content[len(content) // 3 + 7 :])
        assert 3.3 < load_audio(tmp_path / f"late.{ending}").duration_s < 4.4


@pytest.mark.parametrize("seconds", [0.2, 0.5, 3.0])
def test_a_flac_whose_header_is_damaged_is_read_from_its_first_frame(tmp_path: Path, seconds: float) -> None:
    whole = made(tmp_path, "flac", seconds=seconds, rate=16_000)
    expected = load_audio(whole)
    content = bytearray(whole.read_bytes())
    content[3:6] = b"K\xff\xff"
    whole.write_bytes(content)
    found = load_audio(whole)
    assert found.duration_s == pytest.approx(expected.duration_s, abs=0.01)
    assert np.allclose(found.samples, expected.samples, atol=1e-3)
    assert said(found) == {"left_out"}
    whole.write_bytes(b"fLaK" + bytes(range(256)) * 40)
    with pytest.raises(AudioDecodeError):
        load_audio(whole)


def test_hardly_anything_readable_is_refused_in_words_that_a_person_understands(tmp_path: Path) -> None:
    whole = made(tmp_path, "m4a", seconds=6)
    content = bytearray(whole.read_bytes())
    first, last = content.index(b"mdat") + 4, content.index(b"moov") - 4
    content[first:last] = b"\xff" * (last - first)
    whole.write_bytes(content)
    with pytest.raises(AudioDecodeError, match="hardly any of it can be decoded"):
        load_audio(whole)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:5,\na.mp3\n#EXT-X-ENDLIST\n", "play list"), (b"no audio at all" * 60, "no recording")],
)
def test_no_message_is_a_number_or_a_word_of_the_system(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "talk.wav").write_bytes(content)
    with pytest.raises(AudioDecodeError, match=words) as refused:
        load_audio(tmp_path / "talk.wav")
    for raw in ("Error number", "Errno", "not permitted", "1094995529"):
        assert raw not in str(refused.value)


# ---- unusual ---------------------------------------------------------------------------------------------------------


def wav(path: Path, *, size: int | None, seconds: float = 2.0, behind: bytes = b"") -> Path:
    samples = (bursts(seconds, SAMPLE_RATE_HZ) * 32767).astype("<i2").tobytes()
    length = len(samples) if size is None else size
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SAMPLE_RATE_HZ, 2 * SAMPLE_RATE_HZ, 2, 16)
    head = b"WAVE" + form + struct.pack("<4sI", b"data", length)
    total = min(len(head) + length, 0xFFFF_FFFF) if length else 0
    path.write_bytes(b"RIFF" + struct.pack("<I", total) + head + (samples if seconds else b"") + behind)
    return path


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF, 0x7FFF_FFFF, 0x7FFF_F7FF, None])
def test_a_wav_whose_length_was_never_written_is_read_to_the_end_of_the_file(tmp_path: Path, size: int | None) -> None:
    waveform = load_audio(wav(tmp_path / "recorder.wav", size=size))
    assert waveform.duration_s == pytest.approx(2.0)
    assert waveform.warnings == ()


def test_an_empty_wav_with_text_behind_it_stays_empty(tmp_path: Path) -> None:
    path = wav(tmp_path / "empty.wav", size=0, seconds=0, behind=b"LIST" + struct.pack("<I", 12) + b"INFOICMT" + bytes(4))
    with pytest.raises(ValueError, match="no audio samples"):
        load_audio(path)


def test_a_wav_of_which_hardly_anything_came_says_how_much_is_missing(tmp_path: Path) -> None:
    path = wav(tmp_path / "whole.wav", size=None, seconds=100)
    path.write_bytes(path.read_bytes()[:20_000])
    [warning] = load_audio(path).warnings
    assert warning.type is WarningType.ENDS_EARLY
    assert warning.values["promised_s"] == pytest.approx(100, abs=0.01)
    assert warning.values["read_s"] == pytest.approx(0.62, abs=0.01)
    assert "promises 100" in warning.message


@pytest.mark.parametrize("ending", ["amr", "3gp"])
def test_comfort_noise_of_a_telephone_is_read(tmp_path: Path, ending: str) -> None:
    av = pytest.importorskip("av")
    if "libopencore_amrnb" not in av.codecs_available:
        pytest.skip("this build of FFmpeg has no encoder of AMR")
    rng = np.random.default_rng(2)
    quiet = rng.normal(0, 1e-4, 3 * 8000).astype(np.float32)
    spoken = np.concatenate([bursts(2, 8000), quiet, bursts(2, 8000)])
    whole = write(tmp_path / f"call.{ending}", [spoken], codec="libopencore_amrnb", rate=8000, codec_options={"dtx": "1"})
    waveform = load_audio(whole)
    assert waveform.duration_s == pytest.approx(7, abs=0.05)
    assert [start for start, _ in stretches(waveform)] == pytest.approx([0, 1, 5, 6], abs=0.05)
    assert waveform.warnings == ()


@pytest.mark.parametrize("default", [0, 1])
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_the_track_that_is_read_is_the_containers_default(tmp_path: Path, ending: str, default: int) -> None:
    tracks = [bursts(3, RATE, pitch_hz=300), bursts(3, RATE, pitch_hz=900)]
    path = write(tmp_path / f"two.{ending}", tracks, codec="aac", rate=RATE, default=default, options={"default_mode": "passthrough"})
    assert pitch_of(load_audio(path), 1.0) == pytest.approx((300, 900)[default], abs=6)


def test_samples_that_are_no_numbers_are_silent_and_counted(tmp_path: Path) -> None:
    samples = bursts(2, SAMPLE_RATE_HZ)
    samples[[100, 200, 300]] = [np.nan, np.inf, -np.inf]
    soundfile.write(tmp_path / "nan.wav", samples, SAMPLE_RATE_HZ, subtype="FLOAT")
    for waveform in (load_audio(tmp_path / "nan.wav"), from_array(samples, SAMPLE_RATE_HZ)):
        [warning] = waveform.warnings
        assert (warning.type, warning.values) == (WarningType.NOT_NUMBERS, {"count": 3})
        assert np.isfinite(waveform.samples).all()
        assert waveform.samples[[100, 200, 300]].tolist() == [0, 0, 0]
    samples[:20_000] = np.nan
    with pytest.raises(NonFiniteAudioError, match="20000 samples"):
        from_array(samples, SAMPLE_RATE_HZ)


def test_bytes_without_a_header_are_no_recording_whatever_their_name(tmp_path: Path) -> None:
    (tmp_path / "talk.au").write_bytes(np.random.default_rng(1).bytes(5000))
    with pytest.raises(AudioDecodeError):
        load_audio(tmp_path / "talk.au")


@pytest.mark.parametrize(
    "begin",
    [
        b"caff\0\1\0\0desc" + struct.pack(">q", 1 << 62),
        bytes.fromhex("726966662e91cf11a5d628db04c10000") + bytes(24) + b"junk" * 4 + struct.pack("<Q", (1 << 64) - 1),
        b"\0\0\0\x14ftypM4A " + bytes(8) + struct.pack(">I4sQ", 1, b"free", (1 << 64) - 1),
    ],
)
def test_lengths_that_no_file_has_are_refused_as_any_damage(tmp_path: Path, begin: bytes) -> None:
    (tmp_path / "liar.bin").write_bytes(begin + bytes(1000))
    with pytest.raises(AudioDecodeError, match=r"no recording|no audio track"):
        load_audio(tmp_path / "liar.bin")


# ---- files kept beside the repository ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "seconds", "warned"),
    [
        ("two_mp3_joined.mp3", 9.1, False),
        ("podcast_with_inserted_ad.mp3", 18.25, False),
        ("chained_opus.ogg", 9.9, False),
        ("audio_starts_5s_late.mkv", 20.96, False),
        ("cut.aac", 9.1, True),
        ("cut.flac", 8.9, True),
        ("cut_fragmented.mp4", 6.7, True),
        ("damaged_200_bytes.m4a", 15.95, True),
        ("data_size_0.wav", 4.54, False),
        ("amr_with_dtx.amr", 15.96, False),
        ("two_tracks_second_default.mp4", 4.54, False),
    ],
)
def test_recordings_that_people_reported(data_dir: Path, name: str, seconds: float, warned: bool) -> None:
    if not (data_dir / "odd_files").is_dir():
        pytest.skip("the data folder has no odd_files")
    waveform = load_audio(data_dir / "odd_files" / name)
    assert waveform.duration_s == pytest.approx(seconds, abs=0.1)
    assert bool(waveform.warnings) is warned
