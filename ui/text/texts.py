"""The texts of ``locales/en.toml`` and ``locales/zh.toml`` by key; nothing visible is written anywhere else.

Labels that never change are translated in the browser (``gr.I18n``, by the browser's language). What handlers write (the
transcript, toasts) is translated here, by the language that the browser sends in ``Accept-Language``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr
    from gradio.i18n import I18nData

ENGLISH = "en"
CHINESE = "zh"
#: The table of words that Gradio itself shows.
_GRADIOS = "gradio."
LOCALES = Path(__file__).parent / "locales"


@cache
def read_locale(language: str) -> Mapping[str, str]:
    """The texts of one language by key, ``table.name``; their ``{names}`` are filled by :class:`Texts`."""
    with (LOCALES / f"{language}.toml").open("rb") as file:
        tables = tomllib.load(file)
    return {f"{table}.{name}": text for table, names in tables.items() for name, text in names.items()}


class Texts:
    """The texts in one language: ``texts("light.on", precision="INT8")``; an unknown key is an error, never shown raw."""

    def __init__(self, language: str) -> None:
        self.language = CHINESE if language == CHINESE else ENGLISH
        self._words = read_locale(self.language)

    def __call__(self, key: str, **values: object) -> str:
        """The text for a key, its ``{names}`` filled."""
        return self._words[key].format(**values)

    def __contains__(self, key: str) -> bool:
        return key in self._words

    def names(self, table: str) -> list[str]:
        """The names of a table's texts."""
        return [key.removeprefix(f"{table}.") for key in self._words if key.startswith(f"{table}.")]

    def unfilled(self, key: str) -> str:
        """The text for a key as it stands, its ``{names}`` for a script to fill."""
        return self._words[key]

    def tag(self, value: str) -> str:
        """The name of a tag; a value this page does not know yet is shown as the bundle writes it."""
        key = f"tag.{value}"
        return self(key) if key in self else value

    def stage(self, stage: str) -> str:
        """The name of a stage of a run."""
        key = f"stage.{stage}"
        return self(key if key in self else "stage.other")


def preferred_language(accept_language: str) -> str:
    """The page's language for an ``Accept-Language`` header: the first language decides, as it does in the browser."""
    first = accept_language.split(",", 1)[0].strip().lower()
    return CHINESE if first.startswith(CHINESE) else ENGLISH


def texts_for(request: gr.Request | None) -> Texts:
    """The texts for whoever sent a request; English for clients that name no language."""
    header = "" if request is None else str(request.headers.get("accept-language", ""))
    return Texts(preferred_language(header))


def browser_translations(keys: Collection[str]) -> gr.I18n:
    """The texts of these keys for the browser to choose from; Chinese under every code that Gradio's own Chinese words answer to.

    Words of Gradio's own that it lacks in Chinese are given as well: it would show their keys.
    """
    import gradio as gr  # noqa: PLC0415 - the slim page does without Gradio

    english, chinese = (_for_browser(read_locale(language), keys) for language in (ENGLISH, CHINESE))
    return gr.I18n(**{"en": english, "zh": chinese, "zh-CN": chinese, "zh-TW": chinese})


def _for_browser(words: Mapping[str, str], keys: Collection[str]) -> dict[str, str]:
    own = {key.removeprefix(_GRADIOS): text for key, text in words.items() if key.startswith(_GRADIOS)}
    return own | {key: words[key] for key in sorted(keys)}


def label(key: str) -> I18nData:
    """A label that the browser translates; the key is checked when the page is built."""
    from gradio.i18n import I18nData  # noqa: PLC0415 - as above

    if key not in read_locale(ENGLISH):
        raise KeyError(key)
    return I18nData(key)
