"""Editions of SenseVoice-Small: INT8 alone from either hub, completed by FP32 later, and files that are not the published ones refused."""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")
pytest.importorskip("modelscope_hub")

from engine.bundle import Bundle
from engine.bundle_roots import STARTER
from models.fetch.catalog import BPE_MODEL, CATALOG, CHECKPOINT_PINS, CatalogModel, Origin, Pin, Source, UnknownModelError, find_model
from models.fetch.fetch import downloads_folder, fetch
from models.fetch.wanted import ChecksumError, FetchError
from models.jobs.failure_kind import FailureKind, kind_of
from tests.models.fetch.hub_double import HubDouble, serve_hub

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own
FAMILY, BOTH = "sensevoice-small", [Source.HUGGINGFACE, Source.MODELSCOPE]


def repositories(origin: Origin) -> list:
    return [origin.asr, origin.vad, *origin.examples]


def contents(model: CatalogModel, *, first: bool = True) -> dict[str, dict[str, bytes]]:
    """Every repository of a model with made-up contents, and of each choice the first or the last."""
    rng = random.Random(1)
    files: dict[str, dict[str, bytes]] = {}
    for origin in model.origins.values():
        for repository in repositories(origin):
            names = [*repository.files, *(choice[0 if first else -1] for choice in repository.choices), *repository.optional]
            files.setdefault(repository.repo, {}).update({name: rng.randbytes(2000 if name.endswith(".onnx") else 200) for name in names})
    return files


def pinned_to(model: CatalogModel, files: dict[str, dict[str, bytes]]) -> CatalogModel:
    """A model that knows the made-up contents as it knows the published ones."""

    def repository(one):
        held = files[one.repo]
        return replace(
            one,
            pins={
                name: Pin(size_bytes=len(held[name]), sha256=hashlib.sha256(held[name]).hexdigest()) for name in one.pins if name in held
            },
        )

    origins = {source: replace(origin, asr=repository(origin.asr)) for source, origin in model.origins.items()}
    return replace(model, origins=origins)


@pytest.fixture
def hub(own_caches: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubDouble]:
    """Both hubs on loopback, with all editions."""
    files: dict[str, dict[str, bytes]] = {}
    for model in CATALOG.values():
        for repo, held in contents(model).items():
            files[repo] = held | files.get(repo, {})
    for name, model in list(CATALOG.items()):
        monkeypatch.setitem(CATALOG, name, pinned_to(model, files))  # type: ignore[arg-type]  # a dict, called Mapping
    with serve_hub(files) as double:
        monkeypatch.setenv("HF_ENDPOINT", double.url)
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", double.url)
        yield double


class Builder:
    """Stands for the import: notes what it was given, and writes the starter's bundle.json with the variants that an edition has."""

    def __init__(self, *variants: str) -> None:
        self.variants, self.given = variants, []

    def __call__(self, asr: Path, vad: Path, output: Path, name: str) -> Path:
        self.given.append((asr, vad, name))
        output.mkdir()
        fields = json.loads((STARTER / "bundle.json").read_text(encoding="utf-8"))
        fields |= {"name": name, "variants": {variant: fields["variants"][variant] for variant in self.variants}}
        (output / "bundle.json").write_text(json.dumps(fields), encoding="utf-8")
        for file in fields["files"]:
            (output / file).write_bytes(b"")
        return output


def run(tmp_path: Path, edition: str, source: Source | None = None, *, builder: Builder | None = None) -> Builder:
    builder = builder or Builder("int8")
    found = fetch(
        FAMILY,
        edition=edition,
        source=source,
        output=tmp_path / "bundles" / FAMILY,
        downloads=tmp_path / "downloads" / edition,
        build=builder,
    )
    assert found == tmp_path / "bundles" / FAMILY
    return builder


@pytest.mark.parametrize("source", BOTH)
def test_int8_alone_downloads_the_quantized_file_and_no_other(hub: HubDouble, tmp_path: Path, source: Source) -> None:
    ((asr, vad, name),) = run(tmp_path, "int8", source).given
    assert name == FAMILY
    asked = {path.rsplit("/", maxsplit=1)[-1] for method, path, _ in hub.asked if method == "GET"}
    graphs = {"model.int8.onnx", "tokens.txt"} if source is Source.HUGGINGFACE else {"model_quant.onnx", "tokens.json"}
    assert graphs <= asked and "model.pt" not in asked
    assert {path.name for path in vad.iterdir() if path.is_file()} >= {"model.onnx", "am.mvn", "config.yaml"}
    assert "model.onnx" not in {path.name for path in asr.iterdir()}
    assert {path.name for path in (tmp_path / "downloads").rglob("*.mp3")} == {"zh.mp3", "en.mp3", "yue.mp3", "ja.mp3", "ko.mp3"}


