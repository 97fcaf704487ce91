"""What to do where the browser keeps the microphone back: pages that are neither HTTPS nor on this machine (no secure context)."""

from __future__ import annotations

from ui.text.texts import Texts
from ui.widgets.render import render

COMMANDS = ("./run.sh --host 0.0.0.0 --ssl-self-signed", "./run.sh --host 0.0.0.0 --ssl-certfile cert.pem --ssl-keyfile key.pem")


def microphone_remedy_html(texts: Texts) -> str:
    """Why there is no microphone, and the two commands that bring it; the style sheet shows it only where it is needed."""
    return render("live/stage", "microphone_remedy", *COMMANDS, texts)
