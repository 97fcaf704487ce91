"""Imports Gradio without the type stubs that it writes for editors.

As each of its 81 components is defined, Gradio parses the component's source twice and renders a ``.pyi`` beside it, in the installed
package, at every import: more than half of the seconds that it takes to load. Nothing at run time reads them.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

WRITES_STUBS = "gradio.component_meta"
#: The function that does; benchmarks/README.md has what leaving it out saves.
WRITER = "create_or_modify_pyi"


@contextmanager
def without_stubs() -> Iterator[None]:
    """While this is open, Gradio loads without writing stubs; a Gradio that is loaded already stays as it is."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != WRITES_STUBS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        if hasattr(module, WRITER):  # a Gradio that has stopped writing stubs needs no help
            setattr(module, WRITER, lambda *_: None)
