"""Every recipe on the tiny bundle: what it adds, that its products are integers, that a failure leaves the bundle as it was."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from engine.options import TranscribeOptions

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from engine.audio.waveform import Waveform  # noqa: E402 - torch decides whether this file runs
from engine.bundle import Bundle  # noqa: E402
from engine.errors import LightVoiceError  # noqa: E402
from engine.files.content import sha256_of  # noqa: E402
from engine.pipeline import Engine  # noqa: E402
from engine.runtime.onnx_operators import count_products  # noqa: E402
from models.bundle.disk import DiskFullError  # noqa: E402
from models.bundle.manifest import read_manifest  # noqa: E402
from models.bundle.variants import add_variant  # noqa: E402
from models.quantize import dynamic  # noqa: E402
from models.quantize.recipe_names import RecipeName  # noqa: E402
from models.quantize.recipes import QuantizeOptions, run  # noqa: E402
from models.quantize.search import Search, Trial  # noqa: E402


@pytest.fixture
def bundle(exported_bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(exported_bundle, tmp_path / "bundle")


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Eight short recordings without labels."""
    import soundfile

    folder = tmp_path / "recordings"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(8):
        tone = 0.2 * np.sin(2 * np.pi * (180 + 40 * index) * np.arange(16_000) / 16_000) + 0.02 * rng.standard_normal(16_000)
        soundfile.write(folder / f"{index}.wav", tone.astype(np.float32), 16_000)
    return folder


