"""The page's HTML, written by the macros of the templates ``ui/<folder>/templates/<name>.html``, in which every value is escaped.

Templates are compiled once. A line break in a template, with the white space around it, is not part of the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from markupsafe import Markup

from ui.text.quantities import clock, megabytes, percent, rtf, seconds, signed_percent
from ui.widgets.tag_chips import FAMILIES, chip_of, tags_of

UI = Path(__file__).parents[1]
_LINE_BREAK = re.compile(r"\s*\n\s*")
#: What templates may call beside what they are given.
_FUNCTIONS = {
    "FAMILIES": FAMILIES,
    "chip_of": chip_of,
    "clock": clock,
    "megabytes": megabytes,
    "percent": percent,
    "rtf": rtf,
    "seconds": seconds,
    "signed_percent": signed_percent,
    "tags_of": tags_of,
}


class _WithoutLineBreaks(Extension):
    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        for token in stream:
            yield Token(token.lineno, "data", _LINE_BREAK.sub("", token.value)) if token.type == "data" else token


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(UI), autoescape=True, undefined=StrictUndefined, auto_reload=False, extensions=[_WithoutLineBreaks]
    )
    environment.globals.update(_FUNCTIONS)
    return environment


@cache
def _macro(template: str, name: str) -> Callable[..., Markup]:
    folder, _, file = template.partition("/")
    macro: Callable[..., Markup] = getattr(_environment().get_template(f"{folder}/templates/{file}.html").module, name)
    return macro


def render(template: str, macro: str, *values: object) -> Markup:
    """What a macro writes for these values: ``render("widgets/transcript", "summary", transcript, texts)``; templates take it as HTML."""
    return _macro(template, macro)(*values)
