"""The parts of the page are filled by one listener for the greeting, one for what the browser kept and one for the timer."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

gr = pytest.importorskip("gradio")

from ui.widgets.page_part import KeptOptions, PagePart, fill_parts  # noqa: E402


def listeners() -> tuple[list[Any], list[str]]:
    """What the parts are filled with when the page opens and at a tick, and where the browser's memories are laid out."""
    with gr.Blocks() as blocks:
        memories = [gr.BrowserState(None, render=False) for _ in range(2)]
        with gr.Tabs(), gr.Tab("one"):
            first, second = gr.Checkbox(), gr.Textbox()
        kept = [
            KeptOptions(memory=memories[0], controls=[first, second], show=lambda kept, texts: [kept, texts("tab.live")]),
            KeptOptions(memory=memories[1], controls=[second], show=lambda kept, texts: [f"was {kept}"]),
        ]
        parts = [
            PagePart(greeted=[second], greet=lambda texts: [texts("tab.live")], kept=kept[:1]),
            PagePart(refreshed=[first], read=[first], refresh=lambda request, shown: [not shown], kept=kept[1:]),
            PagePart(refreshed=[second], read=[first, second], refresh=lambda request, shown, text: [f"{text} {shown}"]),
        ]
        fill_parts(parts, blocks, gr.Timer(2))
    request = SimpleNamespace(headers={"accept-language": "zh"})
    greet, recall, refresh = (one.fn for one in blocks.fns.values())
    values = [greet(request), recall(request, True, "kept"), refresh(request, True, False, "again")]
    return values, [type(memory.parent).__name__ for memory in memories]


def test_every_part_gets_the_values_that_it_reads_and_fills_its_own_components() -> None:
    async def run() -> Any:  # Gradio's locks want an event loop
        return listeners()

    assert asyncio.run(run()) == ([["实时"], [True, "实时", "was kept"], [False, "again False"]], ["Blocks", "Blocks"])
