"""Archives, single graphs and Hugging Face's cache become bundles too; archives that lead out of their folder are not unpacked."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from engine.bundle import Bundle  # noqa: E402 - torch decides whether this file runs
from models.bundle.disk import DiskFullError  # noqa: E402
from models.export import archive as module  # noqa: E402
from models.export import parity  # noqa: E402
from models.export.archive import unpack  # noqa: E402
from models.export.graph_file import ExportError  # noqa: E402
from models.export.import_folder import import_folder  # noqa: E402
from tests.models.export import ready_made_folders as upstream  # noqa: E402


@pytest.fixture(scope="module")
def sherpa(random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = upstream.sherpa_folder(random_checkpoint, tmp_path_factory.mktemp("sherpa") / "sherpa-onnx-sense-voice")
    (folder / "model.onnx").unlink()
    return folder


@pytest.fixture(scope="module")
def vad(random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return upstream.vad_folder(random_checkpoint, tmp_path_factory.mktemp("vad") / "fsmn")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare at one short length: these tests are about what is read, not about what it answers."""
    monkeypatch.setattr(parity, "ASR_LENGTHS", (9,))
    monkeypatch.setattr(parity, "VAD_LENGTHS", (9,))
    monkeypatch.setattr("models.export.imported.FLOAT_LENGTHS", (9,))


def zipped(path: Path, folders: dict[str, Path], *, more: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, folder in folders.items():
            for file in folder.iterdir():
                archive.write(file, f"{name}/{file.name}")
        for name, content in (more or {}).items():
            archive.writestr(name, content)
    return path


def is_int8_bundle(bundle: Path) -> bool:
    return set(Bundle.load(bundle).variants) == {"int8"} and [path.name for path in bundle.parent.iterdir()] == [bundle.name]


def test_a_zip_with_both_models_and_other_things_in_it(sherpa: Path, vad: Path, tmp_path: Path) -> None:
    junk = {"models/README.md": b"hello", "__MACOSX/._model.onnx": b"x", "models/test_wavs/zh.wav": bytes(100), "models/vad/._a.onnx": b"x"}
    path = zipped(tmp_path / "models.zip", {"models/asr": sherpa, "models/vad": vad}, more=junk)
    bundle = import_folder(path, tmp_path / "out" / "bundle")
    assert is_int8_bundle(bundle)
    assert "embedded starter" not in Bundle.load(bundle).source


def test_the_tar_that_sherpa_onnx_releases(sherpa: Path, tmp_path: Path) -> None:
    path = tmp_path / "sherpa-onnx-sense-voice-zh-en-ja-ko-yue-2024-07-17.tar.bz2"
    with tarfile.open(path, "w:bz2") as archive:
        archive.add(sherpa, "sherpa-onnx-sense-voice-zh-en-ja-ko-yue-2024-07-17")
    bundle = import_folder(path, tmp_path / "out" / "bundle")
    assert is_int8_bundle(bundle)
    assert "the embedded starter's VAD" in Bundle.load(bundle).source


def test_a_single_graph_under_any_name_with_its_tokens_beside(sherpa: Path, vad: Path, tmp_path: Path) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "sense-voice (1).onnx").write_bytes((sherpa / "model.int8.onnx").read_bytes())
    with pytest.raises(ExportError, match=r"has no vocabulary: put tokens.txt .* beside the graph"):
        import_folder(folder / "sense-voice (1).onnx", tmp_path / "out" / "bundle", vad_folder=vad)
    (folder / "tokens.txt").write_bytes((sherpa / "tokens.txt").read_bytes())
    assert is_int8_bundle(import_folder(folder / "sense-voice (1).onnx", tmp_path / "out" / "bundle", vad_folder=vad))


def cached(folder: Path, cache: Path, *, external: bool) -> Path:
    """A folder as Hugging Face's library caches it: links to files named by their sum."""
    root = cache / f"models--owner--{folder.name}"
    snapshot, blobs = root / "snapshots" / "0123abcd", root / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    if external:
        graph = snapshot / "model.int8.onnx"
        onnx.save(
            onnx.load(str(folder / graph.name)), str(graph), save_as_external_data=True, location="model.int8.onnx.data", size_threshold=100
        )
        files |= {path.name: path.read_bytes() for path in snapshot.iterdir()}
        for path in snapshot.iterdir():
            path.unlink()
    for index, (name, content) in enumerate(files.items()):
        (blobs / f"{index:064x}").write_bytes(content)
        (snapshot / name).symlink_to(Path("../../blobs") / f"{index:064x}")
    return root


