"""A folder of weights → Bundle: ``bundle.json`` read, checked and verified against its sha256 sums.

Verification reads every byte once per installed file: the result is remembered beside the user's cache by size,
modification time and inode, so that a gigabyte is not hashed again at every start.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import (
    BundleError,
    BundleFileMissingError,
    BundleFormatError,
    BundleTamperedError,
    UnknownBundleError,
    UnknownPrecisionError,
)
from engine.files.cache_folder import cache_folder
from engine.files.content import sha256_of
from engine.files.sizes import BYTES_PER_MB

MANIFEST = "bundle.json"
FORMAT = 1
SAMPLE_RATE_HZ = 16_000
#: Who writes numbers as digits when that is asked for: the model itself, or :mod:`engine.speech.itn.itn` after it.
ITN_BY_MODEL, ITN_BY_LIBRARY = "model", "library"


@dataclass(frozen=True)
class VariantFiles:
    """The graphs of one precision, by file name."""

    asr: str
    vad: str


@dataclass(frozen=True)
class Lfr:
    """Low frame rate stacking of one model."""

    m: int
    n: int


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Everything one model family needs, in one folder."""

    folder: Path
    name: str
    kind: str
    version: str
    title: str
    description: str
    descriptions: Mapping[str, str]
    source: str
    licence: str
    languages: tuple[str, ...]
    lfr: Mapping[str, Lfr]
    language_rows: Mapping[str, int]
    textnorm_rows: Mapping[str, int]
    itn: str
    variants: Mapping[str, VariantFiles]
    tokens: str
    cmvn: Mapping[str, str]
    silence_ids: tuple[int, ...]
    parameters: Mapping[str, int]
    metrics: Mapping[str, Any]
    recipes: Mapping[str, Any]
    file_bytes: Mapping[str, int]
    file_sha256: Mapping[str, str]

    @classmethod
    def load(cls, folder: str | Path, *, verify: bool = True) -> Bundle:
        """Read a bundle; with ``verify`` every file must have the size and sha256 that bundle.json states."""
        folder = Path(folder)
        manifest = folder / MANIFEST
        fields = _Fields(manifest, _read_json(manifest))
        fields.expect_format()
        files = fields.files()
        bundle = _build(cls, folder, fields, files)
        for name, entry in files.items():
            path = folder / name
            if not path.is_file():
                raise BundleFileMissingError(path=path)
            if verify:
                _verify(path, expected_bytes=entry["bytes"], expected_sha256=entry["sha256"])
        return bundle

    @classmethod
    def elsewhere(cls, values: Any, *, at: str) -> Bundle:
        """A bundle whose files lie on other machines: what its bundle.json says; BundleFormatError as :meth:`load`."""
        fields = _Fields(Path(at) / MANIFEST, values)
        fields.expect_format()
        return _build(cls, Path(at), fields, fields.files())

    def verify_graph(self, name: str) -> None:
        """Verify a graph and its external weights again, as they are opened: BundleTamperedError for files that changed since, or that
        bundle.json does not know. Costs a look at each file while size, times and inode are those that were verified.
        """
        weights = f"{name}.data"
        for one in (name, weights) if weights in self.file_sha256 or self.path(weights).exists() else (name,):
            if one not in self.file_sha256:
                raise BundleTamperedError(path=self.path(one), expected="no such file", got="a file of unknown origin")
            if not self.path(one).is_file():
                raise BundleFileMissingError(path=self.path(one))
            _verify(self.path(one), expected_bytes=self.file_bytes[one], expected_sha256=self.file_sha256[one])

    def path(self, name: str) -> Path:
        """The full path of one of the bundle's files."""
        return self.folder / name

    def variant(self, precision: str) -> VariantFiles:
        """The graphs of a precision; UnknownPrecisionError if the bundle has no such variant."""
        if precision not in self.variants:
            raise UnknownPrecisionError.of(precision, self.variants)
        return self.variants[precision]

    def described_in(self, language: str) -> str:
        """The description in a page language ("en", "zh") where the bundle has one, else its only one."""
        return self.descriptions.get(language, self.description)

    def size_mb(self, precision: str) -> float:
        """Megabytes on disk of one precision's graphs, external weights included."""
        files = self.variant(precision)
        names = {name for graph in (files.asr, files.vad) for name in (graph, f"{graph}.data")}
        return sum(self.file_bytes.get(name, 0) for name in names) / BYTES_PER_MB

    @property
    def manifest_sha256(self) -> str:
        """The sha256 of bundle.json, which states the sums of all other files: one exact bundle."""
        return sha256_of(self.path(MANIFEST))

    @property
    def tokens_path(self) -> Path:
        """Where the vocabulary lies."""
        return self.path(self.tokens)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleFileMissingError(path=path) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BundleFormatError(path=path, reason=f"it is not readable JSON ({type(error).__name__})") from error


