"""A recording → blocks, in the process that calls: libsndfile for plain sound files, PyAV (FFmpeg's libraries) for everything else.

libsndfile reads WAV, AIFF, CAF and their like; PyAV what is compressed or joined, and video. Each does what the other cannot open.
Both are native code that reads untrusted bytes, so a server leaves this to the worker process of :mod:`engine.audio.sandbox.decoder`.

What is readable is read. What is not (a cut end, damaged frames, samples that are no numbers) becomes silence in its place and a
warning; a recording is refused where hardly anything of it can be read.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import soundfile

from engine.audio.read_options import ReadOptions
from engine.audio.reading.av_container import RECKONED, UnreadableError, audio_track, container_s, opened
from engine.audio.reading.av_reading import read_piece
from engine.audio.reading.file_pieces import FileWindow, Piece, pieces_of
from engine.audio.reading.flac_frames import first_flac_frame
from engine.audio.reading.promised_length import ID3_HEADER_BYTES, has_unwritten_size, id3_bytes, missing_share
from engine.audio.reading.reading_report import ReadingReport
from engine.audio.reading.reading_warnings import ReadingWarning, WarningType
from engine.audio.resampling import Mixdown, Sink, check_rate
from engine.audio.tracks import MOST_TRACKS, Track, tracks_of
from engine.errors import AudioDecodeError, EmptyAudioError

BLOCK_SAMPLES = 1 << 20  # over all channels: 4 MB of float32 a block
#: A header without a length comes out of libsndfile as the largest number there is.
UNKNOWN_FRAMES = 1 << 62
#: What libsndfile reads but only the first recording of, or nothing behind the first damage.
BETTER_BY_AV = frozenset({"FLAC", "OGG", "MP3"})
#: libsndfile takes any bytes for sound where the file name ends as that of a headerless format; only these two are believed.
HEADERLESS = frozenset({".gsm", ".vox"})


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A recording's header: its container as the library calls it, and its length if the header states one."""

    container: str
    duration_s: float | None
    #: Its audio tracks, in their order.
    tracks: Annotated[tuple[Track, ...], msgspec.Meta(max_length=MOST_TRACKS)] = field(default=(), compare=False)

    def channels(self, track: int | None) -> int:
        """The channels of a track, of the default track for None; 1 where nothing is known."""
        found = (one for one in self.tracks if (one.default if track is None else one.number == track))
        return max(1, next((one.channels for one in found), 1))


def decode(
    path: Path, sink: Sink, *, max_duration_s: float | None, read: ReadOptions | None = None, columns: int = 1
) -> tuple[ReadingWarning, ...]:
    """Read a recording into a sink: -> what of it could not be read as it was meant.

    ``read`` and ``columns`` as :class:`engine.audio.resampling.Mixdown` takes them.

    Raises AudioDecodeError, UnknownTrackError, EmptyAudioError, NonFiniteAudioError, SampleRateError, and AudioTooLongError as soon
    as the header says or the samples show that it is longer than ``max_duration_s``.
    """
    read = read or ReadOptions()

    def mixdown() -> Mixdown:
        return Mixdown(sink, path=path, max_duration_s=max_duration_s, read=read, columns=columns)

    with path.open("rb") as file:
        pieces = pieces_of(file)
        # libsndfile reads one track.
        known = _sound_file_format(path) if read.track in (None, 1) else None
        plain = known is not None and known not in BETTER_BY_AV and len(pieces) == 1 and not has_unwritten_size(file)
        if plain:
            try:
                return _read_sound_file(path, file, mixdown())
            except soundfile.LibsndfileError:
                sink.start_over()
        frame = _first_frame(path, file, pieces) if known is None else None
        if frame:
            try:
                return _read_from(path, file, frame, mixdown(), track=read.track)
            except AudioDecodeError:
                sink.start_over()
        try:
            return _read_pieces(path, file, pieces, mixdown(), track=read.track)
        except AudioDecodeError as error:
            if known is None or plain:
                raise
            sink.start_over()
            try:
                return _read_sound_file(path, file, mixdown())
            except soundfile.LibsndfileError:
                raise error from None


def probe(path: Path) -> Probe | None:
    """What the header says, without decoding; None for what is no recording."""
    try:
        with path.open("rb") as file:
            pieces = pieces_of(file)
            found = _probe_sound_file(path)
            if found is not None and found.container != "MP3" and len(pieces) == 1 and not has_unwritten_size(file):
                return found
            return _probe_pieces(path, file, pieces) or found
    except OSError:
        return None


