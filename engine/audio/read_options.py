"""How a recording is read: which of its audio tracks, and which of the track's channels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.errors import OptionRangeError, UnknownChannelError

#: Tracks count from 1; no container in use holds more.
HIGHEST_TRACK = 999


class Channel(StrEnum):
    """What is taken of a recording's channels."""

    #: The plain mix, where channels do not cancel and none of them is silent or mere noise (:mod:`engine.audio.channels`).
    AUTO = "auto"
    MIX = "mix"
    LEFT = "left"
    RIGHT = "right"
    #: Every channel on its own: one speaker a channel.
    SPLIT = "split"


#: The choices in the order that people are offered them.
CHANNELS = tuple(channel.value for channel in Channel)


def parse_channel(text: str) -> Channel:
    """The choice that is written so; UnknownChannelError for any other."""
    try:
        return Channel(text)
    except ValueError:
        raise UnknownChannelError(channel=text, known=CHANNELS) from None


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """One recording's reading; ``track`` counts from 1 among the audio tracks, None is the container's default track.

    Raises UnknownChannelError and OptionRangeError.
    """

    channel: Channel = Channel.AUTO
    track: int | None = None

    def __post_init__(self) -> None:
        """Check what a person chose."""
        object.__setattr__(self, "channel", parse_channel(self.channel))
        if self.track is not None and (not isinstance(self.track, int) or not 1 <= self.track <= HIGHEST_TRACK):
            raise OptionRangeError(name="track", value=self.track, lowest=1, highest=HIGHEST_TRACK)