class _Fields:
    """Typed access to bundle.json; every complaint names the field."""

    def __init__(self, path: Path, values: Any) -> None:
        self.path = path
        if not isinstance(values, dict):
            raise BundleFormatError(path=path, reason="it is not a JSON object")
        self.values: dict[str, Any] = values

    def fail(self, name: str, wanted: str) -> BundleFormatError:
        return BundleFormatError(path=self.path, reason=f"field {name!r} is missing or not {wanted}")

    def expect_format(self) -> None:
        if self.values.get("format") != FORMAT:
            raise BundleFormatError(
                path=self.path, reason=f"format {self.values.get('format')!r} is not {FORMAT}, the one this version reads"
            )

    def text(self, name: str, default: str | None = None) -> str:
        value = self.values.get(name, default)
        if not isinstance(value, str):
            raise self.fail(name, "text")
        return value

    def choice(self, name: str, known: tuple[str, ...]) -> str:
        """One of the known words; the first where the field is not there."""
        value = self.values.get(name, known[0])
        if value not in known:
            raise self.fail(name, " or ".join(known))
        return str(value)

    def table(self, name: str, default: dict[str, Any] | None = None) -> dict[str, Any]:
        value = self.values.get(name, default)
        if not isinstance(value, dict):
            raise self.fail(name, "an object")
        return value

    def texts(self, name: str) -> dict[str, str]:
        values = self.table(name, {})
        if not all(isinstance(value, str) for value in values.values()):
            raise self.fail(name, "an object of texts")
        return values

    def numbers(self, name: str, values: Any) -> dict[str, int]:
        if not isinstance(values, dict) or not all(isinstance(value, int) and not isinstance(value, bool) for value in values.values()):
            raise self.fail(name, "an object of whole numbers")
        return dict(values)

    def file_name(self, name: str, value: Any) -> str:
        if not isinstance(value, str) or not value or value in (".", "..") or Path(value).name != value or "\\" in value or "\0" in value:
            raise BundleFormatError(path=self.path, reason=f"field {name!r} names {value!r}, which is not a plain file name")
        return value

    def files(self) -> dict[str, dict[str, Any]]:
        entries = self.table("files")
        for name, entry in entries.items():
            self.file_name("files", name)
            sound = isinstance(entry, dict) and isinstance(entry.get("sha256"), str) and isinstance(entry.get("bytes"), int)
            if not sound:
                raise self.fail(f"files.{name}", "an object with sha256 and bytes")
        return entries

    def languages(self) -> tuple[str, ...]:
        value = self.values.get("languages")
        if not isinstance(value, list) or not value or not all(isinstance(entry, str) for entry in value):
            raise self.fail("languages", "a list of language codes")
        return tuple(value)


def _lfr(fields: _Fields, model: str) -> Lfr:
    numbers = fields.numbers(f"lfr.{model}", fields.table("lfr").get(model))
    if numbers.get("m", 0) < 1 or numbers.get("n", 0) < 1:
        raise fields.fail(f"lfr.{model}", "m and n of at least 1")
    return Lfr(m=numbers["m"], n=numbers["n"])


def _variants(fields: _Fields, files: Mapping[str, Any]) -> dict[str, VariantFiles]:
    variants = {}
    for name, entry in fields.table("variants").items():
        if not isinstance(entry, dict):
            raise fields.fail(f"variants.{name}", "an object with asr and vad")
        graphs = [fields.file_name(f"variants.{name}.{model}", entry.get(model)) for model in ("asr", "vad")]
        for graph in graphs:
            if graph not in files:
                raise BundleFormatError(path=fields.path, reason=f"variant {name!r} uses {graph}, which is not among its files")
        variants[name] = VariantFiles(*graphs)
    if not variants:
        raise fields.fail("variants", "at least one precision")
    return variants


def _build(cls: type[Bundle], folder: Path, fields: _Fields, files: Mapping[str, Any]) -> Bundle:
    if fields.values.get("sample_rate") != SAMPLE_RATE_HZ:
        raise fields.fail("sample_rate", str(SAMPLE_RATE_HZ))
    prompt = fields.table("prompt")
    vad = fields.table("vad", {})
    silence = vad.get("sil_pdf_ids", [0])
    if not isinstance(silence, list) or not silence or not all(isinstance(entry, int) for entry in silence):
        raise fields.fail("vad.sil_pdf_ids", "a list of whole numbers")
    cmvn = fields.table("cmvn")
    bundle = cls(
        folder=folder,
        name=fields.text("name"),
        kind=fields.text("kind"),
        version=fields.text("version", ""),
        title=fields.text("title", fields.text("name")),
        description=fields.text("description", ""),
        descriptions=fields.texts("descriptions"),
        source=fields.text("source", ""),
        licence=fields.text("licence", ""),
        languages=fields.languages(),
        lfr={model: _lfr(fields, model) for model in ("asr", "vad")},
        language_rows=fields.numbers("prompt.language", prompt.get("language")),
        textnorm_rows=fields.numbers("prompt.textnorm", prompt.get("textnorm")),
        itn=fields.choice("itn", (ITN_BY_MODEL, ITN_BY_LIBRARY)),
        variants=_variants(fields, files),
        tokens=fields.file_name("tokens", fields.values.get("tokens")),
        cmvn={model: fields.file_name(f"cmvn.{model}", cmvn.get(model)) for model in ("asr", "vad")},
        silence_ids=tuple(silence),
        parameters=fields.numbers("parameters", fields.table("parameters", {})),
        metrics=fields.table("metrics", {}),
        recipes=fields.table("recipes", {}),
        file_bytes={name: entry["bytes"] for name, entry in files.items()},
        file_sha256={name: entry["sha256"] for name, entry in files.items()},
    )
    for name in (bundle.tokens, *bundle.cmvn.values()):
        if name not in files:
            raise BundleFormatError(path=fields.path, reason=f"{name} is used but not among its files")
    return bundle


