"""An open container → the decoded frames of one track with their times; what cannot be decoded is passed over and reported."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.reading.av_container import av_errors, decoder_of
from engine.audio.reading.reading_report import ReadingReport
from engine.audio.resampling import HIGHEST_RATE_HZ, LOWEST_RATE_HZ, Mixdown

Floats = NDArray[np.float32]

#: Where a late beginning belongs to the recording although no other track begins earlier, up to a length that no live clock has.
ZERO_BASED = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "asf", "avi"})
LATEST_BEGINNING_S = 600.0
#: Errors between packets that a demuxer may recover from in a row, and altogether.
MOST_ERRORS_IN_A_ROW, MOST_ERRORS = 16, 4096
#: Other tracks' times are kept in steps: enough for hours.
OTHERS_STEP_S, MOST_OTHERS = 0.5, 1 << 16


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A decoded frame: its time, its samples (n, channels) float32, and what lay before it."""

    time_s: float | None
    samples: Floats
    rate_hz: int
    #: What is known to be lost before it, in seconds; None where nothing was.
    lost_s: float | None
    #: Whether its decoder says that it is damaged.
    is_concealed: bool

    @property
    def duration_s(self) -> float:
        """Its length."""
        return len(self.samples) / self.rate_hz


class Packets:
    """Takes a container's packets, decodes those of one track, and records the times of the others."""

    def __init__(self, container: Any, track: Any, report: ReadingReport, mixdown: Mixdown) -> None:
        import av  # noqa: PLC0415 - 20 MB of libraries that most recordings never need

        self._container, self._track, self._report, self._mixdown = container, track, report, mixdown
        self._decoder = decoder_of(track)
        self._errors = av_errors()
        start_s = 0.0 if container.start_time is None else container.start_time / av.time_base
        absolute = container.format.name in ZERO_BASED and 0 <= start_s <= LATEST_BEGINNING_S
        self._origin_s = 0.0 if absolute else start_s
        #: Times in other tracks, as they come.
        self.others_s: deque[float] = deque(maxlen=MOST_OTHERS)
        self._begin_s = mixdown.position_s
        self._lost_s: float | None = None
        self._first_pts: int | None = None
        #: The latest time in any other track.
        self.others_reach_s = 0.0

    def sounds(self) -> Iterator[Sound]:
        """The track's frames, as far as they can be decoded."""
        for packet in self._packets():
            if packet.stream_index != self._track.index:
                self._note(packet)
                continue
            try:
                frames = self._decoder.decode(packet if packet.size else None)
                sounds = [self._sound(frame) for frame in frames]
            except self._errors as error:
                if isinstance(error, MemoryError):
                    raise
                if packet.size and not _is_tag(bytes(packet)[:3]):
                    self._report.packet(packet.size, is_good=False)
                    known = packet.duration and packet.time_base
                    self._lose(max(0.0, float(packet.duration * packet.time_base)) if known else 0.0, self._time_s(packet))
                continue
            self._report.packet(packet.size, is_good=True)
            for sound in sounds:
                if sound is not None:
                    if sound.is_concealed:
                        self._report.concealed(sound.duration_s, at_s=self._place_s(sound.time_s))
                    else:
                        self._report.read(sound.duration_s)
                    yield sound

    def _packets(self) -> Iterator[Any]:
        in_a_row = altogether = 0
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets, None)
            except self._errors as error:
                if isinstance(error, MemoryError):
                    raise
                in_a_row, altogether = in_a_row + 1, altogether + 1
                self._lose(0.0, None)
                if in_a_row >= MOST_ERRORS_IN_A_ROW or altogether >= MOST_ERRORS:
                    return
                packets = self._container.demux()  # a generator that raised is over; the container goes on where it stands
                continue
            if packet is None:
                return
            in_a_row = 0
            yield packet

    def _note(self, packet: Any) -> None:
        """A packet of another track."""
        time_s = self._time_s(packet)
        if time_s is None:
            return
        if not self.others_s or abs(time_s - self.others_s[-1]) >= OTHERS_STEP_S:
            self.others_s.append(time_s)
        ends_s = time_s + (float(packet.duration * packet.time_base) if packet.duration else 0.0)
        self.others_reach_s = max(self.others_reach_s, ends_s)

    def _time_s(self, packet: Any) -> float | None:
        known = packet.pts is not None and packet.time_base is not None
        return float(packet.pts * packet.time_base) - self._origin_s if known else None

    def _frame_s(self, pts: int, rate_hz: int) -> float:
        """A frame's time. FLAC counts samples, and where its header is gone FFmpeg guesses at their rate."""
        if self._container.format.name != "flac":
            return float(pts * Fraction(self._track.time_base)) - self._origin_s
        if self._first_pts is None:
            self._first_pts = pts if self._origin_s else 0
        return (pts - self._first_pts) / rate_hz

    def _lose(self, duration_s: float, time_s: float | None) -> None:
        self._lost_s = (self._lost_s or 0.0) + duration_s
        self._report.lost(duration_s, at_s=self._place_s(time_s))

    def _place_s(self, time_s: float | None) -> float:
        return self._mixdown.position_s if time_s is None else max(0.0, self._begin_s + time_s)

    def _sound(self, frame: Any) -> Sound | None:
        rate_hz = int(frame.sample_rate or 0)
        if not frame.samples:
            return None
        if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
            raise ValueError(f"a frame of {rate_hz} Hz")
        time_s = None if frame.pts is None else self._frame_s(frame.pts, rate_hz)
        sound = Sound(
            time_s=time_s,
            samples=_samples(frame),
            rate_hz=rate_hz,
            lost_s=self._lost_s,
            is_concealed=bool(frame.is_corrupt),
        )
        self._lost_s = None
        return sound


def _is_tag(begin: bytes) -> bool:
    """Whether a packet is a tag between joined files rather than sound."""
    return begin in (b"ID3", b"TAG", b"APE")


def _samples(frame: Any) -> Floats:
    """A frame's samples (n, channels) float32, integers by the range of their own type: to [-1, 1)."""
    array = frame.to_ndarray()
    columns = array.T if frame.format.is_planar else array.reshape(-1, len(frame.layout.channels))
    kind = columns.dtype
    if kind.kind == "f":
        return np.asarray(columns, np.float32)
    if kind.kind == "u":
        return (np.asarray(columns, np.float32) - 128) / np.float32(128)
    return np.asarray(columns * (1.0 / (np.iinfo(kind).max + 1.0)), np.float32)