@pytest.mark.parametrize("external", [False, True])
def test_the_cache_of_hugging_faces_library(sherpa: Path, vad: Path, tmp_path: Path, external: bool) -> None:
    root = cached(sherpa, tmp_path / "hub", external=external)
    place = cached(vad, tmp_path / "hub", external=False) / "snapshots" / "0123abcd"
    assert is_int8_bundle(import_folder(root, tmp_path / "out" / "bundle", vad_folder=place))
    graph = root / "snapshots" / "0123abcd" / "model.int8.onnx"
    assert is_int8_bundle(import_folder(graph, tmp_path / "out2" / "bundle", vad_folder=place))


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../evil.onnx", "/tmp/evil.onnx", "a/../../evil.onnx", "..\\evil.onnx", "C:\\evil.onnx", "../notes.txt"])
def test_a_zip_that_leads_out_of_its_folder_is_not_unpacked(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "a.zip", {}, more={name: b"x"})
    (tmp_path / "in").mkdir()
    with pytest.raises(ExportError, match=r"is not unpacked: it names .* which leads out of its folder"):
        unpack(path, tmp_path / "in")
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["a.zip", "in"]


def link_in_zip(path: Path) -> None:
    info = zipfile.ZipInfo("model.onnx")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")


def link_in_tar(path: Path) -> None:
    info = tarfile.TarInfo("model.onnx")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(path, "w") as archive:
        archive.addfile(info)


def encrypted(path: Path) -> None:
    zipped(path, {}, more={"model.onnx": b"x" * 100})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(bytes(data))


def twice(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.onnx", b"a")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("model.onnx", b"b")


def damaged(path: Path) -> None:
    zipped(path, {}, more={"model.onnx": bytes(range(256)) * 50})
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(bytes(data))


def cut_tar(path: Path) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        info = tarfile.TarInfo("model.onnx")
        info.size = 200_000
        archive.addfile(info, io.BytesIO(bytes(200_000)))
    path.write_bytes(content.getvalue()[:-20])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (link_in_zip, "model.onnx is a link; unpack it by hand"),
        (link_in_tar, "model.onnx is a link; unpack it by hand"),
        (encrypted, "model.onnx is encrypted; unpack it by hand"),
        (twice, "a name twice"),
        (damaged, "is damaged .*; fetch it again"),
        (cut_tar, "is damaged .*; fetch it again"),
        (lambda path: zipped(path, {}, more={"README.md": b"x"}), "holds no model: no .onnx file"),
    ],
)
def test_archives_that_cannot_be_used_are_named(tmp_path: Path, make: Callable[[Path], object], said: str) -> None:
    make(tmp_path / "a.zip")
    with pytest.raises(ExportError, match=said):
        import_folder(tmp_path / "a.zip", tmp_path / "out" / "bundle")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_archive_that_is_too_large_is_refused(sherpa: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "a.zip", {"asr": sherpa})
    monkeypatch.setattr(module, "MOST_BYTES", 10_000)
    with pytest.raises(ExportError, match="holds more than a model"):
        import_folder(path, tmp_path / "out" / "bundle")
    monkeypatch.undo()
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(DiskFullError):
        import_folder(path, tmp_path / "out" / "bundle")


def test_what_is_neither_folder_nor_archive_nor_graph_is_said(sherpa: Path, vad: Path, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"PK\x03\x04")
    (tmp_path / "notes.txt").write_text("hello")
    for path, said in (
        (tmp_path / "model.pt", "name its folder, with config.yaml and am.mvn beside it"),
        (tmp_path / "notes.txt", "is no folder, no archive"),
        (tmp_path / "nowhere.zip", "there is no folder or file"),
        (sherpa / "tokens.txt", "is no folder, no archive"),
        (vad / "model.onnx", "FunASR's SenseVoice takes"),
        (vad, "FunASR's SenseVoice takes"),
    ):
        with pytest.raises(ExportError, match=said):
            import_folder(path, tmp_path / "out" / "bundle")
    zipped(tmp_path / "vad.zip", {"vad": vad})
    with pytest.raises(ExportError, match=r"vad\.zip has no layout that can be imported"):
        import_folder(tmp_path / "vad.zip", tmp_path / "out" / "bundle")


def test_a_zipped_bundle_is_called_one(sherpa: Path, vad: Path, tmp_path: Path) -> None:
    bundle = import_folder(sherpa, tmp_path / "made" / "bundle", vad_folder=vad)
    with pytest.raises(ExportError, match=r"b\.zip holds a bundle; unpack it"):
        import_folder(zipped(tmp_path / "b.zip", {"mine": bundle}), tmp_path / "out" / "bundle")
