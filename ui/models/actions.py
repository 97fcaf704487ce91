"""What the buttons of the Models tab do; each asks first whether whoever pressed it manages this server's models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import escape

from engine.bundle import Bundle
from engine.errors import UnknownBundleError
from ui.http.access.managing import require_manager
from ui.models.delete_form import asking
from ui.models.forms import PRUNE, recipe_of
from ui.models.job_slot import made_bundle
from ui.models.sent_files import keep_sent
from ui.models.state import ModelState
from ui.text.quantities import seconds
from ui.text.texts import texts_for
from ui.widgets.handlers import toasts

if TYPE_CHECKING:
    from models.jobs.workshop import Job, Workshop


class ModelActions:
    """The listeners of the buttons: each asks who is there, begins what was asked for, and redraws the panel."""

    def __init__(self, models: ModelState, update: Callable[[gr.Request, Sequence[str]], list[Any]], *, sent: Path) -> None:
        self._models, self._update, self._sent = models, update, sent

    def switch(self, shown: list[str], folder: str | None, request: gr.Request) -> list[Any]:
        """Open another bundle."""
        texts = texts_for(request)
        with toasts(texts):
            require_manager(self._models.managers, request)
            if folder:
                report = self._models.switch(self._known(folder).folder)
                gr.Info(escape(texts("models.switched", bundle=report.bundle, time=seconds(report.seconds))))
            return self._update(request, shown)

    def open_made(self, shown: list[str], request: gr.Request) -> list[Any]:
        """Open the bundle that the last job made."""
        return self.switch(shown, made_bundle(self._models.started), request)

    def ask_to_delete(self, folder: str | None, request: gr.Request) -> list[Any]:
        """Ask whether a bundle is to be deleted."""
        with toasts(texts_for(request)):
            require_manager(self._models.managers, request)
            return asking(self._known(folder) if folder else None, texts_for(request))

    def delete(self, shown: list[str], folder: str, request: gr.Request) -> list[Any]:
        """Delete the bundle that was asked about."""
        texts = texts_for(request)
        with toasts(texts):
            require_manager(self._models.managers, request)
            if folder:
                bundle = self._known(folder)
                self._models.delete(bundle)
                gr.Info(escape(texts("models.deleted", title=bundle.title)))
            return [*self._update(request, shown), *asking(None, texts)]

    def send(self, shown: list[str], files: list[str] | None, name: str, request: gr.Request) -> list[Any]:
        """Import files that were sent to the page: at once, for there is nothing more to say about them; the box is emptied."""
        with toasts(texts_for(request)):
            require_manager(self._models.managers, request)
            if not files:
                return [*self._update(request, shown), None]
            sent = keep_sent(files, self._sent)
            named = name.strip() or sent.name
            try:
                self._models.start(
                    "import", named, lambda workshop: workshop.import_folder(str(sent.path), name=named), afterwards=sent.delete
                )
            except BaseException:
                sent.delete()
                raise
            return [*self._update(request, shown), None]

    def fetch(self, shown: list[str], name: str, source: str, request: gr.Request) -> list[Any]:
        """Download a model of the catalog."""
        return self._begin("fetch", name, lambda workshop: workshop.fetch(name, source=source or None), shown, request)

    def bring(self, shown: list[str], folder: str, name: str, request: gr.Request) -> list[Any]:
        """Import a folder of the server."""
        named = name.strip() or Path(folder.strip()).name
        return self._begin("import", named, lambda workshop: workshop.import_folder(folder.strip(), name=named), shown, request)

    def quantize(
        self,
        shown: list[str],
        folder: str,
        recipe: str,
        clips: int | None,
        trials: int | None,
        amount: float,
        as_default: bool,
        request: gr.Request,
    ) -> list[Any]:
        """Make a variant."""
        with toasts(texts_for(request)):
            require_manager(self._models.managers, request)
            bundle = self._known(folder)

            def begin(workshop: Workshop) -> Job:
                if recipe == PRUNE:
                    return workshop.prune(bundle.folder, amount=amount)
                known = recipe_of(workshop.recipes, recipe)
                return workshop.quantize(  # an empty number box may send 0
                    bundle.folder,
                    recipe=recipe,
                    clips=(clips or None) if known and known.takes_clips else None,
                    max_trials=(trials or None) if known and known.takes_trials else None,
                    as_default=bool(as_default and known and known.can_be_default),
                )

            self._models.start(PRUNE if recipe == PRUNE else "quantize", f"{bundle.name}: {recipe}", begin)
            return self._update(request, shown)

    def cancel(self, shown: list[str], request: gr.Request) -> list[Any]:
        """End the job that runs."""
        with toasts(texts_for(request)):
            require_manager(self._models.managers, request)
            self._models.cancel()
            return self._update(request, shown)

    def _begin(self, kind: str, subject: str, begin: Callable[[Workshop], Job], shown: list[str], request: gr.Request) -> list[Any]:
        with toasts(texts_for(request)):
            require_manager(self._models.managers, request)
            self._models.start(kind, subject, begin)
            return self._update(request, shown)

    def _known(self, folder: str) -> Bundle:
        """An installed bundle by its folder; UnknownBundleError for any other path of this machine."""
        whole = self._models.whole()
        for bundle in whole:
            if str(bundle.folder) == folder:
                return bundle
        raise UnknownBundleError(bundle=folder, known=[bundle.name for bundle in whole])
