"""One recording in a file → sound with its places in time, through PyAV (FFmpeg's libraries); what cannot be decoded is passed over.

A packet that breaks its decoder costs that packet; an error between packets costs what the demuxer skips. Both are reported.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.av_container import INEXACT, RECKONED, UnreadableError, audio_track, av_errors, container_s, decoder_of, opened
from engine.file_pieces import FileWindow
from engine.mixdown import HIGHEST_RATE_HZ, LOWEST_RATE_HZ, Mixdown, check_rate
from engine.packet_clock import PacketClock, Place
from engine.promised_length import missing_share, xing_duration_s
from engine.reading_report import ReadingReport

Floats = NDArray[np.float32]

#: Their times are those of a clock that was not started for the recording, and may jump.
FREE_CLOCKS = frozenset({"mpegts", "mpeg", "flv", "ogg", "hls", "rtsp"})
#: Their times only count the samples.
COUNTS_SAMPLES = frozenset({"ogg", "flac", "mp3", "aac", "ac3", "eac3", "wav", "amr", "tta", "wv", "ape"})
#: Where a late beginning belongs to the recording although no other track begins earlier, up to a length that no live clock has.
ZERO_BASED = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "asf", "avi"})
LATEST_BEGINNING_S = 600.0
#: Errors between packets that a demuxer may recover from in a row, and altogether.
MOST_ERRORS_IN_A_ROW, MOST_ERRORS = 16, 4096
#: Frames are handed on together: most last 20 ms, and each hand-over costs a call of the resampler.
BATCH_S = 1.0
TS_PACKET_BYTES, TS_SYNC = 188, b"\x47"
MOST_OTHERS = 4096


@dataclass(frozen=True, kw_only=True)
class _Sound:
    """A decoded frame: its time, its samples (n, channels) float32, and what lay before it."""

    time_s: float | None
    samples: Floats
    rate_hz: int
    #: What is known to be lost before it, in seconds; None where nothing was.
    lost_s: float | None
    #: Whether its decoder says that it is damaged.
    is_concealed: bool
    others_s: tuple[float, ...]

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.rate_hz


def read_piece(window: FileWindow, mixdown: Mixdown, report: ReadingReport, *, path: Path, is_last: bool) -> None:
    """Hand a recording's sound to ``mixdown``, gaps filled; what is wrong with it goes into ``report``.

    Raises UnreadableError where there is no track of sound that can be read, and what ``mixdown`` raises.
    """
    begin_s = mixdown.position_s
    with opened(window) as container:
        track = audio_track(container)
        if track is None:
            unknown = "its codec is not known" if container.streams.audio else "it holds no audio track"
            raise UnreadableError(unknown)
        if track.rate:
            check_rate(int(track.rate), path=path)
        length_s = container_s(container)
        reckoned = container.format.name in RECKONED
        if length_s is not None and not reckoned:
            mixdown.expect(begin_s + length_s)
        clock = PacketClock(
            begin_s=begin_s,
            length_s=None if reckoned and container.format.name != "mpegts" else length_s,
            limit_s=mixdown.max_duration_s,
            may_jump=container.format.name in FREE_CLOCKS,
            on_jump=report.jumped,
        )
        packets = _Packets(container, track, report, mixdown)
        _hand_on(packets.sounds(), clock, mixdown, report, counts_samples=container.format.name in COUNTS_SAMPLES)
        reached_s = max(mixdown.position_s - begin_s, packets.others_reach_s)
        missing = missing_share(window)
        promised_s = None if reckoned or container.format.name in INEXACT else length_s
        if container.format.name == "mp3":
            promised_s = xing_duration_s(window)
        elif missing is not None and missing < 1:
            promised_s = reached_s / (1 - missing)
        if container.format.name == "mpegts" and _is_cut_stream(window):
            report.cut()
        exact = container.format.name == "flac" or missing is not None
        report.piece_ended(promised_s=promised_s, reached_s=reached_s, at_s=mixdown.position_s, exact=exact, is_last=is_last)


def _hand_on(sounds: Iterator[_Sound], clock: PacketClock, mixdown: Mixdown, report: ReadingReport, *, counts_samples: bool) -> None:
    """Frames in batches of one rate, with the silence that belongs between them.

    Where the container's time only counts samples, nothing but damage can leave a gap.
    """
    batch: list[Floats] = []
    rate_hz, length_s = 0, 0.0

    def flush() -> None:
        nonlocal length_s
        if batch:
            mixdown.add(np.concatenate(batch), rate_hz)
            batch.clear()
        length_s = 0.0

    for sound, following in _with_next(sounds):
        place = Place(
            time_s=sound.time_s,
            duration_s=sound.duration_s,
            next_s=None if following is None else following.time_s,
            after_loss=sound.lost_s is not None,
            others_s=sound.others_s,
        )
        gap_s = clock.gap_s(place, mixdown.position_s + length_s)
        if gap_s or length_s >= BATCH_S or (batch and (sound.rate_hz != rate_hz or sound.samples.shape[1] != batch[0].shape[1])):
            flush()
        if gap_s:
            mixdown.pause(gap_s)
            if sound.lost_s is not None:
                report.lost_more(gap_s - sound.lost_s)
            elif not clock.at_beginning:
                report.missed(gap_s, at_s=mixdown.position_s - gap_s, is_damage=counts_samples)
        batch.append(sound.samples)
        rate_hz = sound.rate_hz
        length_s += sound.duration_s
    flush()


def _with_next(sounds: Iterator[_Sound]) -> Iterator[tuple[_Sound, _Sound | None]]:
    """Each with the one after it."""
    held = next(sounds, None)
    while held is not None:
        following = next(sounds, None)
        yield held, following
        held = following


class _Packets:
    """Takes a container's packets, decodes those of one track, and notes what the others' times are."""

    def __init__(self, container: Any, track: Any, report: ReadingReport, mixdown: Mixdown) -> None:
        import av  # noqa: PLC0415 - as above

        self._container, self._track, self._report, self._mixdown = container, track, report, mixdown
        self._decoder = decoder_of(track)
        self._errors = av_errors()
        start_s = 0.0 if container.start_time is None else container.start_time / av.time_base
        absolute = container.format.name in ZERO_BASED and 0 <= start_s <= LATEST_BEGINNING_S
        self._origin_s = 0.0 if absolute else start_s
        self._others: deque[float] = deque(maxlen=MOST_OTHERS)
        self._begin_s = mixdown.position_s
        self._lost_s: float | None = None
        #: The latest time in any other track.
        self.others_reach_s = 0.0

    def sounds(self) -> Iterator[_Sound]:
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
                    known = packet.duration and packet.time_base
                    self._lose(max(0.0, float(packet.duration * packet.time_base)) if known else 0.0, self._time_s(packet))
                continue
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
        self._others.append(time_s)
        ends_s = time_s + (float(packet.duration * packet.time_base) if packet.duration else 0.0)
        self.others_reach_s = max(self.others_reach_s, ends_s)

    def _time_s(self, packet: Any) -> float | None:
        known = packet.pts is not None and packet.time_base is not None
        return float(packet.pts * packet.time_base) - self._origin_s if known else None

    def _lose(self, duration_s: float, time_s: float | None) -> None:
        self._lost_s = (self._lost_s or 0.0) + duration_s
        self._report.lost(duration_s, at_s=self._place_s(time_s))

    def _place_s(self, time_s: float | None) -> float:
        return self._mixdown.position_s if time_s is None else max(0.0, self._begin_s + time_s)

    def _sound(self, frame: Any) -> _Sound | None:
        rate_hz = int(frame.sample_rate or 0)
        if not frame.samples:
            return None
        if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
            raise ValueError(f"a frame of {rate_hz} Hz")
        time_base = Fraction(self._track.time_base)
        time_s = None if frame.pts is None else float(frame.pts * time_base) - self._origin_s
        sound = _Sound(
            time_s=time_s,
            samples=_samples(frame),
            rate_hz=rate_hz,
            lost_s=self._lost_s,
            is_concealed=bool(frame.is_corrupt),
            others_s=tuple(self._others),
        )
        self._lost_s = None
        self._others.clear()
        return sound


def _is_cut_stream(window: FileWindow) -> bool:
    """Whether a transport stream ends within a packet; they are 188 bytes long, or 192 with a time before each."""
    size = window.seek(0, io.SEEK_END)
    window.seek(0)
    begin = window.read(TS_PACKET_BYTES * 2 + 16)
    for length, at in ((TS_PACKET_BYTES, 0), (TS_PACKET_BYTES + 4, 4)):
        if begin[at : at + 1] == begin[at + length : at + length + 1] == TS_SYNC:
            return size % length != 0
    return False


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