def _probe_sound_file(path: Path) -> Probe | None:
    try:
        with _opened_sound_file(path) as handle:
            if handle.format == "RAW" and path.suffix.lower() not in HEADERLESS:
                return None
            only = Track(number=1, codec=handle.subtype, channels=handle.channels, sample_rate_hz=handle.samplerate, default=True)
            return Probe(container=handle.format, duration_s=_frames_s(handle), tracks=(only,))
    except soundfile.LibsndfileError:  # not one of its formats: FFmpeg may know it
        return None


def _probe_pieces(path: Path, file: BinaryIO, pieces: list[Piece]) -> Probe | None:
    """The first piece's container, and the length of all together where each states its own."""
    container_name, lengths = "", []
    tracks: tuple[Track, ...] = ()
    for piece in pieces:
        try:
            with opened(FileWindow(file, piece, suffix=path.suffix)) as container:
                if audio_track(container) is None:
                    continue
                container_name, tracks = container_name or container.format.name, tracks or tracks_of(container)
                lengths.append(container_s(container))
        except UnreadableError:
            continue
    if not container_name:
        return None
    stated = [length for length in lengths if length is not None]
    return Probe(container=container_name, duration_s=sum(stated) if len(stated) == len(lengths) else None, tracks=tracks)


def _sound_file_format(path: Path) -> str | None:
    found = _probe_sound_file(path)
    return None if found is None else found.container


def _frames_s(handle: soundfile.SoundFile) -> float | None:
    return handle.frames / handle.samplerate if 0 <= handle.frames < UNKNOWN_FRAMES and handle.samplerate > 0 else None


def _opened_sound_file(path: Path) -> soundfile.SoundFile:
    """A recording as libsndfile opens it: by its content, and by its name alone what has no header, such as .gsm and .vox."""
    if path.suffix.lower() == ".raw":  # which the library reads as samples without a header; other files have that name too
        return soundfile.SoundFile(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), closefd=True)
    # As bytes: the library would refuse a name that is not UTF-8.
    return soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else str(path))


def _read_sound_file(path: Path, file: BinaryIO, mixdown: Mixdown) -> tuple[ReadingWarning, ...]:
    with _opened_sound_file(path) as handle:
        check_rate(handle.samplerate, path=path)
        report = ReadingReport()
        if handle.format not in RECKONED:
            mixdown.expect(_frames_s(handle))
        frames = max(1, BLOCK_SAMPLES // handle.channels)
        while len(block := handle.read(frames, dtype="float32", always_2d=True)):
            mixdown.add(block, handle.samplerate)
    reached_s, missing = mixdown.position_s, missing_share(file)
    mixdown.finish()
    promised_s = None if missing is None or missing >= 1 else reached_s / (1 - missing)
    report.piece_ended(promised_s=promised_s, reached_s=reached_s, at_s=reached_s, exact=True, is_last=True)
    return report.warnings(mixdown)


def _first_frame(path: Path, file: BinaryIO, pieces: list[Piece]) -> int | None:
    """Where the frames of a FLAC begin whose header neither library knows; None for any other file.

    FFmpeg finds them too, but with the header in front of them it loses the first ones, and mistakes the times of the others.
    """
    if path.suffix.lower() != ".flac":
        return None
    file.seek(0)
    file.seek(id3_bytes(file.read(ID3_HEADER_BYTES)))
    if file.read(4) == b"fLaC":
        return None
    found = _probe_pieces(path, file, pieces)
    return first_flac_frame(file) if found is None or found.container == "flac" else None


def _read_from(path: Path, file: BinaryIO, begin: int, mixdown: Mixdown, *, track: int | None) -> tuple[ReadingWarning, ...]:
    """Read a recording from a place behind its header on, which is said."""
    warnings = _read_pieces(path, file, [Piece(begin, file.seek(0, io.SEEK_END))], mixdown, track=track)
    return (ReadingWarning(type=WarningType.LEFT_OUT, values={"bytes": begin, "from_byte": 0}), *warnings)


def _read_pieces(path: Path, file: BinaryIO, pieces: list[Piece], mixdown: Mixdown, *, track: int | None) -> tuple[ReadingWarning, ...]:
    report = ReadingReport()
    reasons: list[str] = []
    for piece in pieces:
        try:
            read_piece(FileWindow(file, piece, suffix=path.suffix), mixdown, report, path=path, is_last=piece is pieces[-1], track=track)
        except UnreadableError as error:
            reasons.append(str(error))
            report.left_out(from_byte=piece.start, count=piece.end - piece.start)
        if piece.is_cut:
            report.broke_off(at_s=mixdown.position_s)
    if not report.is_readable:
        raise AudioDecodeError(path=path, reason=reasons[0] if reasons else "hardly any of it can be decoded")
    try:
        mixdown.finish()
    except EmptyAudioError as error:
        raise AudioDecodeError(path=path, reason="it holds no sound") from error
    return report.warnings(mixdown)
