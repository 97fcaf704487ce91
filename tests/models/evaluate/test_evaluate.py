"""A bundle of tiny graphs on tones: what each precision hears is known beforehand, so every figure is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

onnx = pytest.importorskip("onnx")
pytest.importorskip("jiwer")

from engine.errors import UnknownPrecisionError  # noqa: E402 - onnx decides whether this file runs
from engine.files.content import sha256_of  # noqa: E402
from models.evaluate.datasets import Purpose, Recording, purpose_of, read_recordings  # noqa: E402
from models.evaluate.evaluate import NO_SEGMENT, evaluate  # noqa: E402
from models.evaluate.evaluation import RANDOM  # noqa: E402
from models.evaluate.labels import RecordingsError  # noqa: E402
from models.evaluate.metrics import error_counts  # noqa: E402
from models.evaluate.run import expected_tags  # noqa: E402
from tests.tiny_graphs import PIECES, write_manifest  # noqa: E402

RATE_HZ = 16_000
#: The ASR graph hears the loudest of the lowest mel bands.
HELLO_HZ, WORLD_HZ = 65, 100
VARIANTS = {name: {"asr": f"asr.{name}.onnx", "vad": f"vad.{name}.onnx"} for name in ("fp32", "int8", "int8-worse")}


def swap_words(source: Path, target: Path) -> None:
    """A graph that says hello for world and world for hello, and is happy rather than unsure."""
    model = onnx.load(str(source))
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor).copy()
        if tensor.name == "projection":
            hello, world = PIECES.index("▁hello"), PIECES.index("▁world")
            values[:, [hello, world]] = values[:, [world, hello]]
        elif tensor.name == "prompt":
            values[0, 1, PIECES.index("<|HAPPY|>")] = 1.1
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(model, str(target))


def hear_ahead(source: Path, target: Path) -> None:
    """A VAD graph that looks at the frame itself instead of the one two frames before."""
    model = onnx.load(str(source))
    weights = model.graph.initializer[0]
    values = onnx.numpy_helper.to_array(weights).copy()
    values[160], values[0] = values[0], 0.0
    weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
    onnx.save(model, str(target))


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with a third precision that is wrong in a known way; do not change it, copy it."""
    from tests.tiny_graphs import quantized

    folder = shutil.copytree(tiny_bundle, tmp_path_factory.mktemp("evaluate") / "bundle")
    work = folder.parent
    swap_words(folder / "asr.fp32.onnx", work / "asr.onnx")
    hear_ahead(folder / "vad.fp32.onnx", work / "vad.onnx")
    for model in ("asr", "vad"):
        quantized(work / f"{model}.onnx", folder / f"{model}.int8-worse.onnx")
    write_manifest(folder, kind="sensevoice-small", variants=VARIANTS)
    return folder


def tone(hz: int, *, seconds: float = 2.0, before_s: float = 0.0, after_s: float = 0.0, loud: float = 0.3) -> np.ndarray:
    wave = loud * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)
    return np.concatenate([np.zeros(int(before_s * RATE_HZ)), wave, np.zeros(int(after_s * RATE_HZ))])


def speakers_for(purpose: Purpose, source: str, count: int) -> list[str]:
    """Names that fall to a purpose."""
    fields = {"path": Path("x"), "source": source, "text": None, "language": "", "label": None, "duration_s": 1.0}
    names = (f"speaker{index}" for index in range(1000))
    fitting = (name for name in names if purpose_of(Recording(speaker=name, group=f"{source}/{name}", **fields)) is purpose)
    return [next(fitting) for _ in range(count)]


Row = tuple[str, str, str, str, np.ndarray]  # speaker, text, label, language, samples


