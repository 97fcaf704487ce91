"""The banner that says which bundle is loaded and what it can do; everything in it comes from bundle.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from ui.text.quantities import megabytes
from ui.text.texts import Texts
from ui.widgets.render import render

if TYPE_CHECKING:
    from engine.bundle import Bundle


def banner_html(bundle: Bundle, texts: Texts) -> Markup:
    """The loaded bundle: title, version and description in plain sight, the rest folded away."""
    variants = ", ".join(f"{name.upper()} ({megabytes(bundle.size_mb(name))})" for name in bundle.variants)
    languages = ", ".join(texts.tag(language) for language in bundle.languages)
    return render("widgets/banner", "banner", bundle, texts, variants, languages)


def header_html(texts: Texts, address: str | None = None) -> str:
    """The page's name and what it is for; where the models run if that is elsewhere, and what is not offered then."""
    return render("widgets/banner", "header", texts, address)
