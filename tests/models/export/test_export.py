"""Checkpoint → bundle: the graphs keep the contract, the INT8 ones are really integer, bad folders are named."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from engine.tags import TAG_POSITIONS, piece_of  # noqa: E402 - torch decides whether this file runs
from models.export.assemble import add_dynamic_int8, assemble  # noqa: E402
from models.export.export import AsrGraph, check_asr  # noqa: E402
from models.export.graph_file import ExportError  # noqa: E402
from models.networks.checkpoint import Checkpoint, load_sensevoice  # noqa: E402
from tests.models.export.graphs import session_of  # noqa: E402


def test_the_asr_graph_keeps_the_contract(exported_bundle: Path) -> None:
    for name in ("asr.fp32.onnx", "asr.int8.onnx"):
        session = session_of(exported_bundle / name)
        assert [entry.name for entry in session.get_inputs()] == ["speech", "language", "textnorm"]
        feeds = {"speech": np.zeros((1, 9, 560), np.float32), "language": np.array([0], np.int32), "textnorm": np.array([15], np.int32)}
        token_ids, log_probs, tag_probs = session.run(["token_ids", "log_probs", "tag_probs"], feeds)
        assert (token_ids.shape, token_ids.dtype) == ((1, 13), np.int32)
        assert log_probs.shape == (1, 13) and (log_probs <= 0).all()
        ids = json.loads(session.get_modelmeta().custom_metadata_map["tag_token_ids"])
        assert tag_probs.shape == (1, 4, len(ids)) and (tag_probs >= 0).all() and (tag_probs.sum(-1) <= 1.0001).all()


def test_tag_ids_point_at_the_tag_pieces(exported_bundle: Path) -> None:
    pieces = [line.rsplit(" ", 1)[0] for line in (exported_bundle / "tokens.txt").read_text(encoding="utf-8").splitlines()]
    metadata = session_of(exported_bundle / "asr.fp32.onnx").get_modelmeta().custom_metadata_map
    named = [pieces[index] for index in json.loads(metadata["tag_token_ids"])]
    assert named == [piece_of(tag) for family in TAG_POSITIONS for tag in family]


def test_int8_holds_integer_matmuls_only(exported_bundle: Path) -> None:
    operators = Counter(node.op_type for node in onnx.load(str(exported_bundle / "asr.int8.onnx"), load_external_data=False).graph.node)
    floats = Counter(node.op_type for node in onnx.load(str(exported_bundle / "asr.fp32.onnx"), load_external_data=False).graph.node)
    assert operators["DynamicQuantizeMatMul"] == floats["MatMul"] > 0
    assert operators["MatMul"] == 0


def test_int8_weights_are_a_quarter_of_fp32(exported_bundle: Path) -> None:
    def weight_bytes(name: str) -> int:
        graph = onnx.load(str(exported_bundle / name)).graph
        # The position table stays in float in both and is left out.
        return sum(len(tensor.raw_data) for tensor in graph.initializer if tuple(tensor.dims)[-1:] != (560,))

    assert weight_bytes("asr.int8.onnx") < 0.4 * weight_bytes("asr.fp32.onnx")


def test_a_graph_that_computes_something_else_is_refused(exported_bundle: Path, random_checkpoint: Path) -> None:
    network = load_sensevoice(Checkpoint.open(random_checkpoint))
    with torch.no_grad():
        network.ctc.ctc_lo.bias[7] += 50.0
    with pytest.raises(ExportError, match="differ"):
        check_asr(AsrGraph(network, [1, 2]).eval(), exported_bundle / "asr.fp32.onnx", lengths=(5,))


def test_manifest_describes_every_file(exported_bundle: Path) -> None:
    from engine.files.content import sha256_of
    from models.bundle.manifest import read_manifest

    manifest = read_manifest(exported_bundle)
    names = {path.name for path in exported_bundle.iterdir()} - {"bundle.json"}
    assert set(manifest["files"]) == names
    for name, entry in manifest["files"].items():
        assert entry == {"sha256": sha256_of(exported_bundle / name), "bytes": (exported_bundle / name).stat().st_size}
    assert set(manifest["variants"]) == {"fp32", "int8"}


@pytest.mark.parametrize("lost", ["model.pt", "config.yaml", "am.mvn"])
def test_a_folder_that_lacks_a_part_is_named(random_checkpoint: Path, tmp_path: Path, lost: str) -> None:
    folder = shutil.copytree(random_checkpoint, tmp_path / "copy")
    (folder / lost).unlink()
    with pytest.raises(ExportError, match=lost.replace(".", r"\.")):
        assemble(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_truncated_checkpoint_leaves_nothing_behind(random_checkpoint: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(random_checkpoint, tmp_path / "copy")
    content = (folder / "model.pt").read_bytes()
    (folder / "model.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(ExportError, match=r"model\.pt cannot be read"):
        assemble(folder, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_a_pickle_that_runs_code_is_refused(random_checkpoint: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    folder = shutil.copytree(random_checkpoint, tmp_path / "copy")
    torch.save({"embed.weight": Trap()}, folder / "model.pt")
    with pytest.raises(ExportError, match=r"model\.pt cannot be read"):
        assemble(folder, tmp_path / "out")
    assert not (tmp_path / "ran").exists()


def test_a_vocabulary_of_another_size_is_refused(random_checkpoint: Path, tmp_path: Path) -> None:
    from models.networks.random_checkpoint import write_bpe_model

    folder = shutil.copytree(random_checkpoint, tmp_path / "copy")
    write_bpe_model(folder / "chn_jpn_yue_eng_ko_spectok.bpe.model", pieces=300)
    with pytest.raises(ExportError, match="300 pieces where the checkpoint has 400"):
        assemble(folder, tmp_path / "out")


@pytest.mark.parametrize(("part", "wrong"), [("", 400), ("vad", 560)])
def test_a_cmvn_of_another_length_is_refused(random_checkpoint: Path, tmp_path: Path, part: str, wrong: int) -> None:
    from engine.errors import CmvnShapeError
    from models.bundle.cmvn import write_cmvn

    folder = shutil.copytree(random_checkpoint, tmp_path / "copy")
    write_cmvn(folder / part / "am.mvn", means=np.zeros(wrong), deviations=np.ones(wrong))
    with pytest.raises(CmvnShapeError, match=str(wrong)):
        assemble(folder, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_a_layout_that_nobody_knows_is_named(random_checkpoint: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(random_checkpoint, tmp_path / "copy")
    config = (folder / "config.yaml").read_text(encoding="utf-8")
    (folder / "config.yaml").write_text(config.replace("SenseVoiceEncoderSmall", "ConformerEncoder"), encoding="utf-8")
    with pytest.raises(ExportError, match="ConformerEncoder"):
        assemble(folder, tmp_path / "out")
    (folder / "config.yaml").write_text("- a list", encoding="utf-8")
    with pytest.raises(ExportError, match="no encoder_conf"):
        assemble(folder, tmp_path / "out")


def test_a_full_disk_is_said_before_the_export_begins(random_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from models.bundle.disk import DiskFullError

    monkeypatch.setattr("models.bundle.disk.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))  # type: ignore[attr-defined]
    with pytest.raises(DiskFullError, match="choose a folder on another disk"):
        assemble(random_checkpoint, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_in_the_middle_leaves_nothing(
    random_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("models.export.export.save_graph", full)
    with pytest.raises(OSError, match="No space left"):
        assemble(random_checkpoint, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_an_existing_output_is_not_overwritten(random_checkpoint: Path, exported_bundle: Path) -> None:
    with pytest.raises(ExportError, match="exists already"):
        assemble(random_checkpoint, exported_bundle)


def test_quantizing_twice_gives_the_same_manifest_again(exported_bundle: Path, tmp_path: Path) -> None:
    from models.bundle.manifest import read_manifest

    copy = shutil.copytree(exported_bundle, tmp_path / "copy")
    add_dynamic_int8(copy)
    assert read_manifest(copy) == read_manifest(exported_bundle)
