"""A bundle gets one variant more: written aside, moved into place whole, then named in ``bundle.json``."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.bundle import Bundle
from engine.files.claimed_folder import claimed_folder
from models.bundle.disk import require_space
from models.bundle.manifest import is_leftover, read_manifest, withdraw_files, write_manifest
from models.export.half_storage import is_stored_as_half, widened

log = logging.getLogger(__name__)

MODELS = ("asr", "vad")
STAGING = ".recipe-"


def graph_files(graph: Path) -> list[Path]:
    """A graph's file, and the one with its external weights: those of them that exist."""
    return [path for path in (graph, graph.with_name(f"{graph.name}.data")) if path.exists()]


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a recipe starts from: a bundle's FP32 graphs."""

    bundle: Bundle
    asr: Path
    vad: Path

    @classmethod
    def of(cls, folder: Path, *, variant: str = "fp32") -> Source:
        """Open a bundle, its files verified; UnknownPrecisionError if it has no such variant."""
        bundle = Bundle.load(folder)
        files = bundle.variant(variant)
        return cls(bundle=bundle, asr=bundle.path(files.asr), vad=bundle.path(files.vad))

    @property
    def is_half(self) -> bool:
        """Whether one of the graphs stores its weights in 16 bits."""
        return any(is_stored_as_half(graph) for graph in (self.asr, self.vad))

    def widened(self, folder: Path) -> Source:
        """The same with every weight in 32 bits: graphs that store them in 16 (models/export/half_storage.py) are copied into
        ``folder``.
        """
        return replace(self, asr=widened(self.asr, folder), vad=widened(self.vad, folder))

    @property
    def file_bytes(self) -> int:
        """Size of both graphs with their external weights."""
        return sum(path.stat().st_size for graph in (self.asr, self.vad) for path in graph_files(graph))


#: Writes ``asr.<variant>.onnx`` and ``vad.<variant>.onnx`` into a folder, and answers what ``bundle.json`` is to say of the recipe.
Recipe = Callable[[Source, Path, str], Mapping[str, Any]]


def add_variant(folder: Path, variant: str, recipe: Recipe) -> dict[str, Any]:
    """Run a recipe and add what it wrote as a variant: -> the recipe's record, as ``bundle.json`` keeps it.

    A recipe that fails leaves the bundle as it was. Raises DiskFullError and what the recipe raises.
    """
    source = Source.of(folder)
    _clear_leftovers(folder)
    # A recipe's own temporary copy, and the result; weights stored in 16 bits are copied in 32 first.
    require_space(folder, (5 if source.is_half else 2) * source.file_bytes)
    with claimed_folder(folder, STAGING) as staging:
        with tempfile.TemporaryDirectory(dir=staging) as wide:
            record = dict(recipe(source.widened(Path(wide)), staging, variant))
        made = sorted(path for path in staging.iterdir() if path.is_file())
        # A run that is killed between two of these leaves a whole bundle without the variant, not one whose sums are wrong.
        variants = withdraw_files(folder, {path.name for path in made})
        for path in made:
            path.replace(folder / path.name)
    files = {model: f"{model}.{variant}.onnx" for model in MODELS}
    record_variant(folder, variant, files, record, others=variants)
    log.info("%s has the variant %s", folder, variant)
    return record


def _clear_leftovers(folder: Path) -> None:
    """Remove what a recipe that was killed left behind."""
    for path in folder.iterdir():
        if is_leftover(path.name) and not path.name.startswith(STAGING):  # whose process may run: claimed_folder looks
            log.info("removing %s, left by a run that did not finish", path.name)
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def record_variant(folder: Path, variant: str, files: Mapping[str, str], record: Mapping[str, Any], *, others: Mapping[str, Any]) -> None:
    """Name a variant in ``bundle.json``, with its recipe's record and the recordings that the recipe used."""
    manifest = read_manifest(folder)
    graphs = {model: name if (folder / name).exists() else f"{model}.fp32.onnx" for model, name in files.items()}
    manifest["variants"] = {**others, variant: graphs}
    kept = {key: value for key, value in record.items() if key != "used_recordings"}
    if kept:
        manifest.setdefault("recipes", {})[variant] = kept
    for purpose, sums in dict(record.get("used_recordings", {})).items():
        used = manifest.setdefault("used_recordings", {})
        used[purpose] = sorted({*used.get(purpose, []), *sums})
    write_manifest(folder, manifest)
