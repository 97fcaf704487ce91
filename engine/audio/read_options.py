"""How a recording is read: which of its audio tracks, and which of the track's channels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.errors import UnknownChannelError
from engine.option_fields import check_ranges

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


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """One recording's reading; ``track`` counts from 1 among the audio tracks, None is the container's default track.

    Raises UnknownChannelError and OptionRangeError.
    """

    channel: Channel = Channel.AUTO
    track: int | None = None

    def __post_init__(self) -> None:
        if self.channel not in CHANNELS:
            raise UnknownChannelError(channel=self.channel, known=CHANNELS)
        object.__setattr__(self, "channel", Channel(self.channel))
        check_ranges(self, {"track": (1, HIGHEST_TRACK)})
