"""What to do where the browser keeps the microphone back: pages that are neither HTTPS nor on this machine (no secure context)."""

from __future__ import annotations

from html import escape

from ui.text.texts import Texts

COMMANDS = ("./run.sh --host 0.0.0.0 --ssl-self-signed", "./run.sh --host 0.0.0.0 --ssl-certfile cert.pem --ssl-keyfile key.pem")


def microphone_remedy_html(texts: Texts) -> str:
    """Why there is no microphone, and the two commands that bring it; the style sheet shows it only where it is needed."""
    own, given = (f"<code>{escape(command)}</code>" for command in COMMANDS)
    return (
        f'<div class="lv-mic-hint lv-mic-remedy" role="note"><p>{escape(texts("mic.why"))}</p>'
        f"<p>{escape(texts('mic.self_signed'))} {own}</p><p>{escape(texts('mic.certificate'))} {given}</p>"
        f"<p>{escape(texts('mic.tunnel'))}</p></div>"
    )