@pytest.mark.parametrize("source", BOTH)
def test_older_names_of_the_same_files_are_taken_too(hub: HubDouble, tmp_path: Path, source: Source) -> None:
    repo = find_model(FAMILY, edition="int8").origins[source].vad.repo
    for newer, older in (("am.mvn", "vad.mvn"), ("config.yaml", "vad.yaml")):
        hub.files[repo][older] = hub.files[repo].pop(newer)
    ((_, vad, _),) = run(tmp_path, "int8", source).given
    assert {"vad.mvn", "vad.yaml"} <= {path.name for path in vad.iterdir()}
    del hub.files[repo]["vad.yaml"]
    with pytest.raises(FetchError, match=r"has no config\.yaml or vad\.yaml any more"):
        fetch(FAMILY, edition="int8", source=source, output=tmp_path / "other", downloads=tmp_path / "fresh", build=Builder("int8"))


def test_without_the_examples_there_is_still_a_model(hub: HubDouble, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for repository in find_model(FAMILY, edition="int8").origins[Source.HUGGINGFACE].examples:
        hub.files.pop(repository.repo)
    with caplog.at_level("WARNING"):
        assert run(tmp_path, "int8", Source.HUGGINGFACE).given
    assert "without the recordings of the self-test" in caplog.text


def test_fp32_completes_a_bundle_that_came_in_int8_alone(hub: HubDouble, tmp_path: Path) -> None:
    run(tmp_path, "int8", Source.HUGGINGFACE)
    folder = tmp_path / "bundles" / FAMILY
    assert set(Bundle.load(folder, verify=False).variants) == {"int8"}
    run(tmp_path, "fp32", Source.HUGGINGFACE, builder=Builder("fp32", "int8"))
    assert set(Bundle.load(folder, verify=False).variants) == {"fp32", "int8"}
    assert [path.name for path in folder.parent.iterdir()] == [FAMILY]
    for edition in ("int8", "fp32"):
        with pytest.raises(FetchError, match="is there already"):
            run(tmp_path, edition, Source.HUGGINGFACE)


def test_a_failed_completion_leaves_the_bundle_as_it_was(hub: HubDouble, tmp_path: Path) -> None:
    run(tmp_path, "int8", Source.HUGGINGFACE)

    def failing(*_: object) -> Path:
        raise FetchError("no")

    with pytest.raises(FetchError, match="no"):
        run(tmp_path, "fp32", Source.HUGGINGFACE, builder=failing)  # type: ignore[arg-type]
    assert set(Bundle.load(tmp_path / "bundles" / FAMILY, verify=False).variants) == {"int8"}
    assert [path.name for path in (tmp_path / "bundles").iterdir()] == [FAMILY]


@pytest.mark.parametrize("source", BOTH)
def test_a_hub_that_states_another_file_than_the_published_one_is_refused(hub: HubDouble, tmp_path: Path, source: Source) -> None:
    repo = find_model(FAMILY, edition="fp32").origins[source].asr.repo
    hub.files[repo]["model.pt"] = random.Random(9).randbytes(len(hub.files[repo]["model.pt"]) + 2000)
    with pytest.raises(
        FetchError, match=r"its model\.pt of .* is not the published one .* and is refused; use the other --source"
    ) as error:
        run(tmp_path, "fp32", source)
    assert kind_of(error.value) is FailureKind.OTHER_FILE
    assert not [path for method, path, _ in hub.asked if method == "GET" and path.startswith(repo)]
    assert not (tmp_path / "bundles" / FAMILY).exists()


def test_the_other_hub_gives_what_a_refused_one_does_not(hub: HubDouble, tmp_path: Path) -> None:
    repo = find_model(FAMILY, edition="fp32").origins[Source.MODELSCOPE].asr.repo
    hub.wrong_sha256[f"{repo}/model.pt"] = "ab" * 32
    ((asr, _, _),) = run(tmp_path, "fp32", builder=Builder("fp32", "int8")).given
    assert "huggingface" in asr.parts


def test_a_file_without_a_stated_sum_is_compared_with_the_published_one(hub: HubDouble, tmp_path: Path) -> None:
    """Hugging Face states no sha256 of a small file."""
    repo = find_model(FAMILY, edition="fp32").origins[Source.HUGGINGFACE].asr.repo
    hub.files[repo][BPE_MODEL] = bytes(len(hub.files[repo][BPE_MODEL]))
    with pytest.raises(ChecksumError, match=r"has the sha256 .*; it was deleted, fetch again"):
        run(tmp_path, "fp32", Source.HUGGINGFACE)
    assert not list((tmp_path / "downloads").rglob(BPE_MODEL))


@pytest.fixture
def no_modelscope(monkeypatch: pytest.MonkeyPatch) -> None:
    """ModelScope's library is not installed."""
    for name in ("modelscope", "modelscope_hub"):
        for module in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setitem(sys.modules, f"{name}.errors", None)


@pytest.mark.usefixtures("no_modelscope")
def test_a_slim_install_without_modelscopes_library_asks_it_in_plain_http(hub: HubDouble, tmp_path: Path) -> None:
    repo = find_model(FAMILY, edition="int8").origins[Source.MODELSCOPE].asr.repo
    content = random.Random(4).randbytes(3_000_000)
    hub.files[repo]["model_quant.onnx"] = content
    hub.cut_after[f"{repo}/model_quant.onnx"] = 1_000_000
    ((asr, _, _),) = run(tmp_path, "int8", Source.MODELSCOPE).given
    assert "modelscope" in asr.parts and (asr / "model_quant.onnx").read_bytes() == content
    starts = [first for method, path, first in hub.asked if path == f"{repo}/model_quant.onnx"]
    assert starts == [0, 1_000_000]


@pytest.mark.usefixtures("no_modelscope")
@pytest.mark.parametrize(("status", "said"), [(403, "it refuses"), (404, "it has no"), (500, "answers HTTP 500")])
def test_in_plain_http_too_a_hub_that_says_no_is_named(hub: HubDouble, tmp_path: Path, status: int, said: str) -> None:
    hub.status = status
    with pytest.raises(FetchError, match=said):
        run(tmp_path, "int8", Source.MODELSCOPE)
    hub.status, hub.page = None, b"<html>please log in</html>"
    with pytest.raises(FetchError, match="cannot be had"):
        run(tmp_path, "int8", Source.MODELSCOPE)


@pytest.mark.usefixtures("no_modelscope")
def test_in_plain_http_too_another_file_is_refused_and_a_dead_host_named(
    hub: HubDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = find_model(FAMILY, edition="int8").origins[Source.MODELSCOPE].asr.repo
    hub.wrong_sha256[f"{repo}/model_quant.onnx"] = "ab" * 32
    with pytest.raises(ChecksumError, match="it was deleted, fetch again"):
        run(tmp_path, "int8", Source.MODELSCOPE)
    assert not list((tmp_path / "downloads").rglob("model_quant.onnx"))
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:9 .*cannot be had"):
        run(tmp_path / "other", "int8", Source.MODELSCOPE)


def test_editions_are_named_with_what_they_hold() -> None:
    assert find_model(FAMILY, edition="int8").title == "INT8 alone, 242 MB: for most people"
    assert next(iter(CATALOG.values())).edition == "int8"
    with pytest.raises(UnknownModelError, match=r"no edition 'int4' in the catalog; there are sensevoice-small --edition int8, .*fp32"):
        find_model(FAMILY, edition="int4")
    with pytest.raises(UnknownModelError):
        find_model("whisper", edition="int8")
    assert CHECKPOINT_PINS["model.pt"].size_bytes == 936_291_369 and CHECKPOINT_PINS[BPE_MODEL].size_bytes == 377_341
    assert all(len(pin.sha256) == 64 and pin.sha256 == pin.sha256.lower() for pin in CHECKPOINT_PINS.values())


def test_every_edition_keeps_its_own_downloads() -> None:
    assert len({downloads_folder(model.name) for model in CATALOG.values()}) == len(CATALOG)
