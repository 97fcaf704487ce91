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
class PagePart:
    """The components that the page fills for one of its parts, and the functions that give their values, in the same order."""

    #: Filled once, in the reader's language.
    greeted: Sequence[Any] = ()
    greet: Callable[[Texts], Sequence[Any]] = lambda texts: ()
    #: Filled when the page opens and at every tick of the timer; ``refresh`` gets the request and the values of ``read``.
    refreshed: Sequence[Any] = ()
    read: Sequence[Any] = ()
    refresh: Callable[..., Sequence[Any]] = lambda request, *values: ()
    #: What a tab keeps in the browser, not laid out yet: in a tab that is not open it would have read nothing.
    kept: Sequence[gr.BrowserState] = ()


def fill_parts(parts: Sequence[PagePart], blocks: gr.Blocks, timer: gr.Timer) -> None:
    """Wire all parts with one listener for the greeting and one for the timer: ten parts cost the page as many requests as one.

    Called outside of the tabs, whose children are tabs alone.
    """
    for part in parts:
        for one in part.kept:
            one.render()

    def greet(request: gr.Request) -> list[Any]:
        texts = texts_for(request)
        return [value for part in parts for value in part.greet(texts)]

    def refresh(request: gr.Request, *values: Any) -> list[Any]:
        rest = iter(values)
        return [value for part in parts for value in part.refresh(request, *islice(rest, len(part.read)))]

    blocks.load(greet, outputs=[one for part in parts for one in part.greeted], **QUIET)
    gr.on(
        [blocks.load, timer.tick],
        refresh,
        inputs=[one for part in parts for one in part.read],
        outputs=[one for part in parts for one in part.refreshed],
        **QUIET,
    )
