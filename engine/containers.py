"""A recording → blocks, in the process that calls: libsndfile, and PyAV (FFmpeg's libraries) for what libsndfile does not read.

libsndfile reads wav, flac, ogg, opus and mp3; PyAV m4a, mp4, webm and other video. Both are native code that reads bytes of
anybody's making, so a server leaves this to the worker process of :mod:`engine.decoder`.

A header that promises more than the file holds (a recorder that crashed) is no error: what is there is read. A
stream that breaks while it is decoded is one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.errors import AudioDecodeError, AudioError
from engine.mixdown import Mixdown, Sink
from engine.read_options import ReadOptions
from engine.tracks import Track, chosen_stream, tracks_of

Floats = NDArray[np.float32]

BLOCK_SAMPLES = 1 << 20  # over all channels: 4 MB of float32 a block
#: A header without a length comes out of libsndfile as the largest number there is.
UNKNOWN_FRAMES = 1 << 62
#: What these say of their length is reckoned from the rate of their first frames, and may be twice too much.
RECKONED = frozenset({"MP3", "mp3", "aac", "ac3", "eac3", "mpeg", "mpegts"})
#: FFmpeg may read the bytes that it is given and follow no reference in them: a play list in an upload would otherwise
#: read other files of this machine.
ISOLATED = {"protocol_whitelist": "none"}


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What a recording says of itself: its container as the library calls it, and its length if it has a word for it."""

    container: str
    duration_s: float | None
    #: Its audio tracks, in their order.
    tracks: tuple[Track, ...] = field(default=(), compare=False)

    def channels(self, track: int | None) -> int:
        """The channels of a track, of the default track for None; 1 where nothing is known."""
        found = (one for one in self.tracks if (one.default if track is None else one.number == track))
        return max(1, next((one.channels for one in found), 1))


def decode(path: Path, sink: Sink, *, max_duration_s: float | None, read: ReadOptions | None = None, columns: int = 1) -> None:
    """Read a recording into a sink; ``read`` and ``columns`` as :class:`engine.mixdown.Mixdown` takes them.

    Raises AudioDecodeError, UnknownTrackError, EmptyAudioError, NonFiniteAudioError, SampleRateError, and AudioTooLongError as soon
    as the header says or the samples show that it is longer than ``max_duration_s``.
    """
    read = read or ReadOptions()
    if read.track is not None and read.track > 1:  # libsndfile knows one track
        _read_av(path, sink, max_duration_s, read=read, columns=columns, first_reason="it is no recording that is known")
        return
    try:
        _read_soundfile(path, sink, max_duration_s, read=read, columns=columns)
    except soundfile.LibsndfileError as error:
        sink.start_over()
        _read_av(path, sink, max_duration_s, read=read, columns=columns, first_reason=str(error))


def probe(path: Path) -> Probe | None:
    """What the header says, without decoding; None for what is no recording."""
    try:
        with _opened_soundfile(path) as handle:
            only = Track(number=1, codec=handle.subtype, channels=handle.channels, sample_rate_hz=handle.samplerate, default=True)
            return Probe(container=handle.format, duration_s=_frames_s(handle), tracks=(only,))
    except soundfile.LibsndfileError:
        pass  # not one of its formats: FFmpeg may know it
    try:
        with _opened_av(path) as container:
            found = tracks_of(container)
            return Probe(container=container.format.name, duration_s=_container_s(container), tracks=found) if found else None
    except (ValueError, OSError):  # FFmpeg's errors among them
        return None


def _frames_s(handle: soundfile.SoundFile) -> float | None:
    return handle.frames / handle.samplerate if 0 <= handle.frames < UNKNOWN_FRAMES and handle.samplerate > 0 else None


def _container_s(container: Any) -> float | None:
    import av  # noqa: PLC0415 - loaded by whoever opened the container

    return None if container.duration is None else container.duration / av.time_base


def _opened_soundfile(path: Path) -> soundfile.SoundFile:
    """A recording as libsndfile opens it: by its content, and by its name alone what has no header, such as .gsm and .vox."""
    if path.suffix.lower() == ".raw":  # which the library takes for samples without a header; people call other things so
        return soundfile.SoundFile(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), closefd=True)
    # As bytes: the library would refuse a name that is not UTF-8.
    return soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else str(path))


def _read_soundfile(path: Path, sink: Sink, max_duration_s: float | None, *, read: ReadOptions, columns: int) -> None:
    with _opened_soundfile(path) as handle:
        rate = handle.samplerate
        mixdown = Mixdown(sink, path=path, sample_rate_hz=rate, max_duration_s=max_duration_s, read=read, columns=columns)
        if handle.format not in RECKONED:
            mixdown.expect(_frames_s(handle))
        frames = max(1, BLOCK_SAMPLES // handle.channels)
        while len(block := handle.read(frames, dtype="float32", always_2d=True)):
            mixdown.add(block)
        mixdown.finish()


@contextmanager
def _opened_av(path: Path) -> Iterator[Any]:
    import av  # noqa: PLC0415 - 20 MB of libraries that most recordings never need

    # By its bytes, not by its name: a name would be opened by FFmpeg's own protocols, and whatever its content names with it.
    with path.open("rb") as file, av.open(file, metadata_errors="ignore", options=ISOLATED) as container:
        yield container


def _read_av(path: Path, sink: Sink, max_duration_s: float | None, *, read: ReadOptions, columns: int, first_reason: str) -> None:
    import av  # noqa: PLC0415 - as above
    import av.error  # noqa: PLC0415

    try:
        with _opened_av(path) as container:
            stream = chosen_stream(container, read.track, path=path)
            if stream.codec_context is None:
                raise AudioDecodeError(path=path, reason="its codec is not known")
            rate = int(stream.rate or 0)
            mixdown = Mixdown(sink, path=path, sample_rate_hz=rate, max_duration_s=max_duration_s, read=read, columns=columns)
            if container.format.name not in RECKONED:
                mixdown.expect(_container_s(container))
            for block in _av_blocks(container, stream, av.AudioResampler(format="fltp")):
                mixdown.add(block)
    except (av.error.FFmpegError, ValueError, OSError) as error:  # it seeks where it is told to, before the file's beginning too
        if isinstance(error, AudioError | MemoryError | BrokenPipeError):
            raise
        reason = str(getattr(error, "strerror", "") or error or first_reason).strip().rstrip(".")
        raise AudioDecodeError(path=path, reason=reason) from error
    mixdown.finish()


def _av_blocks(container: Any, stream: Any, converter: Any) -> Iterator[Floats]:
    """Decoded blocks (n, channels) float32; the converter changes the sample format alone."""
    for frame in container.decode(stream):
        for converted in converter.resample(frame):
            yield converted.to_ndarray().T
    for converted in converter.resample(None):
        yield converted.to_ndarray().T
