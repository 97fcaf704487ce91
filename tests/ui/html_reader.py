"""HTML as a browser reads it: tags, text, and an error for tags that do not nest."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"img", "br", "hr", "input"}


class Reader(HTMLParser):
    """Collects tags and text, and fails on tags that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "
