"""The models of the API: every variant of every installed bundle, under OpenAI's names for models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.bundle import MANIFEST, Bundle
from engine.options import CURRENT
from ui.api.errors import ApiError
from ui.api.model_names import means_open_bundle
from ui.models.state import ModelState

if TYPE_CHECKING:
    from engine.speech_engine import SpeechEngine


class ModelList:
    """What is installed and what is open, by the ids that requests name."""

    def __init__(self, engine: SpeechEngine, models: ModelState) -> None:
        self._engine, self._installed = engine, models

    def all(self) -> dict[str, dict[str, Any]]:
        """Every installed bundle's variants as OpenAI's model objects, by id; of two bundles with one name the open one counts."""
        current = self._engine.bundle
        bundles: dict[str, Bundle] = {current.name: current}
        for bundle in self._installed.whole():
            bundles.setdefault(bundle.name, bundle)
        return {
            f"{name}:{variant}": {
                "id": f"{name}:{variant}",
                "object": "model",
                "created": _installed_at(bundle),
                "owned_by": bundle.source or "unknown",
                "open": bundle is current,
                "languages": list(bundle.languages),
                "licence": bundle.licence,
            }
            for name, bundle in bundles.items()
            for variant in bundle.variants
        }

    def one(self, model: str) -> dict[str, Any]:
        """One model; the open one in the server's precision under a name that means it, ``root`` says which. ApiError 404 for none."""
        known = self.all()
        if model in known:
            return known[model]
        if model != self._engine.bundle.name and not means_open_bundle(model):
            raise _unknown_model(model, known)
        root = f"{self._engine.bundle.name}:{self._engine.precision}"
        return {**known.get(root, {"object": "model", "created": 0, "owned_by": "unknown", "open": True}), "id": model, "root": root}

    def precision(self, model: str | None) -> str:
        """The precision that a model's id stands for; ApiError 404 for a model that is not installed, 400 for one that is not open."""
        current = self._engine.bundle.name
        if model is None or model == current or means_open_bundle(model):
            return CURRENT
        known = self.all()
        names = {one: one.rpartition(":")[0] for one in known}
        if model not in known and model not in names.values():
            raise _unknown_model(model, known)
        name = names.get(model, model)
        if name != current:
            message = (
                f"model {model!r} is installed, but bundle {current!r} is open; open {name!r} on the page's Models tab, "
                f"or start the server with --bundle {name}, or leave the model out to use what is open"
            )
            raise ApiError(message, param="model", code="model_not_open")
        return model.rpartition(":")[2]


def _installed_at(bundle: Bundle) -> int:
    """Unix time; 0 for a bundle that is being deleted."""
    try:
        return int((bundle.folder / MANIFEST).stat().st_mtime)
    except FileNotFoundError:
        return 0


def _unknown_model(model: str, known: dict[str, dict[str, Any]]) -> ApiError:
    return ApiError(f"there is no model {model!r}; choose one of {', '.join(known)}", status=404, param="model", code="model_not_found")