def _cache_file() -> Path:
    return cache_folder() / "verified.json"


def _expect_bytes(path: Path, expected: int) -> os.stat_result:
    status = path.stat()
    if status.st_size != expected:
        raise BundleTamperedError(path=path, expected=f"{expected} bytes", got=f"{status.st_size} bytes")
    return status


def _verify(path: Path, *, expected_bytes: int, expected_sha256: str) -> None:
    status = _expect_bytes(path, expected_bytes)
    resolved = path.resolve()
    key = f"{resolved}|{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}|{status.st_ino}"
    cache = _cache_file()
    known = _known(cache)
    if known.get(key) == expected_sha256:
        return
    digest = _sha256(resolved, key)
    if digest != expected_sha256:
        raise BundleTamperedError(path=path, expected=f"sha256 {expected_sha256[:12]}…", got=f"{digest[:12]}…")
    _remember(cache, known | {key: digest})


@functools.lru_cache(maxsize=256)
def _sha256(path: Path, key: str) -> str:
    """The digest of a file; ``key`` changes with the file. Remembered in the process too: a container's home may be read-only."""
    del key
    return sha256_of(path)


def _known(cache: Path) -> dict[str, str]:
    try:
        values = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # no cache, or a damaged one: everything is hashed again
    return values if isinstance(values, dict) else {}


def _remember(cache: Path, values: Mapping[str, str]) -> None:
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        partial = cache.with_name(f"{cache.name}.{os.getpid()}")
        partial.write_text(json.dumps(dict(list(values.items())[-500:])), encoding="utf-8")
        partial.replace(cache)
    except OSError:
        return  # a read-only home costs a hash per start, nothing more


@dataclass(frozen=True, kw_only=True)
class BrokenBundle:
    """A folder with a ``bundle.json`` that cannot be opened, and why."""

    folder: Path
    reason: str


def survey_bundles(roots: Iterable[Path]) -> tuple[Bundle | BrokenBundle, ...]:
    """What is installed in ``roots`` (each a bundle itself or a folder of bundles): sizes are compared, sha256 is not."""
    found: dict[Path, Bundle | BrokenBundle] = {}
    for folder in _installed(roots):
        try:
            bundle = Bundle.load(folder, verify=False)
            for name, expected in bundle.file_bytes.items():
                _expect_bytes(bundle.path(name), expected)
            found[folder] = bundle
        except (BundleError, OSError) as error:
            found[folder] = BrokenBundle(folder=folder, reason=str(error))
    return tuple(found.values())


def find_bundles(roots: Iterable[Path]) -> tuple[Bundle, ...]:
    """The bundles in ``roots`` (each a bundle itself or a folder of bundles), unverified; broken ones are left out."""
    found = []
    for folder in _installed(roots):
        try:
            found.append(Bundle.load(folder, verify=False))
        except (BundleFormatError, BundleFileMissingError):
            continue  # listed by nobody, but opening it by path says what is wrong
    return tuple(found)


def _installed(roots: Iterable[Path]) -> list[Path]:
    """The folders with a bundle.json in ``roots``, in order, each once."""
    found: dict[Path, Path] = {}
    for root in roots:
        candidates = [root, *sorted(root.iterdir())] if root.is_dir() else []
        for folder in candidates:
            if (folder / MANIFEST).is_file():
                found.setdefault(folder.resolve(), folder)
    return list(found.values())


def resolve_bundle(name_or_path: str, roots: Iterable[Path]) -> Path:
    """The folder of a bundle named on the command line or the page; UnknownBundleError lists what is installed."""
    folder = Path(name_or_path)
    if (folder / MANIFEST).is_file():
        return folder
    bundles = find_bundles(roots)
    for bundle in bundles:
        if bundle.name == name_or_path:
            return bundle.folder
    if folder.is_dir():
        raise BundleFileMissingError(path=folder / MANIFEST)
    raise UnknownBundleError(bundle=name_or_path, known=[bundle.name for bundle in bundles])
