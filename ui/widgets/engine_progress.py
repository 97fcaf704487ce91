"""The engine's progress on Gradio's progress bar."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from ui.text.texts import Texts


def engine_progress(progress: gr.Progress, texts: Texts) -> Callable[[float, str], None]:
    """A progress callback (fraction in [0, 1], stage) that shows both on Gradio's bar, in the page's language."""

    def report(fraction: float, stage: str) -> None:
        progress(min(max(fraction, 0.0), 1.0), desc=texts.stage(stage))

    return report
