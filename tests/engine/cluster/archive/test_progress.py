"""What a job says of itself while it runs."""

from __future__ import annotations

from engine.cluster.archive.progress import ProgressMeter


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_the_time_left_comes_from_the_bytes_left():
    clock = Clock()
    progress = ProgressMeter([100, 300, None], clock_s=clock)  # unknown: as large as the others on average, 200
    assert progress.reading().eta_s is None
    clock.now_s += 10
    progress.done(0, audio_s=60.0, worked=True)
    reading = progress.reading()
    assert (reading.files, reading.of_files, reading.eta_s, reading.speed) == (1, 3, 50.0, 6.0)
    assert str(reading) == "1/3 recordings, 0.02 h of audio, 6.0x real time, 0:00:50 left"


def test_what_an_earlier_run_left_does_not_make_this_one_fast():
    clock = Clock()
    progress = ProgressMeter([100, 100, 200], clock_s=clock)
    progress.done(0, audio_s=0.0, worked=False)
    clock.now_s += 10
    progress.done(1, audio_s=10.0, worked=True)
    assert progress.reading().eta_s == 20.0