def write_set(folder: Path, rows: list[Row]) -> Path:
    folder.mkdir(parents=True)
    lines = ["path\ttext\tlabel\tspeaker\tlanguage"]
    for index, (speaker, text, label, language, samples) in enumerate(rows):
        soundfile.write(str(folder / f"{index}.wav"), samples, RATE_HZ, subtype="FLOAT")
        lines.append("\t".join((f"{index}.wav", text, label, speaker, language)))
    (folder / "labels.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight recordings of test speakers in two sets, and two of a speaker set aside for calibration."""
    root = tmp_path_factory.mktemp("data")
    first = speakers_for(Purpose.TEST, "words", 6)
    (calibrates,) = speakers_for(Purpose.CALIBRATION, "words", 1)
    rows: list[Row] = [(name, "Hello.", "", "en", tone(HELLO_HZ, loud=0.3 - 0.01 * index)) for index, name in enumerate(first)]
    rows[5] = (first[5], "world", "", "en", tone(HELLO_HZ, loud=0.1))  # nobody hears this right
    rows += [(calibrates, "hello", "", "en", tone(HELLO_HZ, loud=0.05 + 0.01 * take)) for take in range(2)]
    write_set(root / "words", rows)
    one, two = speakers_for(Purpose.TEST, "tagged", 2)
    sad: Row = (one, "", "sad", "zh", tone(WORLD_HZ, loud=0.2))
    write_set(root / "tagged", [sad, (two, "", "happy", "en", np.zeros(RATE_HZ)), (two, "こんにちは", "", "ja", tone(WORLD_HZ, loud=0.1))])
    return root


@pytest.fixture(scope="module")
def report(bundle: Path, data: Path) -> dict:
    return evaluate(bundle, data).to_json()


def test_only_test_speakers_are_evaluated(report: dict) -> None:
    assert (report["recordings"], report["left_out"], report["reference"]) == (9, [], "fp32")
    assert report["seconds"] == pytest.approx(17.0)
    assert list(report["precisions"]) == ["fp32", "int8", "int8-worse"]
    groups = {name: group["recordings"] for name, group in report["precisions"]["int8"].items()}
    assert groups == {"all": 9, "language en": 7, "language ja": 1, "language zh": 1, "source tagged": 3, "source words": 6}


def test_error_rates_are_those_of_the_recognized_texts(report: dict) -> None:
    """Five of six hear hello for hello, one hello for world; the worse precision the other way round. Japanese is not the bundle's."""
    wrong = error_counts("hello", "world", characters=True)
    for name, times in (("fp32", 1), ("int8", 1), ("int8-worse", 5)):
        cer, wer = (report["precisions"][name]["source words"][kind] for kind in ("cer", "wer"))
        assert (cer["utterances"], cer["length"], wer["length"]) == (6, 30, 6)
        assert cer["rate"] == pytest.approx(times * wrong.errors / 30, rel=1e-5)
        assert (cer["substitutions"], cer["deletions"]) == (times * wrong.substitutions, times * wrong.deletions)
        assert wer["rate"] == pytest.approx(times / 6, rel=1e-5) and wer["low"] < wer["rate"] < wer["high"]
        assert report["precisions"][name]["all"]["cer"] == cer
        assert report["precisions"][name]["source tagged"]["cer"] is None


def test_differences_are_those_to_the_reference(report: dict) -> None:
    assert report["precisions"]["fp32"]["all"]["wer"]["difference"] is None
    same = report["precisions"]["int8"]["all"]["wer"]["difference"]
    assert same == {"estimate": 0.0, "low": 0.0, "high": 0.0, "p_above_zero": 0.0}
    worse = report["precisions"]["int8-worse"]["all"]["wer"]["difference"]
    assert worse["estimate"] == pytest.approx(4 / 6, rel=1e-5)
    # Of six draws fewer than three may be the one that got better: X ~ Binomial(6, 1/6), P(X < 3).
    assert worse["p_above_zero"] == pytest.approx(0.9377, abs=0.03)
    assert worse["low"] < 4 / 6 < worse["high"] <= 1.0


def test_frames_are_compared(report: dict) -> None:
    near, far = (report["precisions"][name]["source words"]["frames"] for name in ("int8", "int8-worse"))
    assert near["agreement"] == 1.0 and near["mean_kl"] < 0.01
    assert far["agreement"] == 0.0 and far["mean_kl"] > 1.0 and far["frames"] == near["frames"] > 6 * 30
    assert report["precisions"]["fp32"]["all"]["frames"] is None
    quiet = report["precisions"]["fp32"]["language en"]  # six of hello, one of silence
    assert quiet["blank_rate"] == pytest.approx(17 / (17 + far["frames"]), rel=1e-3)
    assert report["precisions"]["fp32"]["source words"]["blank_rate"] == 0.0


def test_tags_are_compared_with_the_reference(report: dict) -> None:
    near, far = (report["precisions"][name]["all"]["tags"]["to_reference"] for name in ("int8", "int8-worse"))
    assert {family: found["rate"] for family, found in near.items()} == {"language": 1.0, "emotion": 1.0, "event": 1.0}
    assert {family: found["rate"] for family, found in far.items()} == {"language": 1.0, "emotion": 0.0, "event": 1.0}
    assert far["emotion"]["confusion"] == {"EMO_UNKNOWN": {"HAPPY": 8}}


def test_tags_are_compared_with_labels_where_there_are_any(report: dict) -> None:
    found = report["precisions"]["fp32"]["all"]["tags"]["to_labels"]
    assert found["language"]["confusion"] == {"en": {"en": 6, NO_SEGMENT: 1}, "zh": {"en": 1}}
    assert found["emotion"]["confusion"] == {"HAPPY": {NO_SEGMENT: 1}, "SAD": {"EMO_UNKNOWN": 1}}
    assert "event" not in found
    assert report["precisions"]["int8-worse"]["language zh"]["tags"]["to_labels"]["emotion"]["confusion"] == {"SAD": {"HAPPY": 1}}


def test_speech_is_compared_with_turns_and_with_the_reference(bundle: Path, tmp_path: Path) -> None:
    """A tone from 1 s to 3 s: the span is a little wider, as the end-point rules want it, and 20 ms earlier where VAD looks ahead."""
    names = speakers_for(Purpose.TEST, "meeting", 2)
    quiet, sounding = (names[0], "", "", "", np.zeros(RATE_HZ)), (names[1], "", "", "", tone(HELLO_HZ, before_s=1.0, after_s=2.0))
    folder = write_set(tmp_path / "meeting", [quiet, sounding])
    (folder / "rttm").mkdir()
    (folder / "rttm" / "turns.rttm").write_text("SPEAKER 1 1 1.00 2.00 <NA> <NA> x <NA> <NA>\n", encoding="utf-8")
    precisions = evaluate(bundle, tmp_path).to_json()["precisions"]
    truth = precisions["fp32"]["all"]["vad"]["to_labels"]
    frames = 1 + (5 * RATE_HZ - 400) // 160
    assert (truth["hits"], truth["misses"], truth["false_alarms"]) == (200, 0, 26 + 18)
    assert truth["rejections"] == frames - 244
    assert truth["f1"] == pytest.approx(400 / 444, rel=1e-5) and truth["miss_rate"] == 0.0
    assert precisions["fp32"]["all"]["vad"]["to_reference"] is None
    near, far = (precisions[name]["all"]["vad"] for name in ("int8", "int8-worse"))
    assert (near["to_reference"]["f1"], near["boundaries"]["max_ms"], near["boundaries"]["within_10_ms"]) == (1.0, 0, 1.0)
    assert (far["to_reference"]["misses"], far["to_reference"]["false_alarms"]) == (2, 2)
    assert far["boundaries"] == {
        "matched": 2,
        "unmatched": 0,
        "median_ms": 20.0,
        "p90_ms": 20.0,
        "max_ms": 20,
        "within_10_ms": 0.0,
        "within_30_ms": 1.0,
    }
    assert precisions["int8-worse"]["all"]["cer"] is None


def with_manifest(bundle: Path, folder: Path, **changes: object) -> Path:
    copy = shutil.copytree(bundle, folder)
    manifest = json.loads((copy / "bundle.json").read_text(encoding="utf-8"))
    (copy / "bundle.json").write_text(json.dumps({**manifest, **changes}), encoding="utf-8")
    return copy


def test_what_calibrated_or_tuned_a_bundle_does_not_judge_it(bundle: Path, data: Path, tmp_path: Path) -> None:
    """One file under another name, and all recordings of another one's speaker, are left out and named."""
    elsewhere = shutil.copy(data / "words" / "0.wav", tmp_path / "renamed.wav")
    used = {"calibration": [sha256_of(elsewhere)], "tuning": [sha256_of(data / "tagged" / "1.wav")]}
    found = evaluate(with_manifest(bundle, tmp_path / "used", used_recordings=used), data, precisions=["fp32"])
    assert found.recordings == 6
    assert sorted(found.left_out) == [
        f"{data / 'tagged' / '1.wav'}: used for tuning",
        f"{data / 'tagged' / '2.wav'}: its speaker was used for tuning",
        f"{data / 'words' / '0.wav'}: used for calibration",
    ]
    assert "3 left out, the first:" in found.to_markdown()


def test_a_bundle_trained_on_every_recording_cannot_be_evaluated(bundle: Path, data: Path, tmp_path: Path) -> None:
    used = {"calibration": [sha256_of(recording.path) for recording in read_recordings(data)]}
    with pytest.raises(RecordingsError, match=r"left to test tiny with; 9 were used already, as .*used for calibration"):
        evaluate(with_manifest(bundle, tmp_path / "used", used_recordings=used), data)


def test_the_starter_is_judged_by_speakers_held_out_of_its_training(bundle: Path, tmp_path: Path) -> None:
    rows: list[Row] = [(f"{actor:02}", "hello", "", "en", tone(HELLO_HZ, loud=0.01 * actor)) for actor in (1, 2, 3, 17, 18)]
    write_set(tmp_path / "data" / "ravdess", rows)
    table = tmp_path / "data" / "ravdess" / "labels.tsv"
    lines = [f"{index}.wav\tangry\t{row[0]}\ten\ttext=hello\t2.0" for index, row in enumerate(rows)]
    table.write_text("\n".join(["path\tlabel\tspeaker\tlanguage\tnotes\tduration_s", *lines]) + "\n", encoding="utf-8")
    starter = with_manifest(bundle, tmp_path / "starter", kind="starter")
    assert evaluate(starter, tmp_path / "data", precisions=["fp32"]).recordings <= 2
    anybody = evaluate(bundle, tmp_path / "data", precisions=["fp32"])
    used = {"calibration": [sha256_of(table.parent / f"{index}.wav") for index in (3, 4)]}
    with pytest.raises(RecordingsError, match="left to test"):
        evaluate(with_manifest(bundle, tmp_path / "both", kind="starter", used_recordings=used), tmp_path / "data")
    assert anybody.recordings >= 1


def test_the_table_has_a_row_for_each_precision(bundle: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[float] = []
    for module in ("evaluate", "run"):
        monkeypatch.setattr(f"models.evaluate.{module}.report", lambda share, stage: reported.append(share))
    found = evaluate(bundle, data, precisions=["int8-worse"], reference="int8")
    table = [line for line in found.to_markdown().splitlines() if line.startswith("|")]
    assert [line.split(" | ")[0] for line in table[2:]] == ["| int8", "| int8-worse"]
    assert len({line.count(" | ") for line in table}) == 1
    assert "VAD F1 to int8" in table[0] and "| 16.67 [" in table[2] and "| 83.33 [" in table[3]
    assert reported == sorted(reported) and reported[-1] == 1.0


def test_random_weights_claim_no_accuracy(bundle: Path, data: Path, tmp_path: Path) -> None:
    found = evaluate(with_manifest(bundle, tmp_path / "random", weights="random"), data, precisions=["int8"])
    for line in found.to_markdown().splitlines()[2:4]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[1:5] == [RANDOM] * 4 and cells[9] == RANDOM
    assert "weights are random" in found.to_markdown()
    assert found.to_json()["weights"] == "random"
    assert found.to_json()["precisions"]["int8"]["all"]["cer"]["length"] == 30


def test_a_limit_is_spread_over_the_sets(bundle: Path, data: Path) -> None:
    groups = evaluate(bundle, data, precisions=["fp32"], limit=4).to_json()["precisions"]["fp32"]
    assert [groups[name]["recordings"] for name in ("all", "source tagged", "source words")] == [4, 2, 2]
    with pytest.raises(RecordingsError, match="limit of 0"):
        evaluate(bundle, data, limit=0)


def test_an_unknown_precision_is_named(bundle: Path, data: Path) -> None:
    with pytest.raises(UnknownPrecisionError, match="int3"):
        evaluate(bundle, data, precisions=["int3"])
    with pytest.raises(UnknownPrecisionError, match="fp64"):
        evaluate(bundle, data, reference="fp64")


def test_an_unreadable_recording_is_left_out_and_named(bundle: Path, tmp_path: Path) -> None:
    names = speakers_for(Purpose.TEST, "set", 2)
    folder = write_set(tmp_path / "set", [(name, "hello", "", "en", tone(HELLO_HZ)) for name in names])
    table = folder / "labels.tsv"
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([f"{lines[0]}\tduration_s", *(f"{line}\t2.0" for line in lines[1:])]), encoding="utf-8")
    (folder / "1.wav").write_bytes(b"no sound at all")
    found = evaluate(bundle, tmp_path, precisions=["fp32"])
    assert found.recordings == 1 and len(found.left_out) == 1 and "1.wav" in found.left_out[0]
    (folder / "0.wav").write_bytes(b"nor here")
    with pytest.raises(RecordingsError, match="none of the 2 test recordings"):
        evaluate(bundle, tmp_path, precisions=["fp32"])


@pytest.mark.parametrize(
    ("label", "language", "expected"),
    [
        ("calm", "en", {"language": "en", "emotion": "NEUTRAL"}),
        ("disgust", "ko", {"emotion": "DISGUSTED"}),
        ("person sneeze", "", {"event": "Sneeze"}),
        ("laughter", "", {"event": "Laughter"}),
        ("dog bark", "", {}),
        (None, "zh", {"language": "zh"}),
    ],
)
def test_labels_become_the_models_words(label: str | None, language: str, expected: dict[str, str]) -> None:
    fields = {"path": Path("x"), "source": "s", "text": None, "speaker": "", "duration_s": 1.0}
    assert expected_tags(Recording(label=label, language=language, **fields), languages=("en", "zh")) == expected
