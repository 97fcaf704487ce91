"""One run of a graph: by the thread that asks, by a thread of the session's own pool, or on a device."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

Feeds = Mapping[str, NDArray[Any]]


class _Note:
    """Takes what a run in the pool answers: its outputs, or what went wrong."""

    def __init__(self, answers: list[tuple[Sequence[Any], str]]) -> None:
        self._answers = answers

    def __call__(self, outputs: Sequence[Any], _: object, error: str) -> None:
        self._answers.append((outputs, error))


def run_in_pool(inner: Any, output_names: Sequence[str], feeds: Feeds, options: Any) -> list[NDArray[Any]]:
    """Run a graph on one thread of its session's pool, which other runs of the session then leave alone; RuntimeError where it fails.

    A run from outside takes the pool's threads beside its own: k of them at once would be more threads than there are cores.
    """
    answers: list[tuple[Sequence[Any], str]] = []
    left: SimpleQueue[object] = SimpleQueue()
    note = _Note(answers)
    # Over when ONNX Runtime drops the note, not when it calls it: a session that is closed waits for its threads without giving the
    # interpreter's lock away, so none of them may still want it. Nothing but C runs between this and the thread's last use of the lock.
    dropped = weakref.ref(note, left.put)
    inner.run_async(list(output_names), dict(feeds), note, None, options)
    del note
    try:
        left.get()
    except BaseException:  # interrupted: the run must end before its session may be closed
        options.terminate = True
        left.get()
        raise
    del dropped
    outputs, error = answers[0]
    if error:
        raise RuntimeError(error)
    return list(outputs)


def run_on_device(inner: Any, output_names: Sequence[str], feeds: Feeds, options: Any) -> list[NDArray[Any]]:
    """Run a graph on a device: each input goes there once, the outputs stay there until all are complete and come back together."""
    binding = inner.io_binding()
    for name, value in feeds.items():
        binding.bind_cpu_input(name, np.ascontiguousarray(value))
    for name in output_names:
        binding.bind_output(name, inner.get_providers()[0].removesuffix("ExecutionProvider").lower())
    inner.run_with_iobinding(binding, options)
    return list(binding.copy_outputs_to_cpu())
