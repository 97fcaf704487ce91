"""The History tab: what this person or browser has had transcribed. Drawn by the page's script (ui/assets/history.js)."""

from __future__ import annotations

import gradio as gr

from ui.history.history_html import shell_html
from ui.text.texts import label
from ui.widgets.page_part import QUIET, PagePart


def history_tab() -> PagePart:
    """Lay the tab out; it is read anew whenever it is opened."""
    with gr.Tab(label("tab.history"), id="history", elem_id="lv-tab-history") as tab:
        place = gr.HTML(elem_id="lv-history-slot", apply_default_css=False)
    tab.select(None, js="() => { window.lightvoiceHistory.look(); }", **QUIET)
    return PagePart(greeted=[place], greet=lambda texts: [shell_html(texts)])
