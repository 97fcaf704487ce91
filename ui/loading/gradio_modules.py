"""The files of Gradio's own page that the first view needs, joined into one with all modules and one with all style sheets.

Gradio loads its page in some ninety small files, each found in the one before: over a slow line that is seconds. Which of them a view
needs stands in the files: ``m.f=[…]`` lists the names, and ``import(`./X.js`),__vite__mapDeps([…])`` the places in it of all that a
module loads. What is not understood here is loaded as Gradio does it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_LISTED = re.compile(r"m\.f=(\[[^\]]*\])")
_LOADED = re.compile(r"import\(`\./([\w.-]+\.js)`\)(?:\.then\(\w+=>\w+\.\w+\)|;return\{default:\w+\}\})?,__vite__mapDeps\(\[([\d,]*)\]\)")
_COMPONENT = r"[{{,]{name}:\{{(?:(?!component:|\}}[,}}]).)*component:\(\)=>\w+\(\(\)=>"
_ENTRY = re.compile(r'<script type="module"[^>]* src="\./assets/([\w.-]+\.js)"></script>')
_ENTRY_STYLE = re.compile(r'<link rel="stylesheet"[^>]* href="\./assets/([\w.-]+\.css)">')
#: Modules that every page of Gradio goes through, by the beginnings of their names.
_FRAME = ("Index-", "core-", "Blocks-")
_DIGEST_DIGITS = 16


@dataclass(frozen=True)
class PageFiles:
    """The names of the modules and style sheets, the entry first, in ``folder``."""

    folder: Path
    modules: tuple[str, ...]
    styles: tuple[str, ...]

    @cached_property
    def modules_json(self) -> bytes:
        """All modules, name -> source."""
        sources = {name: (self.folder / name).read_text(encoding="utf-8") for name in self.modules}
        return json.dumps(sources, ensure_ascii=False, separators=(",", ":")).encode()

    @cached_property
    def style_sheet(self) -> bytes:
        """All style sheets, one after the other."""
        return "\n".join((self.folder / name).read_text(encoding="utf-8") for name in self.styles).encode()

    @cached_property
    def digest(self) -> str:
        """Changes with the content: browsers may keep what has it in its address for ever."""
        return hashlib.sha256(self.modules_json + self.style_sheet).hexdigest()[:_DIGEST_DIGITS]


def page_files(index_html: str, folder: Path, components: Collection[str]) -> PageFiles | None:
    """What a page with these components (Gradio's names) needs; None where the page is built in a way that is not known here."""
    entry, style = _ENTRY.search(index_html), _ENTRY_STYLE.search(index_html)
    if entry is None or style is None or not (folder / entry[1]).is_file() or not (folder / style[1]).is_file():
        return None
    found = dict.fromkeys([entry[1], style[1]])
    waiting, seen = [entry[1]], set[str]()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        for name, needs in _loaded(folder / module, components):
            found.update(dict.fromkeys([name, *needs]))
            waiting += [name, *(one for one in needs if one.startswith(_FRAME))]
    there = [name for name in found if (folder / name).is_file()]
    modules, styles = (tuple(name for name in there if name.endswith(ending)) for ending in (".js", ".css"))
    return PageFiles(folder, modules, styles)


def _loaded(module: Path, components: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    """What a module loads for such a page: each module's name with all that comes with it."""
    text = module.read_text(encoding="utf-8")
    listed = _LISTED.search(text)
    if listed is None:
        return
    names = [str(name).removeprefix("./") for name in json.loads(listed[1])]
    starts = {match.end() for name in components for match in re.finditer(_COMPONENT.format(name=name), text)}
    for match in _LOADED.finditer(text):
        frame = not module.name.startswith("Blocks-") and match[1].startswith(_FRAME) and not _is_component_table(module)
        if frame or match.start() in starts:
            yield match[1], [names[int(place)] for place in match[2].split(",") if place]


def _is_component_table(module: Path) -> bool:
    return module.name.startswith("core-")
