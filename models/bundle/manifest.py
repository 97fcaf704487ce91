"""Write ``bundle.json``: what a folder of weights holds, with size and sha256 of every file."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from engine.bundle import FORMAT, MANIFEST
from engine.files.content import sha256_of


def is_leftover(name: str) -> bool:
    """Whether a name is that of something half made: hidden, partial, or the quantizer's own intermediate graph."""
    return name.startswith(".") or name.endswith((".partial", "-inferred.onnx"))


def write_manifest(folder: Path, fields: dict[str, Any]) -> Path:
    """Write ``bundle.json`` with ``fields`` and every file now in the folder; replaced in one step."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != MANIFEST and not is_leftover(path.name))
    files = {name: {"sha256": sha256_of(folder / name), "bytes": (folder / name).stat().st_size} for name in names}
    return _replace(folder, {"format": FORMAT, **fields, "files": files})


def withdraw_files(folder: Path, names: Collection[str]) -> dict[str, Any]:
    """Take files that are about to be replaced out of ``bundle.json``, and the variants that use them: -> all variants there were."""
    manifest = read_manifest(folder)
    variants: dict[str, Any] = manifest["variants"]
    if not set(names) & manifest["files"].keys():
        return variants
    used = {name.removesuffix(".data") for name in names}
    manifest["variants"] = {variant: graphs for variant, graphs in variants.items() if not used & set(graphs.values())}
    manifest["files"] = {name: entry for name, entry in manifest["files"].items() if name not in names}
    _replace(folder, manifest)
    return variants


def _replace(folder: Path, manifest: dict[str, Any]) -> Path:
    partial = folder / f"{MANIFEST}.partial"
    partial.write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return partial.replace(folder / MANIFEST)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The fields of a bundle's ``bundle.json`` as written."""
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return manifest
