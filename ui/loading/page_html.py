"""The page's HTML as it leaves the server: Gradio's, with something to see before its scripts run, and its files joined into two."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import escape

from ui.loading.gradio_modules import PageFiles
from ui.text.texts import Texts
from ui.theme import FIRST_SCRIPT, FIRST_STYLE
from ui.widgets.render import render

#: Gradio's advertisement of itself, a manifest that is not served, and a script for pages that stand inside of others.
_LEFT_OUT = re.compile(
    r'<meta\s+(?:property="og:|name="twitter:)[^>]*/>|<link rel="manifest"[^>]*>|<script>\s*\(\(\) => \{\s*const root = .*?</script>',
    re.DOTALL,
)
_ENTRY = re.compile(r'<script type="module"[^>]* src="\./assets/[\w.-]+\.js"></script>')
_ENTRY_STYLE = re.compile(r'<link rel="stylesheet"[^>]* href="\./assets/[\w.-]+\.css">')
_BODY = re.compile(r"<body[^>]*>")
#: What Gradio builds the page from: nine tenths of the HTML, and nothing of it is seen at first.
_CONFIG = re.compile(r"<script>\s*window\.gradio_(?:config|api_info) = .*?</script>", re.DOTALL)


@dataclass(frozen=True)
class JoinedAddresses:
    """Where the joined files are served, below ``assets/``."""

    modules: str
    styles: str


def with_curtain(html: str, texts: Texts, files: PageFiles | None, joined: JoinedAddresses) -> str:
    """Gradio's HTML for a reader of these texts; without ``files`` Gradio loads its own files itself."""
    head = f"<style>{_read(FIRST_STYLE)}</style>{_first_script(files, joined)}"
    body = str(render("loading/curtain", "curtain", texts))
    if files is not None:
        head += "".join(f'<link rel="stylesheet" href="./assets/{name}" disabled>' for name in files.styles)
        html = _ENTRY_STYLE.sub("", _ENTRY.sub("", html))
    html = _LEFT_OUT.sub("", html).replace('<html\n\tlang="en"', f'<html\n\tlang="{"zh-CN" if texts.language == "zh" else "en"}"')
    html = re.sub(r"(<base [^>]*>)", lambda match: match[0] + head, html, count=1)
    body += "".join(_CONFIG.findall(html))  # behind the curtain, which is drawn before a browser has read them
    return _BODY.sub(lambda match: match[0] + body, _CONFIG.sub("", html), count=1)


def _first_script(files: PageFiles | None, joined: JoinedAddresses) -> str:
    addresses = {} if files is None else {"entry": files.modules[0], "modules": joined.modules, "styles": joined.styles}
    given = "".join(f' data-{name}="{escape(address)}"' for name, address in addresses.items())
    return f"<script{given}>\n{_read(FIRST_SCRIPT)}</script>"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
