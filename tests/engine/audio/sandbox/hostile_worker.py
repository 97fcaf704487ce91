"""A decode worker whose libraries do what the recording's name says: crash, hang, spin, eat memory, answer nonsense, or raise."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from engine.audio.reading.reading_warnings import ReadingWarning, WarningType
from engine.audio.sandbox import worker as decode_worker

ONE_SECOND = np.zeros(16_000, np.float32)


def crash(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(_: Any) -> None:
    threading.Event().wait()


def spin(_: Any) -> None:
    while True:
        pass


def dribble(replies: Any) -> None:
    while True:
        replies.take(ONE_SECOND[:1])
        replies._send_blocks()


def eat(_: Any) -> None:
    kept = []
    while True:  # untouched pages count as well, and take no time
        kept.append(bytes(64 << 20))


def babble(replies: Any) -> None:
    replies._stream.write(b"\x00" * 64)
    replies._stream.flush()
    hang(replies)


def lie(replies: Any) -> None:
    error = SystemExit("no error of ours")
    error.values = {}
    replies.refuse(error)


def flood(replies: Any) -> None:
    while True:
        replies.take(ONE_SECOND)


def preach(replies: Any) -> Any:
    replies.take(ONE_SECOND)
    return (ReadingWarning(type=WarningType.HOTWORDS_LEFT_OUT, values={"bundle": "buy now"}),)


def stumble(_: Any) -> None:
    raise LookupError("a bug")


DEEDS: dict[str, Callable[[Any], None]] = {
    deed.__name__: deed for deed in (crash, hang, spin, dribble, eat, babble, lie, flood, preach, stumble)
}


def decode(path: Any, replies: Any, *, max_duration_s: float, read: Any, columns: int) -> Any:
    deed = DEEDS.get(path.stem)
    if deed is None:
        return really(path, replies, max_duration_s=max_duration_s, read=read, columns=columns)
    return deed(replies) or ()


if __name__ == "__main__":
    really, decode_worker.decode = decode_worker.decode, decode
    decode_worker.main(float(sys.argv[1]), int(sys.argv[2]))