def optimized_operators(graph: Path, tmp_path: Path) -> Counter[str]:
    """The operators that ONNX Runtime really runs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(str(tmp_path / "optimized.onnx"), load_external_data=False).graph.node)


def everything(folder: Path) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in folder.iterdir() if path.is_file()}


def order(bundle: Path, recipe: RecipeName, recordings: Path | None, tmp_path: Path, **settings: object) -> QuantizeOptions:
    config = None
    if settings:
        config = tmp_path / "settings.yaml"
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return QuantizeOptions(bundle=bundle, recipe=recipe, config=config, data=recordings)


RUNS = [
    (RecipeName.STATIC, {"clips": 6, "method": "minmax"}),
    (RecipeName.STATIC, {"clips": 3, "method": "entropy"}),
    (RecipeName.STATIC, {"clips": 3, "method": "percentile", "percentile": 99.9}),
    (RecipeName.MIXED, {}),
    (RecipeName.AUTO, {"clips": 4, "max_trials": 2, "metric": "divergence", "limit": 0.0}),
    (RecipeName.AUTO, {"clips": 3, "max_trials": 2, "metric": "disagreement", "limit": 1.0, "products": "static"}),
    (RecipeName.FP16, {"clips": 3}),
]


@pytest.mark.filterwarnings("ignore")  # NNCF and its dependencies
@pytest.mark.parametrize(("recipe", "settings"), RUNS, ids=[f"{name}-{index}" for index, (name, _) in enumerate(RUNS)])
def test_a_recipe_adds_a_variant_that_the_engine_runs(
    bundle: Path, recordings: Path, tmp_path: Path, recipe: RecipeName, settings: dict[str, object]
) -> None:
    if settings.get("products") == "static":
        pytest.importorskip("nncf")
    add_checked(bundle, recipe, recordings, tmp_path, **settings)


def add_checked(bundle: Path, recipe: RecipeName, recordings: Path, tmp_path: Path, **settings: object) -> dict[str, Any]:
    """Run a recipe: it adds its variant, which the engine runs, and changes nothing else; its record."""
    before = everything(bundle)
    record = run(order(bundle, recipe, recordings, tmp_path, **settings))
    variant = recipe.variant
    after = everything(bundle)
    assert {name for name in after if name not in before} >= {f"asr.{variant}.onnx", f"vad.{variant}.onnx"}
    assert {name: after[name] for name in before if name != "bundle.json"} == {k: v for k, v in before.items() if k != "bundle.json"}
    assert not [path for path in bundle.iterdir() if path.name.startswith(".") or path.is_dir()]
    assert read_manifest(bundle)["recipes"][variant]["recipe"] == record["recipe"]
    engine = Engine(Bundle.load(bundle))
    try:
        rng = np.random.default_rng(2)
        audio = Waveform((0.1 * rng.standard_normal(32_000)).astype(np.float32))
        assert engine.transcribe(audio, TranscribeOptions(precision=variant)).precision == variant
    finally:
        engine.close()
    return record


def test_static_products_are_fused_to_integers(bundle: Path, recordings: Path, tmp_path: Path) -> None:
    run(order(bundle, RecipeName.STATIC, recordings, tmp_path, clips=4))
    for model in ("asr", "vad"):
        floats = count_products(bundle / f"{model}.fp32.onnx").floating
        products = count_products(bundle / f"{model}.int8-static.onnx")
        assert (products.integer, products.floating) == (floats, 0)
        really = optimized_operators(bundle / f"{model}.int8-static.onnx", tmp_path)
        assert really["MatMulIntegerToFloat"] == floats
        assert really["MatMul"] == really["Gemm"] == really["DynamicQuantizeLinear"] == 0


def test_qat_ends_no_farther_from_fp32_than_it_began(bundle: Path, recordings: Path, tmp_path: Path) -> None:
    record = add_checked(bundle, RecipeName.QAT, recordings, tmp_path, clips=4, rounds=2)
    for model in ("asr", "vad"):
        assert record[model]["kept"] == min(record[model]["divergence"])
        assert count_products(bundle / f"{model}.int8-qat.onnx").floating == 0
        really = optimized_operators(bundle / f"{model}.int8-qat.onnx", tmp_path)
        assert really["MatMulIntegerToFloat"] == count_products(bundle / f"{model}.fp32.onnx").floating


def test_used_recordings_are_named(bundle: Path, recordings: Path, tmp_path: Path) -> None:
    run(order(bundle, RecipeName.STATIC, recordings, tmp_path, clips=3))
    run(order(bundle, RecipeName.AUTO, recordings, tmp_path, clips=3, max_trials=1))
    used = read_manifest(bundle)["used_recordings"]
    known = {sha256_of(path) for path in recordings.iterdir()}
    assert set(used) == {"calibration", "tuning"}
    assert set(used["calibration"]) <= known and set(used["tuning"]) <= known and used["calibration"] and used["tuning"]


def test_the_coverage_report_says_what_is_missing(bundle: Path, recordings: Path, tmp_path: Path) -> None:
    record = run(order(bundle, RecipeName.STATIC, recordings, tmp_path, clips=5))
    coverage = record["calibration"]
    assert coverage["clips"] == sum(coverage["conditions"].values()) == 5
    assert {"language zh", "language ko"} <= set(coverage["missing"])
    assert any("applause" in entry for entry in coverage["missing"])


def test_a_recipe_can_become_the_default(bundle: Path, recordings: Path, tmp_path: Path) -> None:
    before = sha256_of(bundle / "asr.int8.onnx")
    run(QuantizeOptions(bundle=bundle, recipe=RecipeName.STATIC, data=recordings, clips=3, as_default=True))
    assert sha256_of(bundle / "asr.int8.onnx") != before
    assert count_products(bundle / "asr.int8.onnx").floating == 0
    assert set(Bundle.load(bundle).variants) == {"fp32", "int8"}


BAD = [
    (RecipeName.STATIC, {"method": "average"}, "'method' is 'average'"),
    (RecipeName.STATIC, {"percentile": 12}, "'percentile' is 12: Expected `float` >= 90"),
    (RecipeName.STATIC, {"clips": -3}, "'clips' is -3"),
    (RecipeName.STATIC, {"methud": "minmax"}, "unknown field `methud`; the recipe knows method, percentile, clips"),
    (RecipeName.DYNAMIC, {"method": "minmax"}, "unknown field `method`; the recipe knows no setting"),
    (RecipeName.MIXED, {"rules": []}, "no product of the graph would be INT8"),
    (RecipeName.MIXED, {"rules": [{"pattern": "*", "precision": "int4"}]}, "'rules.0.precision' is 'int4'"),
    (RecipeName.MIXED, {"rules": [{"pattern": "*", "precision": "int8", "operators": ["Softmax"]}]}, "Softmax"),
    (RecipeName.MIXED, {"rule": []}, "unknown field `rule`"),
    (RecipeName.AUTO, {"metric": "cer"}, "CER needs recordings with texts"),
    (RecipeName.AUTO, {"metric": "disagreement", "tolerance": "relative"}, "say absolute"),
    (RecipeName.AUTO, {"max_trials": 0}, "'max_trials' is 0"),
    (RecipeName.QAT, {"rounds": 0}, "'rounds' is 0"),
]


@pytest.mark.parametrize(("recipe", "settings", "said"), BAD)
def test_bad_settings_are_named_and_change_nothing(
    bundle: Path, recordings: Path, tmp_path: Path, recipe: RecipeName, settings: dict[str, object], said: str
) -> None:
    before = everything(bundle)
    asked = order(bundle, recipe, recordings, tmp_path, **settings)
    with pytest.raises(LightVoiceError) as error:
        run(asked)
    assert said in str(error.value)
    assert everything(bundle) == before


def test_a_search_that_leaves_nothing_in_integers_is_no_int8(
    bundle: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def everything_in_float(search: Search) -> Trial:
        return Trial(number=1, in_float=tuple(search.blocks), score=search.baseline, accepted=True, seconds=0.0)

    monkeypatch.setattr(Search, "run", everything_in_float)
    before = everything(bundle)
    with pytest.raises(LightVoiceError, match="leaves no block in INT8"):
        run(order(bundle, RecipeName.AUTO, recordings, tmp_path, clips=3))
    assert everything(bundle) == before


def test_an_empty_calibration_folder_is_named(bundle: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    before = everything(bundle)
    with pytest.raises(LightVoiceError, match=str(empty)):
        run(QuantizeOptions(bundle=bundle, recipe=RecipeName.STATIC, data=empty))
    assert everything(bundle) == before


def test_a_full_disk_is_said_before_anything_is_written(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(bundle)
    monkeypatch.setattr("models.bundle.disk.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))  # type: ignore[attr-defined]
    with pytest.raises(DiskFullError, match="MB free"):
        run(QuantizeOptions(bundle=bundle, recipe=RecipeName.DYNAMIC))
    assert everything(bundle) == before


def test_a_disk_that_fills_up_in_the_middle_leaves_the_bundle_as_it_was(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(bundle)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dynamic, "save_graph", full)
    with pytest.raises(OSError, match="No space left"):
        add_variant(bundle, "int8-again", dynamic.write)
    assert everything(bundle) == before
    assert not [path for path in bundle.iterdir() if path.is_dir()]


def test_what_a_killed_run_left_is_cleared(bundle: Path) -> None:
    (bundle / ".recipe-killed").mkdir()
    (bundle / ".recipe-killed" / "asr.int8.onnx").write_bytes(b"half")
    (bundle / "asr.fp32-inferred.onnx").write_bytes(b"half")
    add_variant(bundle, "int8", dynamic.write)
    assert not [path.name for path in bundle.iterdir() if "killed" in path.name or "inferred" in path.name]
    assert "asr.fp32-inferred.onnx" not in json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["files"]


def test_the_tutorials_way_of_quantizing_is_rejected(bundle: Path, tmp_path: Path) -> None:
    """`quantize_dynamic`, then `load_state_dict(strict=False)` into the float model: the weights stay float, the file is called INT8."""
    from engine.errors import NotQuantizedError

    for name in ("asr.fp32.onnx", "asr.fp32.onnx.data"):
        (bundle / name.replace("fp32", "int8")).write_bytes((bundle / name).read_bytes())
    model = onnx.load(str(bundle / "asr.fp32.onnx"))
    onnx.save(model, str(bundle / "asr.int8.onnx"))
    (bundle / "asr.int8.onnx.data").unlink(missing_ok=True)
    manifest = read_manifest(bundle)
    manifest.pop("files")
    manifest.pop("format")
    from models.bundle.manifest import write_manifest

    write_manifest(bundle, manifest)
    engine = Engine(Bundle.load(bundle))
    try:
        with pytest.raises(NotQuantizedError, match="in float and 0 in integers"):
            engine.transcribe(Waveform(np.ones(16_000, np.float32) * 0.1), TranscribeOptions(precision="int8"))
    finally:
        engine.close()
