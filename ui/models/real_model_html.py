"""What stands below the banner about the real model: the offer, how far it is, how it ended, and what helps where it did not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ui.models.state import REAL, ModelState, StartedJob
from ui.text.quantities import megabytes, percent, seconds
from ui.text.texts import Texts
from ui.widgets.render import render

if TYPE_CHECKING:
    from models.jobs.workshop import CatalogModel

_TEMPLATE = "models/real_model"
#: The name of the embedded bundle; a copy with more variants has it too.
STARTER_NAME = "starter"
#: What the job says while it does more than download, by its words (models/fetch/fetch.py, models/evaluate/self_test.py).
STAGES = {"making the bundle": "real.making", "transcribing the example recordings": "real.checking"}
#: After these failures another source may give what this one did not.
_OF_THE_SOURCE = ("unreachable", "other_file")


@dataclass(frozen=True, kw_only=True)
class RealModelView:
    """What is shown: the text, the words on the button (None: no button), the choice of a source, and whether it can be cancelled."""

    html: str = ""
    press: str | None = None
    asks_source: bool = False
    can_cancel: bool = False


def view_of(models: ModelState, texts: Texts, *, allowed: bool) -> RealModelView:
    """What a page shows now; nothing where the open bundle is no starter and none was brought."""
    if models.workshop is None:
        return RealModelView()
    started, model = models.started, models.workshop.real_model
    job = started if started is not None and started.kind == REAL else None
    if job is not None and job.runs:
        return _running(job, texts, allowed=allowed)
    if job is not None and job.has_opened and job.job.result == models.open_bundle.folder:
        return RealModelView(html=render(_TEMPLATE, "ended", "done", _checked(job, texts), ()))
    if models.open_bundle.name != STARTER_NAME:
        return RealModelView()
    if not allowed:
        return RealModelView(html=render(_TEMPLATE, "sentence", texts("real.not_allowed", download=megabytes(model.download_mb))))
    if models.held_real() is not None:
        said = "real.not_opened" if job is not None and job.reopening_failed is not None else "real.installed"
        return RealModelView(html=render(_TEMPLATE, "sentence", texts(said)), press=texts("real.open"))
    if models.workshop.missing("real"):
        return RealModelView(html=render(_TEMPLATE, "ended", "failed", texts("real.failed.packages"), [texts("real.next.packages")]))
    return _offer(job, model, texts)


def _running(started: StartedJob, texts: Texts, *, allowed: bool) -> RealModelView:
    step = started.job.progress
    if started.is_opening:
        share, details = None, [texts("real.opening")]
    elif step is None:
        share, details = None, [texts("real.asking")]
    elif step.text in STAGES:
        share, details = None, [texts(STAGES[step.text])]
    else:
        share, details = step.fraction, [step.text]
        if share is not None:
            details.insert(0, percent(share))
        if step.eta_s is not None:
            details.append(texts("models.eta", time=seconds(step.eta_s)))
    html = render(_TEMPLATE, "running", texts("real.running"), share, details)
    return RealModelView(html=html, can_cancel=allowed and not started.is_opening)


def _offer(job: StartedJob | None, model: CatalogModel, texts: Texts) -> RealModelView:
    """The button, with how the last attempt ended."""
    download = megabytes(model.download_mb)
    about = texts("real.about", download=download, licence=model.licence)
    if job is None or job.job.state not in ("failed", "cancelled"):
        return RealModelView(html=render(_TEMPLATE, "sentence", about), press=texts("real.get", download=download))
    if job.job.state == "cancelled":
        html = render(_TEMPLATE, "ended", "cancelled", texts("real.cancelled"), [about])
        return RealModelView(html=html, press=texts("real.resume"), asks_source=True)
    kind = str(job.job.failure)
    room = megabytes(model.download_mb + model.bundle_mb)
    sentence = texts(f"real.failed.{kind}", room=room)
    html = render(_TEMPLATE, "failed", sentence, list(_next(kind, texts)), texts("real.carry"), model.pages if kind != "disk" else ())
    return RealModelView(html=html, press=texts("real.again"), asks_source=kind in _OF_THE_SOURCE)


def _next(kind: str, texts: Texts) -> Iterator[str]:
    """What a person can do now, the nearest first."""
    yield texts(f"real.next.{kind}")
    if kind in _OF_THE_SOURCE:
        yield texts("real.next.mirror")


def _checked(started: StartedJob, texts: Texts) -> str:
    """What the self-test says of the model that is open now."""
    found = started.job.check
    if found is None:
        return texts("real.unchecked")
    return texts("real.checked" if found.passed == found.tested else "real.differs", passed=found.passed, tested=found.tested)
