"""What a part of the page, such as a tab, has the page fill: once when the page opens, and again from the page's timer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import gradio as gr

from ui.text.texts import Texts, texts_for

#: For listeners of the page alone, which neither wait in Gradio's queue nor show progress.
QUIET: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}


@dataclass(frozen=True, kw_only=True)
class KeptOptions:
    """Controls that the browser remembers, its memory of them, and what they show for what it kept."""

    #: Not laid out yet: in a tab that is not open it would have read nothing.
    memory: gr.BrowserState
    controls: Sequence[Any]
    show: Callable[[object, Texts], Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class PagePart:
    """The components that the page fills for one of its parts, and the functions that give their values, in the same order."""

    #: Filled once, in the reader's language.
    greeted: Sequence[Any] = ()
    greet: Callable[[Texts], Sequence[Any]] = lambda texts: ()
    #: Filled when the page opens and at every tick of the timer; ``refresh`` gets the request and the values of ``read``.
    refreshed: Sequence[Any] = ()
    read: Sequence[Any] = ()
    refresh: Callable[..., Sequence[Any]] = lambda request, *values: ()
    #: What the browser remembers, filled when the page opens.
    kept: Sequence[KeptOptions] = ()


def fill_parts(parts: Sequence[PagePart], blocks: gr.Blocks, timer: gr.Timer) -> None:
    """Wire all parts with one listener for the greeting, one for what is kept and one for the timer: ten parts cost the page as many
    requests as one.

    Called outside of the tabs, whose children are tabs alone.
    """
    kept = [one for part in parts for one in part.kept]
    for one in kept:
        one.memory.render()

    def greet(request: gr.Request) -> list[Any]:
        texts = texts_for(request)
        return [value for part in parts for value in part.greet(texts)]

    def recall(request: gr.Request, *memories: Any) -> list[Any]:
        texts = texts_for(request)
        return [value for one, memory in zip(kept, memories, strict=True) for value in one.show(memory, texts)]

    def refresh(request: gr.Request, *values: Any) -> list[Any]:
        rest = iter(values)
        return [value for part in parts for value in part.refresh(request, *islice(rest, len(part.read)))]

    blocks.load(greet, outputs=[one for part in parts for one in part.greeted], **QUIET)
    if kept:
        blocks.load(recall, inputs=[one.memory for one in kept], outputs=[control for one in kept for control in one.controls], **QUIET)
    gr.on(
        [blocks.load, timer.tick],
        refresh,
        inputs=[one for part in parts for one in part.read],
        outputs=[one for part in parts for one in part.refreshed],
        **QUIET,
    )
