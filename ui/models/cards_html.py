"""What the Models tab draws itself: a card for every installed bundle, and how far the job is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from engine.bundle import BrokenBundle, Bundle
from ui.models.state import REAL, StartedJob
from ui.text.quantities import percent, seconds
from ui.text.texts import Texts
from ui.widgets.render import render

_TEMPLATE = "models/cards"
#: More figures than this of one bundle are left to its bundle.json.
MOST_FIGURES = 24
_DIGITS = 4
_DOWNLOADS = ("fetch", REAL)


@dataclass(frozen=True, kw_only=True)
class _Card:
    """What a card shows of a bundle beside what the bundle says itself; ``recipes`` are (variant, recipe), the others (name, value)."""

    bundle: Bundle
    is_open: bool
    recipes: Sequence[tuple[str, str]]
    figures: Sequence[tuple[str, str]]
    facts: Sequence[tuple[str, str]]


def cards_html(installed: Sequence[Bundle | BrokenBundle], opened: Bundle, texts: Texts) -> str:
    """Every installed bundle, the open one first and the broken last, these with their reason."""
    cards = [_card(entry, opened, texts) for entry in installed if isinstance(entry, Bundle)]
    cards.sort(key=lambda card: not card.is_open)
    broken = [entry for entry in installed if isinstance(entry, BrokenBundle)]
    return render(_TEMPLATE, "cards", cards, broken, texts)


def is_open(bundle: Bundle, opened: Bundle) -> bool:
    """Whether a bundle is the one that requests run on."""
    return bundle.folder.resolve() == opened.folder.resolve()


def _card(bundle: Bundle, opened: Bundle, texts: Texts) -> _Card:
    languages = ", ".join(texts.tag(language) for language in bundle.languages)
    return _Card(
        bundle=bundle,
        is_open=is_open(bundle, opened),
        recipes=[(variant, _recipe(bundle, variant)) for variant in bundle.variants],
        figures=list(islice(_flat(bundle.metrics), MOST_FIGURES)),
        facts=[
            (texts("models.languages"), languages),
            (texts("models.licence"), bundle.licence),
            (texts("models.source"), bundle.source),
            (texts("models.folder"), str(bundle.folder)),
        ],
    )


def _recipe(bundle: Bundle, variant: str) -> str:
    """How a variant was made, as bundle.json records it: the recipe and its settings, in a line."""
    record = bundle.recipes.get(variant)
    if not isinstance(record, Mapping):
        return "–"
    settings = [f"{key} {_number(value)}" for key, value in record.items() if key != "recipe" and isinstance(value, int | float | str)]
    return " · ".join([str(record.get("recipe", "–")), *settings])


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """A nested object as (path, value) pairs."""
    for key, value in values.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name} · ")
        elif isinstance(value, list):
            yield name, ", ".join(_number(entry) for entry in value)
        else:
            yield name, _number(value)


def _number(value: object) -> str:
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else str(value)


def job_html(started: StartedJob | None, texts: Texts) -> str:
    """The last job: what it is, how far it is, and how it ended; nothing before the first."""
    if started is None:
        return ""
    job, step = started.job, started.job.progress
    title = texts(f"models.job.{started.kind}", subject=started.subject)
    share = None if step is None else step.fraction
    if started.runs:
        details = [texts(f"models.state.{job.state}") if share is None else percent(share)]
        if step is not None:
            details.append(step.text)
            if step.eta_s is not None:
                details.append(texts("models.eta", time=seconds(step.eta_s)))
    else:
        details = list(_ending(started, texts))
    return render(_TEMPLATE, "job", title, job.state, started.runs, share, details, texts)


def _ending(started: StartedJob, texts: Texts) -> Iterator[str]:
    if started.kind in _DOWNLOADS and started.job.state == "cancelled":
        yield texts("models.fetch_kept")
    if started.job.result is not None:
        yield texts("models.made", place=started.job.result)
    if started.reopening_failed is not None:
        yield texts("models.reopening_failed", reason=started.reopening_failed)
    if started.job.error is not None:
        yield started.job.error
        if started.kind in _DOWNLOADS:
            yield texts("models.fetch_help")
