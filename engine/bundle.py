"""A folder of weights → Bundle: ``bundle.json`` read, checked and verified against its sha256 sums.

Verification reads every byte once per installed file: the result is remembered beside the user's cache by size,
modification time and inode, so that a gigabyte is not hashed again at every start.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

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
from engine.files.typed_values import typed

MANIFEST = "bundle.json"
FORMAT = 1
SAMPLE_RATE_HZ = 16_000
#: Who writes numbers as digits when that is asked for: the model itself, or :mod:`engine.speech.itn.itn` after it.
ITN_BY_MODEL: Final = "model"
ITN_BY_LIBRARY: Final = "library"

Positive = Annotated[int, msgspec.Meta(ge=1)]
LogOdds = Annotated[float, msgspec.Meta(ge=-20, le=20)]


class ModelFiles(msgspec.Struct, frozen=True):
    """A file name for each of the two models: the graphs of one precision, or the CMVN files."""

    asr: str
    vad: str


class Lfr(msgspec.Struct, frozen=True):
    """Low frame rate stacking of one model."""

    m: Positive
    n: Positive


class LfrOfModels(msgspec.Struct, frozen=True):
    """The stacking of each of the two models."""

    asr: Lfr
    vad: Lfr


class Prompt(msgspec.Struct, frozen=True):
    """Rows of the prompt table by language and by text norm."""

    language: dict[str, int]
    textnorm: dict[str, int]


class VadSettings(msgspec.Struct, frozen=True):
    """Which units of the VAD graph are silence."""

    sil_pdf_ids: Annotated[tuple[int, ...], msgspec.Meta(min_length=1)] = (0,)


class LanguageModelFile(msgspec.Struct, frozen=True):
    """A language model that every segment is decoded with, and how: see :mod:`engine.speech.decoding.language_model_scorer`."""

    file: str
    #: How much its log-probabilities count, and what is added for each unit.
    weight: Annotated[float, msgspec.Meta(gt=0)]
    unit_bonus: float
    #: Readings that the search keeps.
    beam: Positive


class LanguageOdds(msgspec.Struct, frozen=True):
    """By how much the tags of languages are raised that the training heard little of: see :class:`engine.speech.recognizer.Recognizer`."""

    #: What is added to a language's log-odds, by language.
    added: dict[str, LogOdds] = {}
    #: How long a segment must be for all of it; a shorter one gets as much less as it is shorter.
    full_after_ms: Positive = 1


class FileEntry(msgspec.Struct, frozen=True):
    """What a file of the bundle must be."""

    sha256: str
    bytes: int


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one model family needs, in one folder: the fields of ``bundle.json``, and where it lies."""

    folder: Path
    name: str
    kind: str
    version: str = ""
    title: str = ""
    description: str = ""
    descriptions: dict[str, str] = {}
    source: str = ""
    licence: str = ""
    #: "random" where nobody trained them.
    weights: str = "trained"
    languages: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    sample_rate: Literal[16_000]
    lfr: LfrOfModels
    prompt: Prompt
    itn: Literal["model", "library"] = ITN_BY_MODEL
    variants: Annotated[dict[str, ModelFiles], msgspec.Meta(min_length=1)]
    tokens: str
    cmvn: ModelFiles
    language_model: LanguageModelFile | None = None
    language_odds: LanguageOdds = LanguageOdds()
    vad: VadSettings = VadSettings()
    parameters: dict[str, int] = {}
    metrics: dict[str, Any] = {}
    recipes: dict[str, Any] = {}
    #: sha256 sums of the recordings that calibrated or tuned a variant, by purpose.
    used_recordings: dict[str, list[str]] = {}
    files: dict[str, FileEntry]

    def __post_init__(self) -> None:
        """Every name is that of a file in the folder, and ``files`` lists every file that is used."""
        if not self.title:
            msgspec.structs.force_setattr(self, "title", self.name)
        graphs = [name for files in self.variants.values() for name in (files.asr, files.vad)]
        used = [self.tokens, self.cmvn.asr, self.cmvn.vad, *graphs, *([self.language_model.file] if self.language_model else [])]
        for name in (*self.files, *used):
            if name in ("", ".", "..") or Path(name).name != name or "\\" in name or "\0" in name:
                raise ValueError(f"it names {name!r}, which is not a plain file name")
        if unknown := sorted(set(self.language_odds.added) - set(self.prompt.language)):
            raise ValueError(f"language_odds names {unknown[0]!r}, for which the prompt has no row")
        lost = [name for name in used if name not in self.files]
        if lost:
            raise ValueError(f"{lost[0]} is used but not among its files")

    @classmethod
    def load(cls, folder: str | Path, *, verify: bool = True) -> Bundle:
        """Read a bundle; with ``verify`` every file must have the size and sha256 that bundle.json states."""
        folder = Path(folder)
        bundle = cls._of(_read_json(folder / MANIFEST), folder)
        for name in bundle.files:
            if not bundle.path(name).is_file():
                raise BundleFileMissingError(path=bundle.path(name))
            if verify:
                bundle.verify(name)
        return bundle

    @classmethod
    def elsewhere(cls, values: Any, *, at: str) -> Bundle:
        """A bundle whose files lie on other machines: what its bundle.json says; BundleFormatError as :meth:`load`."""
        return cls._of(values, Path(at))

    @classmethod
    def _of(cls, values: Any, folder: Path) -> Bundle:
        path = folder / MANIFEST
        if not isinstance(values, dict):
            raise BundleFormatError(path=path, reason="it is not a JSON object")
        if values.get("format") != FORMAT:
            raise BundleFormatError(path=path, reason=f"format {values.get('format')!r} is not {FORMAT}, the one this version reads")
        try:
            return typed({**values, "folder": folder}, cls)
        except ValueError as error:
            raise BundleFormatError(path=path, reason=str(error)) from error

    @property
    def language_rows(self) -> Mapping[str, int]:
        """The row of the prompt table for each language."""
        return self.prompt.language

    @property
    def textnorm_rows(self) -> Mapping[str, int]:
        """The row of the prompt table for each text norm."""
        return self.prompt.textnorm

    @property
    def silence_ids(self) -> tuple[int, ...]:
        """The units of the VAD graph that are silence."""
        return self.vad.sil_pdf_ids

    @property
    def is_random(self) -> bool:
        """Whether nobody trained its weights."""
        return self.weights == "random"

    def verify_graph(self, name: str) -> None:
        """Verify a graph and its external weights again, as they are opened: BundleTamperedError for files that changed since, or that
        bundle.json does not know. Costs a look at each file while size, times and inode are those that were verified.
        """
        weights = f"{name}.data"
        for one in (name, weights) if weights in self.files or self.path(weights).exists() else (name,):
            if one not in self.files:
                raise BundleTamperedError(path=self.path(one), expected="no such file", got="a file of unknown origin")
            if not self.path(one).is_file():
                raise BundleFileMissingError(path=self.path(one))
            self.verify(one)

    def verify(self, name: str) -> None:
        """BundleTamperedError unless a file has the size and sha256 that bundle.json states."""
        path, entry = self.path(name), self.files[name]
        status = _expect_bytes(path, entry.bytes)
        resolved = path.resolve()
        key = f"{resolved}|{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}|{status.st_ino}"
        cache = _cache_file()
        known = _known(cache)
        if known.get(key) == entry.sha256:
            return
        digest = _sha256(resolved, key)
        if digest != entry.sha256:
            raise BundleTamperedError(path=path, expected=f"sha256 {entry.sha256[:12]}…", got=f"{digest[:12]}…")
        _remember(cache, known | {key: digest})

    def path(self, name: str) -> Path:
        """The full path of one of the bundle's files."""
        return self.folder / name

    def variant(self, precision: str) -> ModelFiles:
        """The graphs of a precision; UnknownPrecisionError if the bundle has no such variant."""
        if precision not in self.variants:
            raise UnknownPrecisionError.of(precision, self.variants)
        return self.variants[precision]

    def described_in(self, language: str) -> str:
        """The description in a page language ("en", "zh") where the bundle has one, else its only one."""
        return self.descriptions.get(language, self.description)

    def size_mb(self, precision: str) -> float:
        """Megabytes on disk of one precision's graphs, external weights included."""
        return sum(self.sizes(precision).values()) / BYTES_PER_MB

    def sizes(self, precision: str) -> dict[str, int]:
        """Bytes of one precision's graphs and of their external weights, by file name."""
        graphs = self.variant(precision)
        names = [name for graph in (graphs.asr, graphs.vad) for name in (graph, f"{graph}.data")]
        return {name: self.files[name].bytes for name in names if name in self.files}

    def precisions_for(self, device: str) -> list[str]:
        """The variants that are meant for a device: FP16 is slow on a CPU, INT8 on a GPU."""
        unsuited = "int8" if device == "cuda" else "fp16"
        return [name for name in self.variants if not name.startswith(unsuited)]

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
        return msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        raise BundleFileMissingError(path=path) from None
    except (OSError, UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise BundleFormatError(path=path, reason=f"it is not readable JSON ({type(error).__name__})") from error


def _cache_file() -> Path:
    return cache_folder() / "verified.json"


def _expect_bytes(path: Path, expected: int) -> os.stat_result:
    status = path.stat()
    if status.st_size != expected:
        raise BundleTamperedError(path=path, expected=f"{expected} bytes", got=f"{status.st_size} bytes")
    return status


@functools.lru_cache(maxsize=256)
def _sha256(path: Path, key: str) -> str:
    """The digest of a file; ``key`` changes with the file. Remembered in the process too: a container's home may be read-only."""
    del key
    return sha256_of(path)


def _known(cache: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(cache.read_bytes(), type=dict[str, str])
    except (OSError, UnicodeDecodeError, msgspec.DecodeError):
        return {}  # no cache, or a damaged one: everything is hashed again


def _remember(cache: Path, values: Mapping[str, str]) -> None:
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        partial = cache.with_name(f"{cache.name}.{os.getpid()}")
        partial.write_bytes(msgspec.json.encode(dict(list(values.items())[-500:])))
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
            for name, entry in bundle.files.items():
                _expect_bytes(bundle.path(name), entry.bytes)
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
