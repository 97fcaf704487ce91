"""A recording's bytes → an open container and the track of it that is read, through PyAV (FFmpeg's libraries)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine.audio.reading.file_pieces import FileWindow

#: FFmpeg reads the given bytes and follows no reference in them: a play list in an upload would otherwise read other
#: files of this machine.
ISOLATED = {"protocol_whitelist": "none"}
#: What these say of their length is reckoned from the rate of their first frames, and may be twice too much.
RECKONED = frozenset({"MP3", "mp3", "aac", "ac3", "eac3", "mpeg", "mpegts", "amr", "amrnb", "amrwb", "dts", "truehd", "loas"})
#: These may state more than they hold: the time that a player waits before it begins, or what is expected of a stream.
INEXACT = frozenset({"asf", "flv", "ogg"})
#: FFmpeg's own decoders of these know no comfort noise, which phones send instead of silence.
BETTER_DECODERS = {"amrnb": ("libopencore_amrnb", 8_000), "amrwb": ("libopencore_amrwb", 16_000)}


def av_errors() -> tuple[type[Exception], ...]:
    """What PyAV raises for a damaged file: FFmpeg's errors, and those of its seeking and its wrapper."""
    import av.error  # noqa: PLC0415 - 20 MB of libraries that most recordings never need

    return (av.error.FFmpegError, ValueError, OSError, LookupError, ArithmeticError)


@contextmanager
def opened(window: FileWindow) -> Iterator[Any]:
    """A container; by its bytes, for a name would be opened by FFmpeg's own protocols, and whatever its content names with it.

    Raises UnreadableError where there is none.
    """
    import av  # noqa: PLC0415 - as above

    try:
        container = av.open(window, metadata_errors="ignore", options=ISOLATED)
    except av_errors() as error:
        if isinstance(error, MemoryError):
            raise
        window.seek(0)
        raise UnreadableError(_reason(error, window.read(16))) from error
    with container:
        yield container


class UnreadableError(Exception):
    """No container; the message gives the reason in plain words."""


def _reason(error: Exception, begin: bytes) -> str:
    import av.error  # noqa: PLC0415 - as above

    if begin.lstrip(b"\xef\xbb\xbf").startswith((b"#EXTM3U", b"ffconcat")):
        return "it is a play list, and holds no sound itself"
    if isinstance(error, av.error.PatchWelcomeError | av.error.DecoderNotFoundError):
        return "its coding is not supported"
    return "it is damaged, or no recording"


def container_s(container: Any) -> float | None:
    """The length that a container states."""
    import av  # noqa: PLC0415 - as above

    return None if container.duration is None or container.duration <= 0 else container.duration / av.time_base


def audio_track(container: Any) -> Any:
    """The track that players choose: the first with the default flag, else the first; of those whose codec is known. None without one."""
    import av.stream  # noqa: PLC0415 - as above

    known = [stream for stream in container.streams.audio if stream.codec_context is not None]
    flags = av.stream.Disposition
    beside = flags.comment | flags.visual_impaired | flags.hearing_impaired | flags.karaoke | flags.clean_effects
    chosen = [stream for stream in known if stream.disposition & flags.default]
    plain = [stream for stream in known if not stream.disposition & beside]
    return next(iter([*chosen, *plain, *known]), None)


def decoder_of(track: Any) -> Any:
    """What decodes a track: its own decoder, or a better one."""
    import av.codec  # noqa: PLC0415 - as above

    name, rate_hz = BETTER_DECODERS.get(track.codec_context.name, ("", 0))
    if name not in av.codec.codecs_available:
        return track.codec_context
    decoder: Any = av.CodecContext.create(name, "r")
    decoder.sample_rate, decoder.layout = rate_hz, "mono"
    return decoder
