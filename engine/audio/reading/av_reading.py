"""One recording in a file → sound with its places in time, through PyAV (FFmpeg's libraries); what cannot be decoded is passed over.

A packet that breaks its decoder costs that packet; an error between packets costs what the demuxer skips. Both are reported.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.reading.av_container import INEXACT, RECKONED, UnreadableError, container_s, opened
from engine.audio.reading.av_packets import Packets, Sound
from engine.audio.reading.file_pieces import FileWindow
from engine.audio.reading.packet_clock import PacketClock, Place
from engine.audio.reading.promised_length import missing_share, xing_duration_s
from engine.audio.reading.reading_report import ReadingReport
from engine.audio.resampling import Mixdown, check_rate
from engine.audio.tracks import chosen_stream

Floats = NDArray[np.float32]

#: Their times are those of a clock that was not started for the recording, and may jump.
FREE_CLOCKS = frozenset({"mpegts", "mpeg", "flv", "ogg", "hls", "rtsp"})
#: Their times only count the samples.
COUNTS_SAMPLES = frozenset({"ogg", "flac", "mp3", "aac", "ac3", "eac3", "wav", "amr", "tta", "wv", "ape"})
#: Frames are handed on together: most last 20 ms, and each hand-over costs a call of the resampler.
BATCH_S = 1.0
TS_PACKET_BYTES, TS_SYNC = 188, b"\x47"


def read_piece(window: FileWindow, mixdown: Mixdown, report: ReadingReport, *, path: Path, is_last: bool, track: int | None = None) -> None:
    """Hand a recording's sound to ``mixdown``, gaps filled; what is wrong with it goes into ``report``.

    ``track`` counts from 1 among the audio tracks, None is the default one. Raises UnreadableError where there is no track of sound
    that can be read, UnknownTrackError, and what ``mixdown`` raises.
    """
    begin_s = mixdown.position_s
    with opened(window) as container:
        stream = chosen_stream(container, track, path=path)
        if stream is None or stream.codec_context is None:
            unknown = "its codec is not known" if container.streams.audio else "it holds no audio track"
            raise UnreadableError(unknown)
        if stream.rate:
            check_rate(int(stream.rate), path=path)
        length_s = container_s(container)
        reckoned = container.format.name in RECKONED
        if length_s is not None and not reckoned:
            mixdown.expect(begin_s + length_s)
        packets = Packets(container, stream, report, mixdown)
        clock = PacketClock(
            begin_s=begin_s,
            length_s=None if reckoned and container.format.name != "mpegts" else length_s,
            limit_s=mixdown.max_duration_s,
            may_jump=container.format.name in FREE_CLOCKS,
            is_exact=container.format.name == "flac",
            others_s=packets.others_s,
            on_jump=report.jumped,
        )
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


def _hand_on(sounds: Iterator[Sound], clock: PacketClock, mixdown: Mixdown, report: ReadingReport, *, counts_samples: bool) -> None:
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
            lost_s=sound.lost_s,
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


def _with_next(sounds: Iterator[Sound]) -> Iterator[tuple[Sound, Sound | None]]:
    """Each with the one after it."""
    held = next(sounds, None)
    while held is not None:
        following = next(sounds, None)
        yield held, following
        held = following


def _is_cut_stream(window: FileWindow) -> bool:
    """Whether a transport stream ends within a packet; they are 188 bytes long, or 192 with a time before each."""
    size = window.seek(0, io.SEEK_END)
    window.seek(0)
    begin = window.read(TS_PACKET_BYTES * 2 + 16)
    for length, at in ((TS_PACKET_BYTES, 0), (TS_PACKET_BYTES + 4, 4)):
        if begin[at : at + 1] == begin[at + length : at + length + 1] == TS_SYNC:
            return size % length != 0
    return False
