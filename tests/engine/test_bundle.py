"""bundle.json: read, verified, and refused with a name when something is off."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import engine.bundle as bundle_module
from engine.bundle import BrokenBundle, Bundle, find_bundles, resolve_bundle, survey_bundles
from engine.errors import BundleFileMissingError, BundleFormatError, BundleTamperedError, UnknownBundleError, UnknownPrecisionError
from engine.runtime.session_pool import open_session
from tests.tiny_graphs import write_manifest


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle that a test may damage."""
    return shutil.copytree(tiny_bundle, tmp_path / "copy")


def test_the_embedded_bundle_is_sound(starter_bundle: Path) -> None:
    bundle = Bundle.load(starter_bundle)
    assert (bundle.name, bundle.kind, set(bundle.variants)) == ("starter", "starter", {"fp32", "int8"})
    assert bundle.size_mb("int8") < bundle.size_mb("fp32")
    assert bundle.parameters["vad"] == pytest.approx(428_746, abs=16)  # FSMN-VAD's, whoever trained it
    with pytest.raises(UnknownPrecisionError, match="fp32, int8"):
        bundle.size_mb("int4")


def test_descriptions_come_in_the_pages_language(copy: Path) -> None:
    write_manifest(copy, descriptions={"zh": "小模型"})
    bundle = Bundle.load(copy)
    assert (bundle.described_in("zh"), bundle.described_in("en")) == ("小模型", bundle.description)


def test_who_writes_the_digits_is_the_model_unless_the_bundle_says_otherwise(copy: Path, starter_bundle: Path) -> None:
    assert Bundle.load(copy).itn == "model"
    assert Bundle.load(starter_bundle).itn == "library"


def test_a_changed_byte_is_found(copy: Path) -> None:
    content = bytearray((copy / "vad.int8.onnx").read_bytes())
    content[-1] ^= 1
    (copy / "vad.int8.onnx").write_bytes(content)
    with pytest.raises(BundleTamperedError, match=r"vad\.int8\.onnx.*sha256"):
        Bundle.load(copy)
    assert Bundle.load(copy, verify=False).name == "tiny"


def test_a_truncated_file_is_found(copy: Path) -> None:
    (copy / "tokens.txt").write_text("<blank> 0\n", encoding="utf-8")
    with pytest.raises(BundleTamperedError, match=r"tokens\.txt.*bytes"):
        Bundle.load(copy)


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "asr.mvn").unlink()
    with pytest.raises(BundleFileMissingError, match=r"asr\.mvn"):
        Bundle.load(copy)


def test_verified_once_is_not_read_again_until_it_changes(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Bundle.load(copy)
    bundle_module._sha256.cache_clear()
    monkeypatch.setattr(bundle_module, "sha256_of", lambda *_: pytest.fail("hashed again"))
    Bundle.load(copy)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(copy.parent / "cache"))
    content = (copy / "asr.mvn").read_bytes()
    (copy / "asr.mvn").write_bytes(content.replace(b"1.0", b"2.0", 1))
    with pytest.raises(BundleTamperedError):
        Bundle.load(copy)


def test_a_home_that_cannot_be_written_costs_one_hash_and_not_two(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "_remember", lambda *_: None)
    bundle = Bundle.load(copy)
    monkeypatch.setattr(bundle_module, "sha256_of", lambda *_: pytest.fail("hashed again"))
    bundle.verify_graph("asr.fp32.onnx")


def test_weights_that_change_between_loading_and_opening_are_found(copy: Path) -> None:
    bundle = Bundle.load(copy)
    graph = copy / "asr.fp32.onnx"
    content = bytearray(graph.read_bytes())
    content[-1] ^= 1
    graph.write_bytes(content)  # the same size; its time of change tells
    with pytest.raises(BundleTamperedError, match=r"asr\.fp32\.onnx.*sha256"):
        open_session(bundle, model="asr", precision="fp32", device="cpu", threads=1)
    graph.unlink()
    with pytest.raises(BundleFileMissingError, match=r"asr\.fp32\.onnx"):
        bundle.verify_graph("asr.fp32.onnx")


def test_weights_that_the_manifest_does_not_know_are_not_opened(copy: Path) -> None:
    bundle = Bundle.load(copy)
    (copy / "asr.fp32.onnx.data").write_bytes(b"smuggled in")
    with pytest.raises(BundleTamperedError, match=r"asr\.fp32\.onnx\.data.*unknown origin"):
        open_session(bundle, model="asr", precision="fp32", device="cpu", threads=1)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"format": 2}', "\udcff"])
