"""Fetching from hub doubles through the hubs' own libraries: whole, resumed, checked, refused, offline; and never half a file."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")
pytest.importorskip("modelscope_hub")

from models.bundle.disk import DiskFullError
from models.fetch.byte_progress import Progress
from models.fetch.catalog import CATALOG, Source, UnknownModelError, UnknownSourceError
from models.fetch.fetch import downloads_folder, fetch
from models.fetch.hubs import ModelScope
from models.fetch.wanted import ChecksumError, FetchError
from tests.models.fetch.hub_double import HubDouble, serve_hub

NAME = "sensevoice-small"
BOTH = [Source.HUGGINGFACE, Source.MODELSCOPE]
BIG_BYTES = 23_000_000  # Hugging Face's library writes blocks of 10 MB, and resumes behind the last one

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own


def contents() -> dict[str, dict[str, bytes]]:
    """Every repository of the model with made-up contents, without one of the optional ones."""
    rng = random.Random(1)
    files: dict[str, dict[str, bytes]] = {}
    for origin in CATALOG[NAME].origins.values():
        for repository in (origin.asr, origin.vad):
            names = [*repository.files, *repository.optional[1:]]
            files[repository.repo] = {name: rng.randbytes(3000 if name == "model.pt" else 200) for name in names}
    return files


@pytest.fixture
def hub(own_caches: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubDouble]:
    """Both hubs on loopback, with a model that no hash is known of (test_editions.py has those)."""
    model = CATALOG[NAME]
    origins = {source: replace(origin, asr=replace(origin.asr, pins={})) for source, origin in model.origins.items()}
    monkeypatch.setitem(CATALOG, NAME, replace(model, origins=origins))  # type: ignore[arg-type]  # a dict, called Mapping
    # ModelScope's client tries again after 1, 2 and 4 s.
    monkeypatch.setattr("modelscope_hub._legacy_api.REPO_TREE_PAGE_RETRY_MAX_DELAY_SECONDS", 0)
    monkeypatch.setattr("modelscope_hub._download.DOWNLOAD_INTEGRITY_RETRY_BACKOFF", 0)
    with serve_hub(contents()) as double:
        monkeypatch.setenv("HF_ENDPOINT", double.url)
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", double.url)
        yield double


class Builder:
    """Stands for the export: notes what it was given, and writes a bundle."""

    def __init__(self) -> None:
        self.given: list[tuple[Path, Path, str]] = []

    def __call__(self, asr: Path, vad: Path, output: Path, name: str) -> Path:
        self.given.append((asr, vad, name))
        output.mkdir(parents=True)
        return output


def run(tmp_path: Path, source: str | None = None, **options: object) -> tuple[Path, Builder]:
    builder = Builder()
    bundle = fetch(NAME, source=source, output=tmp_path / "bundle", downloads=tmp_path / "downloads", build=builder, **options)  # type: ignore[arg-type]
    return bundle, builder


@pytest.mark.parametrize("source", BOTH)
def test_every_file_arrives_as_it_is(hub: HubDouble, tmp_path: Path, source: Source) -> None:
    told: list[tuple[float | None, str, float | None]] = []
    bundle, builder = run(tmp_path, source, progress=lambda *said: told.append(said))
    assert bundle == tmp_path / "bundle"
    ((asr, vad, name),) = builder.given
    assert name == NAME
    origin = CATALOG[NAME].origins[source]
    for folder, repository in ((asr, origin.asr), (vad, origin.vad)):
        held = hub.files[repository.repo]
        assert {file: (folder / file).read_bytes() for file in held} == held
    shares = [share for share, _, _ in told if share is not None]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert any("MB/s" in text for _, text, _ in told)


@pytest.mark.parametrize("source", BOTH)
def test_what_was_cut_is_resumed(hub: HubDouble, tmp_path: Path, source: Source) -> None:
    repository = CATALOG[NAME].origins[source].asr
    path = f"{repository.repo}/model.pt"
    hub.files[repository.repo]["model.pt"] = random.Random(2).randbytes(BIG_BYTES)
    hub.cut_after[path] = 21_000_000
    _, builder = run(tmp_path, source)
    starts = [first for method, asked, first in hub.asked if asked == path and method == "GET"]
    assert starts[0] == 0 and starts[-1] >= 20_000_000, starts
    got = hashlib.sha256((builder.given[0][0] / "model.pt").read_bytes()).hexdigest()
    assert got == hashlib.sha256(hub.files[repository.repo]["model.pt"]).hexdigest()


@pytest.mark.parametrize("source", BOTH)
def test_a_second_fetch_downloads_nothing(hub: HubDouble, tmp_path: Path, source: Source) -> None:
    run(tmp_path, source)
    shutil.rmtree(tmp_path / "bundle")
    before = len(hub.requests)
    _, builder = run(tmp_path, source)
    assert len(hub.requests) == before
    assert builder.given


@pytest.mark.parametrize("source", BOTH)
def test_a_damaged_download_is_fetched_again(hub: HubDouble, tmp_path: Path, source: Source) -> None:
    _, builder = run(tmp_path, source)
    shutil.rmtree(tmp_path / "bundle")
    broken = builder.given[0][0] / "model.pt"
    broken.write_bytes(broken.read_bytes()[:100])
    run(tmp_path, source)
    assert broken.read_bytes() == hub.files[CATALOG[NAME].origins[source].asr.repo]["model.pt"]


@pytest.mark.parametrize("source", BOTH)
def test_another_sha256_is_refused_and_the_file_deleted(hub: HubDouble, tmp_path: Path, source: Source) -> None:
    repository = CATALOG[NAME].origins[source].asr
    hub.wrong_sha256[f"{repository.repo}/model.pt"] = "ab" * 32
    with pytest.raises((ChecksumError, FetchError), match=r"sha256.*deleted, fetch again"):
        run(tmp_path, source)
    assert not list((tmp_path / "downloads").rglob("model.pt"))
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("source", BOTH)
@pytest.mark.parametrize(("status", "said"), [(403, "refuses"), (404, "has no"), (500, "HTTP 500|cannot be had")])
def test_a_hub_that_says_no_is_named_with_what_helps(hub: HubDouble, tmp_path: Path, source: Source, status: int, said: str) -> None:
    hub.status = status
    with pytest.raises(FetchError, match=said) as error:
        run(tmp_path, source)
    text = str(error.value)
    for word in (hub.url.removeprefix("http://"), "HF_ENDPOINT", "--source", "import FILE", "starter"):
        assert word in text
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("source", BOTH)
def test_a_hub_that_cannot_be_reached_is_named(hub: HubDouble, tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HF_ENDPOINT", "MODELSCOPE_ENDPOINT"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:9.*starter"):
        run(tmp_path, source)


def test_the_other_hub_is_asked_where_the_first_fails(hub: HubDouble, tmp_path: Path) -> None:
    for repository in (CATALOG[NAME].origins[Source.MODELSCOPE].asr, CATALOG[NAME].origins[Source.MODELSCOPE].vad):
        hub.files.pop(repository.repo)
    _, builder = run(tmp_path)
    assert "huggingface" in builder.given[0][0].parts


def test_a_file_that_the_hub_no_longer_has_is_named(hub: HubDouble, tmp_path: Path) -> None:
    del hub.files[CATALOG[NAME].origins[Source.HUGGINGFACE].asr.repo]["am.mvn"]
    with pytest.raises(FetchError, match=r"has no am\.mvn any more"):
        run(tmp_path, Source.HUGGINGFACE)


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "LIGHTVOICE_OFFLINE"])
def test_offline_is_said_at_once(hub: HubDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(FetchError, match=f"{variable} forbids the network"):
        run(tmp_path)
    assert hub.requests == []


def test_offline_works_with_what_is_there(hub: HubDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, Source.HUGGINGFACE)
    shutil.rmtree(tmp_path / "bundle")
    monkeypatch.setenv("LIGHTVOICE_OFFLINE", "1")
    _, builder = run(tmp_path, Source.HUGGINGFACE)
    assert builder.given


def test_too_little_room_is_said_before_anything_is_asked(hub: HubDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.bundle.disk.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1_000_000_000))  # type: ignore[attr-defined]
    with pytest.raises(DiskFullError, match="1000 MB free where 1240 MB are needed"):
        run(tmp_path)
    assert hub.requests == []


def test_room_for_the_bundle_is_left_where_both_share_a_disk(hub: HubDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.files[CATALOG[NAME].origins[Source.HUGGINGFACE].asr.repo]["model.pt"] = bytes(20_000_000)
    monkeypatch.setattr("models.bundle.disk.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1_250_000_000))  # type: ignore[attr-defined]
    with pytest.raises(DiskFullError, match="1250 MB free where 1260 MB are needed"):
        run(tmp_path, Source.HUGGINGFACE)
    assert [method for method, _, _ in hub.asked] == []


@pytest.mark.parametrize("source", BOTH)
def test_a_download_of_the_same_size_with_other_bytes_is_fetched_again(hub: HubDouble, tmp_path: Path, source: Source) -> None:
    _, builder = run(tmp_path, source)
    shutil.rmtree(tmp_path / "bundle")
    damaged = builder.given[0][0] / "model.pt"
    damaged.write_bytes(bytes(damaged.stat().st_size))
    run(tmp_path, source)
    assert damaged.read_bytes() == hub.files[CATALOG[NAME].origins[source].asr.repo]["model.pt"]


def test_a_stopped_fetch_goes_on_where_it_was_and_leaves_no_final_file(
    hub: HubDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.fetch.byte_progress.REPORTS_PER_S", 1e9)
    repository = CATALOG[NAME].origins[Source.HUGGINGFACE].asr
    hub.files[repository.repo]["model.pt"] = random.Random(3).randbytes(BIG_BYTES)

    def stop(share: float | None, text: str, left_s: float | None) -> None:
        partial = list((tmp_path / "downloads").rglob("model.pt.*.partial"))
        if partial and partial[0].stat().st_size > BIG_BYTES // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Source.HUGGINGFACE, progress=stop)
    assert not list((tmp_path / "downloads").rglob("SenseVoiceSmall/model.pt"))
    hub.asked.clear()
    _, builder = run(tmp_path, Source.HUGGINGFACE)
    starts = [first for method, asked, first in hub.asked if asked == f"{repository.repo}/model.pt" and method == "GET"]
    assert len(starts) == 1 and starts[0] > BIG_BYTES // 2
    assert (builder.given[0][0] / "model.pt").read_bytes() == hub.files[repository.repo]["model.pt"]
    assert not list((tmp_path / "downloads").rglob("*.partial"))


@pytest.mark.parametrize("source", BOTH)
def test_a_login_page_in_the_way_is_no_hub(hub: HubDouble, tmp_path: Path, source: Source) -> None:
    hub.page = b"<html>please log in</html>"
    with pytest.raises(FetchError, match="starter"):
        run(tmp_path, source)


def test_modelscopes_older_variable_names_a_mirror_too(hub: HubDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELSCOPE_ENDPOINT")
    monkeypatch.setenv("MODELSCOPE_DOMAIN", "mirror.example")
    assert ModelScope().host == "mirror.example"


def test_an_output_that_exists_is_kept(hub: HubDouble, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    with pytest.raises(FetchError, match="is there already"):
        run(tmp_path)
    assert hub.requests == []


def test_names_that_do_not_exist_are_answered_with_those_that_do() -> None:
    with pytest.raises(UnknownModelError, match=r"whisper.*sensevoice-small-onnx"):
        fetch("whisper")
    with pytest.raises(UnknownSourceError, match=r"github.*modelscope"):
        fetch(NAME, source="github", output=Path("nowhere"))
    with pytest.raises(UnknownSourceError, match="modelscope"):
        fetch("sensevoice-small-onnx", source="huggingface", output=Path("nowhere"))


def test_an_unfinished_download_is_not_taken_for_a_whole_one(hub: HubDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is needed is there, an optional file is not: the run was killed, and offline nobody may call that whole."""
    repository = CATALOG[NAME].origins[Source.HUGGINGFACE].vad
    hub.files[repository.repo] = dict(sorted(hub.files[repository.repo].items())) | {"example/vad_example.wav": b"sound" * 50}
    hub.wrong_sha256 = {}

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("models.fetch.fetch.check_arrived", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, Source.HUGGINGFACE)
    monkeypatch.setenv("LIGHTVOICE_OFFLINE", "1")
    with pytest.raises(FetchError, match="LIGHTVOICE_OFFLINE"):
        run(tmp_path, Source.HUGGINGFACE)
    monkeypatch.delenv("LIGHTVOICE_OFFLINE")
    _, builder = run(tmp_path, Source.HUGGINGFACE)
    assert (builder.given[0][1] / "example" / "vad_example.wav").read_bytes() == b"sound" * 50


def test_progress_knows_rate_and_time_left() -> None:
    clock = iter([0.0, 1.0, 2.0])
    told: list[tuple[float | None, str, float | None]] = []
    progress = Progress(40_000_000, lambda *said: told.append(said), clock=lambda: next(clock))
    progress.begin("model.pt")
    progress.add(10_000_000)
    progress.add(10_000_000)
    assert told[-1] == (0.5, "model.pt  20 / 40 MB  10.0 MB/s", 2.0)


def test_downloads_lie_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert downloads_folder("x") == tmp_path / "lightvoice" / "downloads" / "x"
