"""What is installed already of a model of the catalog."""

from __future__ import annotations

from pathlib import Path

from engine.bundle import MANIFEST, Bundle
from models.fetch.catalog import CatalogModel


def is_completed_by(output: Path, model: CatalogModel) -> bool:
    """Whether a bundle lies at ``output`` that the catalog's model is an edition of, and lacks variants that this edition has."""
    if not (output / MANIFEST).is_file():
        return False
    held = Bundle.load(output, verify=False)
    return held.name == model.bundle and set(held.variants) < set(model.precisions)
