"""The audio tracks of a container: what each says of itself, and which one is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from engine.audio.reading.av_container import audio_track
from engine.errors import UnknownTrackError

#: The most that is passed on of a text in a file; a longer one from a decode worker is refused.
LONGEST_TEXT = 200
ShortText = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
MOST_TRACKS = 999
UNDETERMINED = "und"  # ISO 639-2 for an undetermined language


@dataclass(frozen=True, kw_only=True)
class Track:
    """One audio track; ``number`` counts from 1, ``language`` and ``title`` are empty where the file names none."""

    number: int
    codec: ShortText
    channels: int
    sample_rate_hz: int
    language: ShortText = ""
    title: ShortText = ""
    #: Whether it is the one that is read unless another one is chosen.
    default: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)

    @property
    def description(self) -> str:
        """The track on one line: ``2: Commentary, eng, aac, stereo``."""
        channels = {1: "mono", 2: "stereo"}.get(self.channels, f"{self.channels} channels")
        parts = (self.title, self.language, self.codec, channels)
        return f"{self.number}: {', '.join(part for part in parts if part)}"


def tracks_of(container: Any) -> tuple[Track, ...]:
    """The audio tracks of a container that PyAV opened."""
    streams = container.streams.audio[:MOST_TRACKS]
    read = audio_track(container)
    return tuple(
        Track(
            number=number,
            codec=stream.codec_context.name if stream.codec_context is not None else "unknown",
            channels=int(stream.codec_context.channels or 0) if stream.codec_context is not None else 0,
            sample_rate_hz=int(stream.rate or 0) if stream.codec_context is not None else 0,
            language=_said(stream, "language"),
            title=_said(stream, "title") or _said(stream, "handler_name"),
            default=stream is read,
        )
        for number, stream in enumerate(streams, start=1)
    )


def chosen_stream(container: Any, track: int | None, *, path: Path) -> Any:
    """The stream of a track, of the default track for None; None where there is no sound. UnknownTrackError for a number too high."""
    streams = container.streams.audio
    if track is None or not streams:
        return audio_track(container)
    if track > len(streams):
        raise UnknownTrackError(path=path, track=track, count=len(streams))
    return streams[track - 1]


#: What muxers write as the name of every track.
_NO_TITLES = frozenset({"soundhandler", "sound handler", "soundmediahandler", "core media audio", "iso media file produced by google inc."})


def _said(stream: Any, name: str) -> str:
    text = str(stream.metadata.get(name) or "").strip()[:LONGEST_TEXT]
    return "" if text == UNDETERMINED or text.lower() in _NO_TITLES else text
