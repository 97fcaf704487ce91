"""The two locale files have the same keys and placeholders, every key that the code or a template uses, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import jinja2
import pytest
from jinja2 import nodes

from engine.tags import TAG_POSITIONS, TextNorm
from ui.text.texts import CHINESE, ENGLISH, read_locale

ROOT = Path(__file__).resolve().parents[3]
UI = ROOT / "ui"
EN, ZH = read_locale(ENGLISH), read_locale(CHINESE)
PRODUCT = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for part in ("engine", "models", "ui")
    for path in (ROOT / part).rglob("*")
    if path.suffix in {".py", ".html", ".js"}
}
SOURCES = {name: source for name, source in PRODUCT.items() if name.startswith("ui/") and not name.startswith("ui/examples/")}
#: What looks a key up.
LOOKUPS = {"texts", "label", "Texts"}
#: ``ui/text/failures.py`` finds these by their English words, which are the engine's.
BY_WORDS = "cause."
#: Gradio itself looks these up.
GRADIOS = "gradio."


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def python_key(node: ast.AST) -> list[str]:
    """The keys that an expression may stand for; ``*`` where a part is known only at run time."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(part.value if isinstance(part, ast.Constant) else "*" for part in node.values)]
    return [*python_key(node.body), *python_key(node.orelse)] if isinstance(node, ast.IfExp) else []


def template_key(node: nodes.Node | None) -> list[str]:
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, nodes.Concat):
        return ["".join((template_key(part) or ["*"])[0] for part in node.nodes)]
    return [*template_key(node.expr1), *template_key(node.expr2)] if isinstance(node, nodes.CondExpr) else []


def keys_in(name: str, source: str) -> Iterator[tuple[str, bool]]:
    """Every string of a source, and whether it is looked up as a key there."""
    if name.endswith(".py"):
        for node in ast.walk(ast.parse(source)):
            yield from ((key, False) for key in python_key(node))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in LOOKUPS and node.args:
                yield from ((key, True) for key in python_key(node.args[0]))
    elif name.endswith(".html"):
        tree = jinja2.Environment(autoescape=True).parse(source)
        for one in tree.find_all((nodes.Const, nodes.Concat, nodes.Call)):
            yield from ((key, False) for key in template_key(one))
            if isinstance(one, nodes.Call) and isinstance(one.node, nodes.Name) and one.node.name in LOOKUPS and one.args:
                yield from ((key, True) for key in template_key(one.args[0]))


def matching(key: str) -> set[str]:
    pattern = re.compile(re.escape(key).replace(r"\*", ".+"))
    return {known for known in EN if pattern.fullmatch(known)}


FOUND = {key: looked_up for name, source in SOURCES.items() for key, looked_up in sorted(set(keys_in(name, source)))}


def test_both_languages_have_the_same_keys() -> None:
    assert list(EN) == list(ZH)


@pytest.mark.parametrize("key", EN)
def test_a_text_has_the_same_placeholders_in_both_languages(key: str) -> None:
    assert EN[key].strip()
    assert ZH[key].strip()
    assert placeholders(EN[key]) == placeholders(ZH[key])


def test_every_key_that_is_looked_up_exists() -> None:
    looked_up = [key for name, source in SOURCES.items() for key, is_key in keys_in(name, source) if is_key and "." in key]
    assert len(looked_up) > 200
    assert [key for key in looked_up if not matching(key)] == []


def test_every_key_that_exists_is_used() -> None:
    families = [key for key in FOUND if "*" in key and re.match(r"[a-z]+\.", key)]
    used = {key for key in FOUND if key in EN}.union(*(matching(family) for family in families))
    assert [key for key in EN if key not in used and not key.startswith((BY_WORDS, GRADIOS))] == []


def test_the_last_part_of_a_key_that_is_composed_names_something_in_the_product() -> None:
    words = set(re.findall(r"[\w-]+", "\n".join(PRODUCT.values())))
    composed = [key for key in EN if key not in FOUND and not key.startswith((BY_WORDS, GRADIOS))]
    names = {key: key.rsplit(".", 1)[1].removesuffix("_info") for key in composed}
    assert [key for key, name in names.items() if not {name, name.split("_", 1)[-1]} & words] == []


def test_a_cause_is_worded_as_the_engine_words_it() -> None:
    engine = "\n".join(source for name, source in PRODUCT.items() if name.startswith("engine/"))
    assert [key for key, english in EN.items() if key.startswith(BY_WORDS) and english not in engine] == []


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("a.py", "texts('a.b')", {("a.b", True), ("a.b", False)}),
        ("a.py", "texts(f'a.{x}_info', y=1)", {("a.*_info", True), ("a.*_info", False)}),
        ("a.py", "label('a.b' if x else 'a.c')", {("a.b", True), ("a.c", True)}),
        ("a.py", "names = {'a.b': 1}", {("a.b", False)}),
        ("a.html", "{{ texts('a.b') }}", {("a.b", True)}),
        ("a.html", "{{ texts('a.' ~ x ~ '_info') }}", {("a.*_info", True)}),
        ("a.html", "{{ texts('a.b' if x else 'a.c', y=1) }}", {("a.b", True), ("a.c", True)}),
    ],
)
def test_a_key_is_found_in_code_and_template(name: str, source: str, found: set[tuple[str, bool]]) -> None:
    assert found <= set(keys_in(name, source))


def test_no_chinese_is_written_outside_the_locale_files() -> None:
    chinese = re.compile("[\u4e00-\u9fff]")
    # Beside the locales: languages' own names, the same for every reader.
    assert {name for name, source in SOURCES.items() if chinese.search(source)} == {
        "ui/widgets/recording_form.py",
        "ui/widgets/templates/settings.html",
        "ui/api/transcription_request.py",
    }


@pytest.mark.parametrize("tag", [tag.value for family in TAG_POSITIONS if family is not TextNorm for tag in family])
def test_every_tag_has_a_name(tag: str) -> None:
    assert f"tag.{tag}" in EN
