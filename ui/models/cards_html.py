"""What the Models tab draws itself: a card for every installed bundle, and how far the job is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from engine.bundle import BrokenBundle, Bundle
from ui.models.state import StartedJob
from ui.text.quantities import megabytes, percent, seconds
from ui.text.texts import Texts

#: More figures than this of one bundle are left to its bundle.json.
MOST_FIGURES = 24
_DIGITS = 4


def cards_html(installed: Sequence[Bundle | BrokenBundle], opened: Bundle, texts: Texts) -> str:
    """Every installed bundle, the open one first and the broken last, these with their reason."""
    whole = [entry for entry in installed if isinstance(entry, Bundle)]
    whole.sort(key=lambda entry: not is_open(entry, opened))
    broken = [entry for entry in installed if isinstance(entry, BrokenBundle)]
    cards = [_card(entry, texts, open_now=is_open(entry, opened)) for entry in whole] + [_broken(entry, texts) for entry in broken]
    return f'<div class="lv-models">{"".join(cards)}</div>'


def is_open(bundle: Bundle, opened: Bundle) -> bool:
    """Whether a bundle is the one that requests run on."""
    return bundle.folder.resolve() == opened.folder.resolve()


def _card(bundle: Bundle, texts: Texts, *, open_now: bool) -> str:
    badge = f'<span class="lv-badge">{escape(texts("models.open_now"))}</span>' if open_now else ""
    facts = {
        texts("models.languages"): ", ".join(texts.tag(language) for language in bundle.languages),
        texts("models.licence"): bundle.licence,
        texts("models.source"): bundle.source,
        texts("models.folder"): str(bundle.folder),
    }
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value)
    return (
        f'<article class="lv-card lv-model" data-bundle="{escape(bundle.name, quote=True)}" data-open="{str(open_now).lower()}">'
        f'<h3>{escape(bundle.title)} <span class="lv-muted">{escape(bundle.name)} {escape(bundle.version)}</span> {badge}</h3>'
        f"<p>{escape(bundle.described_in(texts.language))}</p>{_variants(bundle, texts)}{_figures(bundle, texts)}"
        f'<details><summary>{escape(texts("models.details"))}</summary><dl class="lv-facts">{rows}</dl></details></article>'
    )


def _variants(bundle: Bundle, texts: Texts) -> str:
    columns = (texts("models.precision"), texts("models.size"), texts("models.recipe_used"))
    header = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    rows = "".join(
        f"<tr><td>{escape(name.upper())}</td><td>{megabytes(bundle.size_mb(name))}</td><td>{escape(_recipe(bundle, name))}</td></tr>"
        for name in bundle.variants
    )
    return f'<div class="lv-scroll"><table class="lv-table"><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table></div>'


def _recipe(bundle: Bundle, variant: str) -> str:
    """How a variant was made, as bundle.json records it: the recipe and its settings, in a line."""
    record = bundle.recipes.get(variant)
    if not isinstance(record, Mapping):
        return "–"
    settings = [f"{key} {_number(value)}" for key, value in record.items() if key != "recipe" and isinstance(value, int | float | str)]
    return " · ".join([str(record.get("recipe", "–")), *settings])


def _figures(bundle: Bundle, texts: Texts) -> str:
    figures = list(_flat(bundle.metrics))[:MOST_FIGURES]
    if not figures:
        return ""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in figures)
    return f'<details><summary>{escape(texts("models.metrics"))}</summary><dl class="lv-facts">{rows}</dl></details>'


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


def _broken(bundle: BrokenBundle, texts: Texts) -> str:
    return (
        f'<article class="lv-card lv-model lv-broken" data-bundle="{escape(bundle.folder.name, quote=True)}">'
        f'<h3>{escape(bundle.folder.name)} <span class="lv-badge">{escape(texts("models.broken"))}</span></h3>'
        f'<p>{escape(bundle.reason)}</p><p class="lv-muted">{escape(str(bundle.folder))}</p></article>'
    )


def job_html(started: StartedJob | None, texts: Texts) -> str:
    """The last job: what it is, how far it is, and how it ended; nothing before the first."""
    if started is None:
        return ""
    job, step = started.job, started.job.progress
    title = texts(f"models.job.{started.kind}", subject=started.subject)
    state = texts(f"models.state.{job.state}")
    parts = [f"<h3>{escape(title)}</h3>"]
    if started.runs:
        share = None if step is None else step.fraction
        name = escape(title, quote=True)
        bar = f'<progress max="1" aria-label="{name}"' + (f' value="{share:.4f}">' if share is not None else ">") + "</progress>"
        said = [state] if share is None else [percent(share)]
        if step is not None:
            said.append(step.text)
            if step.eta_s is not None:
                said.append(texts("models.eta", time=seconds(step.eta_s)))
        parts += [bar, f'<p class="lv-muted">{escape(" · ".join(said))}</p>']
    else:
        parts.append(f"<p><strong>{escape(state)}</strong></p>")
        parts += [f"<p>{escape(line)}</p>" for line in _ending(started, texts)]
    return f'<section class="lv-card lv-job" data-state="{escape(job.state, quote=True)}">{"".join(parts)}</section>'


def _ending(started: StartedJob, texts: Texts) -> Iterator[str]:
    if started.kind == "fetch" and started.job.state == "cancelled":
        yield texts("models.fetch_kept")
    if started.job.result is not None:
        yield texts("models.made", place=started.job.result)
    if started.reopening_failed is not None:
        yield texts("models.reopening_failed", reason=started.reopening_failed)
    if started.job.error is not None:
        yield started.job.error
        if started.kind == "fetch":
            yield texts("models.fetch_help")
