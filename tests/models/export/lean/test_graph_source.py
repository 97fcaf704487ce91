"""ONNX files read without their weights: what is in them, where the weights lie, and which files are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - onnx decides whether this file runs

from models.export.graph_file import ExportError, open_for_check, save_graph  # noqa: E402
from models.export.lean.graph_source import GraphSource  # noqa: E402
from models.export.lean.wire import WireError, fields, varint  # noqa: E402

SIZE = 150  # squared and in float it is larger than what stays in the graph


def model(*, kind: type = np.float32) -> onnx.ModelProto:
    values = np.random.default_rng(1).integers(0, 100, (SIZE, 4 * SIZE)).astype(kind)
    weight, bias = numpy_helper.from_array(values, "weight"), numpy_helper.from_array(np.arange(4 * SIZE, dtype=np.float32), "bias")
    nodes = [
        helper.make_node("Cast", ["weight"], ["float_weight"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["x", "float_weight"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in (("x", SIZE), ("y", 4 * SIZE))]
    graph = helper.make_graph(nodes, "graph", ports[:1], ports[1:], [weight, bias])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="test")
    helper.set_model_props(made, {"key": "value"})
    return made


def write(folder: Path, *, external: bool, kind: type = np.float32) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_graph(model(kind=kind), folder / "model.onnx", external=external)
    return folder / "model.onnx"


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("kind", [np.float32, np.uint8, np.int8])
def test_weights_are_read_when_they_are_asked_for(tmp_path: Path, external: bool, kind: type) -> None:
    source = GraphSource.open(write(tmp_path, external=external, kind=kind))
    assert source.model.ByteSize() < 4_000 + 4 * 4 * SIZE  # the bias is small enough to stay
    assert source.model.producer_name == "test" and source.model.metadata_props[0].value == "value"
    values = source.array("weight")
    assert values.dtype == kind
    expected = np.random.default_rng(1).integers(0, 100, (SIZE, 4 * SIZE))
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(source.array("bias"), np.arange(4 * SIZE))
    assert source.size_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    whole = {tensor.name: tensor for tensor in source.whole().graph.initializer}
    np.testing.assert_array_equal(numpy_helper.to_array(whole["weight"]), expected)


def test_external_data_behind_symbolic_links_can_be_run(tmp_path: Path) -> None:
    write(tmp_path / "blobs", external=True)
    snapshot = tmp_path / "snapshots" / "1a2b"
    snapshot.mkdir(parents=True)
    for name in ("model.onnx", "model.onnx.data"):
        (tmp_path / "blobs" / name).rename(tmp_path / "blobs" / f"{name}-sha")
        (snapshot / name).symlink_to(Path("../../blobs") / f"{name}-sha")
    source = GraphSource.open(snapshot / "model.onnx")
    place = tmp_path / "place"
    place.mkdir()
    runnable = source.runnable(place)
    answer = open_for_check(runnable).run(None, {"x": np.ones((1, SIZE), np.float32)})[0]
    np.testing.assert_allclose(answer[0], source.array("weight").sum(axis=0) + source.array("bias"), rtol=1e-5)
    plain = GraphSource.open(write(tmp_path / "plain", external=True))
    assert plain.runnable(place) == plain.path


def refused(path: Path, said: str) -> None:
    with pytest.raises(ExportError, match=said) as error:
        GraphSource.open(path)
    assert path.name in str(error.value) and "fetch" in str(error.value)


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, external=False)
    for share in (0.9, 0.5, 0.01):
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
        refused(path, "cannot be read as an ONNX graph .the file ends at byte")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "a Git LFS pointer, not the file itself"),
        (b"PK\x03\x04" + bytes(100), "a zip or a PyTorch file"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (bytes(1000), "cannot be read as an ONNX graph"),
        (b"\x0a\x03abc", "it has no operators|cannot be read"),
        (np.random.default_rng(3).bytes(5000), "cannot be read as an ONNX graph"),
    ],
)
def test_what_is_no_graph_is_called_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    refused(tmp_path / "model.onnx", said)


def change_location(path: Path, location: str) -> None:
    changed = onnx.load(str(path), load_external_data=False)
    for tensor in changed.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(changed.SerializeToString())


@pytest.mark.parametrize("location", ["../secret.data", "/etc/passwd", "a/../../secret", "", "..\\secret"])
def test_weights_outside_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    path = write(tmp_path / "in", external=True)
    (tmp_path / "secret.data").write_bytes(bytes(10**6))
    change_location(path, location)
    refused(path, "outside its folder")


def test_weights_that_are_missing_or_too_short_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, external=True)
    data = tmp_path / "model.onnx.data"
    data.write_bytes(data.read_bytes()[:1000])
    refused(path, "has 1000 bytes where model.onnx needs")
    data.unlink()
    with pytest.raises(ExportError, match=r"keeps its weights in model.onnx.data, which is not beside it; fetch that file too"):
        GraphSource.open(path)


def test_the_wire_format_is_followed_field_by_field() -> None:
    data = b"\x08\x96\x01" + b"\x12\x03abc" + b"\x19" + bytes(8) + b"\x25" + bytes(4)
    assert [(field.number, field.wire_type, field.size) for field in fields(data, 0, len(data))] == [
        (1, 0, 2),
        (2, 2, 3),
        (3, 1, 8),
        (4, 5, 4),
    ]
    assert varint(data, 1, len(data)) == (150, 3)
    for broken in (b"\x08", b"\x12\x05abc", b"\x0b", b"\x00\x01", b"\x08" + b"\xff" * 11, b"\x19\x00"):
        with pytest.raises(WireError):
            list(fields(broken, 0, len(broken)))
