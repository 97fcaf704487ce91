"""What the Compare tab can set against each other: every variant of the open bundle and of the other installed ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from engine.bundle import Bundle
from engine.compare.compare import Variant
from engine.errors import UnknownBundleError

if TYPE_CHECKING:
    from engine.speech_engine import SpeechEngine

#: Where the installed bundles come from; none were looked for where it is None.
InstalledBundles = Callable[[], Sequence[Bundle]]


class VariantChoices:
    """Variants by a value that a drop-down can hold: ``"int8@starter"``."""

    def __init__(self, engine: SpeechEngine, installed: InstalledBundles | None) -> None:
        self._engine, self._installed = engine, installed

    def _bundles(self, *, others: bool) -> dict[str, Bundle]:
        """The open bundle, then the others if wanted; of two with one name the open one, or the first found, counts."""
        current = self._engine.bundle
        found = {current.name: current}
        for bundle in self._installed() if others and self._installed else ():
            found.setdefault(bundle.name, bundle)
        return found

    def offered(self, *, others: bool) -> list[tuple[str, str]]:
        """(shown, value) of every variant, those of the open bundle first; the bundle is named where there are several."""
        bundles = self._bundles(others=others)
        several = len(bundles) > 1
        return [
            (f"{name} · {variant.upper()}" if several else variant.upper(), f"{variant}@{name}")
            for name, bundle in bundles.items()
            for variant in bundle.variants
        ]

    def defaults(self) -> tuple[str, str]:
        """The open bundle's first two variants; its only one twice."""
        current = self._engine.bundle
        variants = list(current.variants)
        first, second = variants[0], variants[min(1, len(variants) - 1)]
        return f"{first}@{current.name}", f"{second}@{current.name}"

    def find(self, value: str, *, others: bool) -> Variant:
        """What a value stands for; another bundle's files are verified. UnknownBundleError for one that is gone."""
        precision, _, name = value.partition("@")
        if name == self._engine.bundle.name:
            return Variant(precision)
        bundles = self._bundles(others=others)
        if name not in bundles:
            raise UnknownBundleError(bundle=name, known=list(bundles))
        return Variant(precision, Bundle.load(bundles[name].folder))