def test_a_manifest_that_cannot_be_read_is_refused(copy: Path, content: str) -> None:
    (copy / "bundle.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(BundleFormatError, match=r"bundle\.json"):
        Bundle.load(copy)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"name": 7}, "name"),
        ({"descriptions": {"zh": 1}}, "descriptions"),
        ({"languages": []}, "languages"),
        ({"languages": "en"}, "languages"),
        ({"sample_rate": 8000}, "sample_rate"),
        ({"lfr": {"asr": {"m": 7, "n": 6}}}, "`vad`"),
        ({"lfr": {"asr": {"m": 0, "n": 6}, "vad": {"m": 5, "n": 1}}}, "lfr.asr"),
        ({"variants": {}}, "variants"),
        ({"variants": {"fp32": "asr"}}, "variants.fp32"),
        ({"variants": {"fp32": {"asr": "../asr.onnx", "vad": "vad.fp32.onnx"}}}, "plain file name"),
        ({"variants": {"fp32": {"asr": "lost.onnx", "vad": "vad.fp32.onnx"}}}, "not among its files"),
        ({"tokens": "/etc/passwd"}, "plain file name"),
        ({"language_odds": {"added": {"zh": 21}}}, "language_odds"),
        ({"language_odds": {"added": {"zh": 1}, "full_after_ms": 0}}, "full_after_ms"),
        ({"language_odds": {"added": {"xx": 1}}}, "'xx', for which the prompt has no row"),
        ({"itn": "perhaps"}, "itn"),
        ({"itn": ["library"]}, "itn"),
        ({"cmvn": {"asr": "asr.mvn"}}, "`vad`"),
        ({"prompt": {"language": {"auto": "0"}, "textnorm": {}}}, "prompt.language"),
        ({"vad": {"sil_pdf_ids": []}}, "sil_pdf_ids"),
        ({"files": {"../x": {"sha256": "", "bytes": 1}}}, "plain file name"),
        ({"files": {"x": {"sha256": 1}}}, "files.x"),
    ],
)
def test_a_wrong_field_is_named(copy: Path, changes: dict[str, Any], word: str) -> None:
    write_manifest(copy, **changes)
    with pytest.raises(BundleFormatError, match=word.replace(".", r"\.")):
        Bundle.load(copy)


def test_bundles_are_found_by_name_and_path(copy: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "bundle.json").write_text("{", encoding="utf-8")
    assert [bundle.name for bundle in find_bundles([tmp_path, tmp_path / "nowhere"])] == ["tiny"]
    assert resolve_bundle("tiny", [tmp_path]) == copy
    assert resolve_bundle(str(copy), []) == copy
    with pytest.raises(UnknownBundleError, match="one of tiny"):
        resolve_bundle("lost", [tmp_path])
    with pytest.raises(BundleFileMissingError, match=r"bundle\.json"):
        resolve_bundle(str(tmp_path), [])


def test_a_survey_lists_what_is_broken_with_its_reason(copy: Path, tmp_path: Path) -> None:
    for name in ("torn", "short", "lost"):
        shutil.copytree(copy, tmp_path / name)
    (tmp_path / "torn" / "bundle.json").write_text("{", encoding="utf-8")
    with (tmp_path / "short" / "asr.int8.onnx").open("r+b") as graph:
        graph.truncate(100)
    (tmp_path / "lost" / "tokens.txt").unlink()
    (tmp_path / "no bundle").mkdir()
    found = survey_bundles([copy, tmp_path, tmp_path / "nowhere"])
    assert [entry.folder.name for entry in found] == ["copy", "lost", "short", "torn"]
    reasons = {entry.folder.name: entry.reason for entry in found if isinstance(entry, BrokenBundle)}
    assert set(reasons) == {"lost", "short", "torn"}
    assert "lacks" in reasons["lost"] and "tokens.txt" in reasons["lost"]
    assert "100 bytes" in reasons["short"]
    assert "not readable JSON" in reasons["torn"]


def test_recipes_are_read(copy: Path) -> None:
    write_manifest(copy, recipes={"int8": {"recipe": "dynamic"}})
    assert Bundle.load(copy).recipes == {"int8": {"recipe": "dynamic"}}


def test_every_field_of_the_manifest_is_json(starter_bundle: Path) -> None:
    assert json.loads((starter_bundle / "bundle.json").read_text(encoding="utf-8"))["format"] == 1
