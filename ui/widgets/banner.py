"""The banner that says which bundle is loaded and what it can do; everything in it comes from bundle.json."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ui.text.quantities import megabytes
from ui.text.texts import Texts

if TYPE_CHECKING:
    from engine.bundle import Bundle


def banner_html(bundle: Bundle, texts: Texts) -> str:
    """The loaded bundle: title, version and description in plain sight, the rest folded away."""
    variants = ", ".join(f"{name.upper()} ({megabytes(bundle.size_mb(name))})" for name in bundle.variants)
    facts = {
        "banner.languages": ", ".join(texts.tag(language) for language in bundle.languages),
        "banner.variants": variants,
        "banner.licence": bundle.licence,
        "banner.source": bundle.source,
    }
    rows = "".join(f"<dt>{escape(texts(key))}</dt><dd>{escape(value)}</dd>" for key, value in facts.items() if value)
    return (
        f'<section class="lv-banner" aria-label="{escape(texts("banner.aria"), quote=True)}">'
        f'<p><strong>{escape(bundle.title)}</strong> <span class="lv-muted">{escape(bundle.name)} {escape(bundle.version)}</span></p>'
        f"<p>{escape(bundle.described_in(texts.language))}</p>"
        f'<details><summary>{escape(texts("banner.details"))}</summary><dl class="lv-facts">{rows}</dl></details></section>'
    )


def header_html(texts: Texts, address: str | None = None) -> str:
    """The page's name and what it is for; where the models run if that is elsewhere, and what is not offered then."""
    elsewhere = "" if address is None else f'<p class="lv-note" role="note">{escape(texts("banner.elsewhere", address=address))}</p>'
    return f'<header class="lv-header"><h1>{escape(texts("app.name"))}</h1><p>{escape(texts("app.tagline"))}</p>{elsewhere}</header>'
