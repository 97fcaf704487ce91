"""``--bundle sensevoice-small[:EDITION]`` → a bundle that is installed: where it is not, it is offered, and fetched once somebody agrees.

The download and the conversion run as a command of their own, so that their memory is free again before the engine starts.
"""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.bundle import MANIFEST, Bundle, find_bundles
from engine.errors import OptionError
from models.fetch.catalog import CATALOG, FAMILY, CatalogModel, find_model
from models.jobs.packages import ROOT, program

#: The embedded bundle, which needs no download.
STARTER = "starter"
#: What the family's name alone stands for.
USUAL_EDITION = "int8"
#: Standard output belongs to transcripts: the command's goes where its progress goes.
STDERR = 2

#: Shows what would be fetched: -> whether somebody agrees. None: nobody can be asked.
Agree = Callable[[str], bool | None]


class NotFetchedError(OptionError):
    """A bundle of the catalog that is not installed, and was not fetched either; the message says how to."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A model of the catalog that is to be fetched into the folder ``output``; it ``completes`` the bundle there, or makes it."""

    model: CatalogModel
    output: Path
    completes: bool

    @property
    def arguments(self) -> list[str]:
        """The command that fetches it."""
        return ["fetch", FAMILY, f"--edition={self.model.edition}", f"--output={self.output.absolute()}"]

    def __str__(self) -> str:
        lack = f"{self.output} lacks the other variants" if self.completes else "it is not installed here"
        hubs = " or ".join(source.label for source in self.model.origins)
        return (
            f"{self.model.bundle}: {lack}. It can be fetched now: {self.model.download_mb} MB from {hubs}, under the {self.model.licence}; "
            f"it takes {self.model.bundle_mb} MB in {self.output}."
        )


def usual_bundle(roots: Sequence[Path]) -> str:
    """What is opened where nobody named a bundle: the real model once it is installed, else the starter."""
    held = _held(FAMILY, roots)
    return STARTER if held is None or held.is_random else FAMILY


def named_model(asked: str) -> CatalogModel | None:
    """The model that ``--bundle`` names, as ``sensevoice-small``, ``sensevoice-small:fp32`` or a name of the catalog; None for any other.

    UnknownModelError for an edition that there is not.
    """
    name, colon, edition = asked.partition(":")
    if name == FAMILY:
        return find_model(FAMILY, edition=edition if colon else USUAL_EDITION)
    return CATALOG.get(asked)


def offer_for(asked: str, *, precision: str | None, roots: Sequence[Path]) -> Offer | None:
    """What has to be fetched for ``--bundle`` and ``--precision``; None where all is here, or where the catalog has no such model."""
    model = named_model(asked)
    if model is None or (Path(asked) / MANIFEST).is_file():
        return None
    held = _held(model.bundle, roots)
    if held is None:
        if precision is not None and precision not in model.precisions and asked == FAMILY:
            model = _edition_with(precision) or model
        return Offer(model=model, output=roots[-1] / model.bundle, completes=False)
    if asked == FAMILY:  # any edition serves, as long as it has the precision
        wider = None if precision is None or precision in held.variants else _edition_with(precision)
        return None if wider is None else Offer(model=wider, output=held.folder, completes=True)
    if set(model.precisions) <= set(held.variants):
        return None
    return Offer(model=model, output=held.folder, completes=True)


def bundle_on_demand(asked: str, *, precision: str | None, roots: Sequence[Path], agree: Agree, yes: bool) -> tuple[str, str | None]:
    """The name or folder of an installed bundle, and the precision asked of it: fetched first if it is missing and ``agree`` allows.

    ``yes`` says that packages, too, may be installed without another question. Raises NotFetchedError and UnknownModelError.
    """
    model = named_model(asked)
    if model is None:
        return asked, precision
    offer = offer_for(asked, precision=precision, roots=roots)
    if offer is not None and _can_fetch():
        _fetch(offer, agree, yes=yes)
    edition_says = model.precisions[0] if len(model.precisions) == 1 and asked != FAMILY else None
    folder = (Path(asked) / MANIFEST).is_file()
    return (asked if folder else model.bundle), precision or edition_says


def _fetch(offer: Offer, agree: Agree, *, yes: bool) -> None:
    agreed = agree(str(offer))
    by_hand = f"./run.sh models fetch {FAMILY} --edition {offer.model.edition}"
    if agreed is None:
        raise NotFetchedError(f"{offer} Add --yes to fetch it without being asked, or fetch it first: {by_hand}")
    if not agreed:
        raise NotFetchedError(f"not fetched. Later: {by_hand}; the embedded starter needs no download: leave --bundle out")
    done = subprocess.run([*program(offer.arguments, yes=yes), *offer.arguments], check=False, stdout=STDERR, cwd=ROOT)
    if done.returncode:
        raise NotFetchedError(f"{offer.model.bundle} was not fetched; the line above says why. To try again: {by_hand}")


def _can_fetch() -> bool:
    """Whether the commands of the workshop are here; a container has its bundles mounted instead."""
    return importlib.util.find_spec("models.__main__") is not None


def _held(name: str, roots: Sequence[Path]) -> Bundle | None:
    return next((bundle for bundle in find_bundles(roots) if bundle.name == name), None)


def _edition_with(precision: str) -> CatalogModel | None:
    """The edition of the usual bundle that has a variant."""
    return next((model for model in CATALOG.values() if model.bundle == FAMILY and precision in model.precisions), None)
