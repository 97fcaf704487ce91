"""A bundle to add variants to: the one that was named, or a copy of it that appears only when the work is done."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.bundle import Bundle
from engine.errors import OptionError
from engine.files.claimed_folder import claimed_folder
from models.bundle.disk import require_space
from models.bundle.manifest import read_manifest, write_manifest

log = logging.getLogger(__name__)


class BundleExistsError(OptionError):
    """The folder for the copy is taken."""

    def __init__(self, *, folder: Path) -> None:
        super().__init__(f"{folder} is there already; name it as the bundle, or choose another --output")


@contextmanager
def bundle_to_change(bundle: Path, output: Path | None) -> Iterator[Path]:
    """The bundle itself where ``output`` is None, else a copy that takes the place and the name of ``output`` when the block ends well.

    Raises BundleExistsError, DiskFullError and the engine's errors about bundles.
    """
    if output is None:
        yield bundle
        return
    if output.exists():
        raise BundleExistsError(folder=output)
    source = Bundle.load(bundle)
    output.parent.mkdir(parents=True, exist_ok=True)
    require_space(output.parent, sum(entry.bytes for entry in source.files.values()))
    with claimed_folder(output.parent, ".copy-") as temporary:
        copy = temporary / output.name
        copy.mkdir()
        for name in source.files:
            shutil.copyfile(source.path(name), copy / name)
        write_manifest(copy, {**read_manifest(bundle), "name": output.name})
        yield copy
        copy.rename(output)
    log.info("%s is a copy of %s", output, bundle)
