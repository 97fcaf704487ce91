"""The banner that says which bundle is loaded and what it can do; everything in it comes from bundle.json."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markupsafe import Markup

from ui.text.quantities import megabytes
from ui.text.texts import Texts
from ui.widgets.render import render

if TYPE_CHECKING:
    from engine.bundle import Bundle

STARTER_KIND = "starter"
_FIRST_SENTENCE = re.compile(r"^(.+?(?:[.!?](?=\s)|[。！？])).*$", re.DOTALL)


def banner_html(bundle: Bundle, texts: Texts) -> Markup:
    """The open model: its title and what it can and cannot in one sentence, the rest folded away."""
    variants = ", ".join(f"{name.upper()} ({megabytes(bundle.size_mb(name))})" for name in bundle.variants)
    languages = ", ".join(texts.tag(language) for language in bundle.languages)
    return render("widgets/banner", "banner", bundle, _can(bundle, texts), texts, variants, languages)


def settings_html(texts: Texts) -> str:
    """The sign of an open microphone, and the choice of language and colours."""
    return render("widgets/settings", "settings", texts)


def _can(bundle: Bundle, texts: Texts) -> str:
    """What a model can and cannot, in one sentence: the starter's is ours, that of others is the first of what they say of themselves."""
    if bundle.kind == STARTER_KIND:
        return texts("banner.starter", languages=texts("banner.between").join(texts.tag(language) for language in bundle.languages))
    return _FIRST_SENTENCE.sub(r"\1", bundle.described_in(texts.language))


def header_html(texts: Texts, address: str | None = None) -> str:
    """The page's name and what it is for; where the models run if that is elsewhere, and what is not offered then."""
    return render("widgets/banner", "header", texts, address)
