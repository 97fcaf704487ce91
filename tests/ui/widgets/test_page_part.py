"""The parts of the page are filled by one listener for the greeting and one for the timer, each part with its own values."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

gr = pytest.importorskip("gradio")

from ui.widgets.page_part import PagePart, fill_parts  # noqa: E402


def listeners() -> tuple[list[Any], list[str]]:
    """What two parts are filled with when the page opens and at a tick, and where the browser's memory is laid out."""
    with gr.Blocks() as blocks:
        memory = gr.BrowserState(None, render=False)
        with gr.Tabs(), gr.Tab("one"):
            first, second = gr.Checkbox(), gr.Textbox()
        parts = [
            PagePart(greeted=[second], greet=lambda texts: [texts("tab.live")], kept=[memory]),
            PagePart(refreshed=[first], read=[first], refresh=lambda request, shown: [not shown]),
            PagePart(refreshed=[second], read=[first, second], refresh=lambda request, shown, text: [f"{text} {shown}"]),
        ]
        fill_parts(parts, blocks, gr.Timer(2))
    request = SimpleNamespace(headers={"accept-language": "zh"})
    greet, refresh = (one.fn for one in blocks.fns.values())
    return [greet(request), refresh(request, True, False, "again")], [type(memory.parent).__name__]


def test_every_part_gets_the_values_that_it_reads_and_fills_its_own_components() -> None:
    async def run() -> Any:  # Gradio's locks want an event loop
        return listeners()

    assert asyncio.run(run()) == ([["实时"], [False, "again False"]], ["Blocks"])
