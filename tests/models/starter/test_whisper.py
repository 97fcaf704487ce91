"""Whisper base as teacher and beginning: three file formats, the rows it is asked for, the student made of it, distillation."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch")
pytest.importorskip("librosa")
safetensors_torch = pytest.importorskip("safetensors.torch")

from models.networks.sensevoice import SenseVoice, SenseVoiceConfig  # noqa: E402 - torch decides whether this file runs
from models.starter.begin import FRONT_BLOCKS, begin_with_whisper, whisper_blocks  # noqa: E402
from models.starter.corpus import CorpusError  # noqa: E402
from models.starter.teacher import TeacherRows, ask, lfr_rows, read_index, rows_of  # noqa: E402
from models.starter.whisper import WIDTH, WhisperEncoder, read_teacher, teacher_file  # noqa: E402

PARTS = ("attn.query", "attn.key", "attn.value", "attn.out", "attn_ln", "mlp.0", "mlp.2", "mlp_ln")


def random_teacher(*, width: int = WIDTH, blocks: int = 6) -> dict[str, torch.Tensor]:
    """Random encoder weights by OpenAI's names, in half precision so that every format holds the same numbers."""
    generator = torch.Generator().manual_seed(0)

    def values(*sizes: int) -> torch.Tensor:
        return (0.05 * torch.randn(*sizes, generator=generator)).half()

    weights = {"conv1.weight": values(width, 80, 3), "conv2.weight": values(width, width, 3), "positional_embedding": values(1500, width)}
    weights |= {name: values(width) for name in ("conv1.bias", "conv2.bias", "ln_post.bias")} | {"ln_post.weight": 1 + values(width)}
    for block in range(blocks):
        for part in PARTS:
            out, into = {"mlp.0": (4 * width, width), "mlp.2": (width, 4 * width)}.get(part, (width, width))
            weights[f"blocks.{block}.{part}.weight"] = 1 + values(width) if part.endswith("_ln") else values(out, into)
            if part != "attn.key":
                weights[f"blocks.{block}.{part}.bias"] = values(out)
    return weights


def write_openai(weights: dict[str, torch.Tensor], path: Path) -> Path:
    state = {f"encoder.{name}": value for name, value in weights.items()} | {"decoder.ln.weight": torch.ones(3)}
    torch.save({"dims": {"n_audio_state": WIDTH}, "model_state_dict": state}, path)
    return path


def write_hugging_face(weights: dict[str, torch.Tensor], path: Path) -> Path:
    names = {"attn.query": "self_attn.q_proj", "attn.key": "self_attn.k_proj", "attn.value": "self_attn.v_proj"}
    names |= {"attn.out": "self_attn.out_proj", "attn_ln": "self_attn_layer_norm"}
    names |= {"mlp.0": "fc1", "mlp.2": "fc2", "mlp_ln": "final_layer_norm"}
    state = {}
    for name, value in weights.items():
        theirs = name.replace("blocks.", "layers.").replace("ln_post.", "layer_norm.")
        theirs = theirs.replace("positional_embedding", "embed_positions.weight")
        for ours, other in names.items():
            theirs = theirs.replace(f".{ours}.", f".{other}.")
        state[f"model.encoder.{theirs}"] = value.contiguous()
    safetensors_torch.save_file(state, str(path))
    return path


def write_ctranslate2(weights: dict[str, torch.Tensor], path: Path) -> Path:
    variables = {f"{name.split('.')[0]}/{name.split('.')[1]}": weights[name] for name in weights if name.startswith("conv")}
    variables["position_encodings/encodings"] = weights["positional_embedding"]
    variables |= {"layer_norm/gamma": weights["ln_post.weight"], "layer_norm/beta": weights["ln_post.bias"]}
    for block in sorted({int(name.split(".")[1]) for name in weights if name.startswith("blocks.")}):
        ours, theirs = f"blocks.{block}", f"layer_{block}"
        stacked = [weights[f"{ours}.attn.{part}.weight"] for part in ("query", "key", "value")]
        biases = [weights.get(f"{ours}.attn.{part}.bias", torch.zeros(WIDTH).half()) for part in ("query", "key", "value")]
        variables |= {
            f"{theirs}/self_attention/linear_0/weight": torch.cat(stacked),
            f"{theirs}/self_attention/linear_0/bias": torch.cat(biases),
        }
        for part, place in (("attn.out", "self_attention/linear_1"), ("mlp.0", "ffn/linear_0"), ("mlp.2", "ffn/linear_1")):
            variables |= {f"{theirs}/{place}/{kind}": weights[f"{ours}.{part}.{kind}"] for kind in ("weight", "bias")}
        for part, place in (("attn_ln", "self_attention/layer_norm"), ("mlp_ln", "ffn/layer_norm")):
            for kind, other in (("weight", "gamma"), ("bias", "beta")):
                variables[f"{theirs}/{place}/{other}"] = weights[f"{ours}.{part}.{kind}"]

    def text(value: str) -> bytes:
        encoded = value.encode() + b"\0"
        return struct.pack("<H", len(encoded)) + encoded

    data = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(variables))
    for name, value in variables.items():
        raw = value.numpy().astype(np.float16).tobytes()
        data += text(f"encoder/{name}") + struct.pack("<B", value.dim()) + struct.pack(f"<{value.dim()}I", *value.shape)
        data += struct.pack("<BI", 4, len(raw)) + raw
    path.write_bytes(data + struct.pack("<I", 0))
    return path


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return random_teacher()


@pytest.mark.parametrize(
    ("write", "name"), [(write_openai, "base.pt"), (write_hugging_face, "model.safetensors"), (write_ctranslate2, "model.bin")]
)
def test_every_format_gives_the_same_encoder(weights: dict, tmp_path: Path, write: object, name: str) -> None:
    path = write(weights, tmp_path / name)  # type: ignore[operator]
    assert teacher_file(tmp_path) == path
    read = read_teacher(tmp_path, any_file=True)
    assert set(weights) <= set(read)
    for key, value in weights.items():
        torch.testing.assert_close(read[key], value.float(), msg=key)
    with pytest.raises(CorpusError, match=r"which nobody has checked.*--any-teacher"):
        read_teacher(path)


def test_a_teacher_of_another_size_or_a_damaged_file_is_named(weights: dict, tmp_path: Path) -> None:
    small = write_openai(random_teacher(width=384, blocks=4), tmp_path / "tiny.pt")
    with pytest.raises(CorpusError, match="width 384 and 4 encoder blocks; the starter begins with base: 512 and 6"):
        read_teacher(small, any_file=True)
    whole = write_ctranslate2(weights, tmp_path / "model.bin")
    for cut in (10, len(whole.read_bytes()) // 2):
        broken = tmp_path / f"cut{cut}.bin"
        broken.write_bytes(whole.read_bytes()[:cut])
        with pytest.raises(CorpusError, match="cannot be read as CTranslate2's weights"):
            read_teacher(broken, any_file=True)
    with pytest.raises(CorpusError, match="WhisperSpec"):
        read_teacher(_other(tmp_path), any_file=True)
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(CorpusError, match=r"weights end in .pt, .safetensors, .bin, not in .onnx"):
        read_teacher(tmp_path / "model.onnx", any_file=True)
    lacking = {name: value for name, value in weights.items() if name != "blocks.3.mlp.2.weight"}
    with pytest.raises(CorpusError, match=r"lacks 1 of the encoder's weights, the first is blocks\.3\.mlp\.2\.weight"):
        read_teacher(write_openai(lacking, tmp_path / "lacking.pt"), any_file=True)
    with pytest.raises(CorpusError, match=r"holds no base\.pt"):
        teacher_file(tmp_path / "nowhere")


def _other(folder: Path) -> Path:
    path = folder / "other.bin"
    path.write_bytes(struct.pack("<IH", 6, 6) + b"Other\0" + struct.pack("<II", 1, 0))
    return path


def test_rows_lie_where_the_features_do() -> None:
    frames = torch.arange(12, dtype=torch.float32)[:, None].expand(12, 4)
    rows = rows_of(frames, 3)
    assert rows.shape == (3, 4)
    assert rows[:, 0].tolist() == pytest.approx([1 / 3, 3.0, 6.0])  # before the first frame lies nothing
    assert rows_of(frames, 6)[-1, 0] == 0.0
    assert [lfr_rows(frames_) for frames_ in (1, 6, 7, 12)] == [1, 1, 2, 2]


def tone(folder: Path, name: str, *, seconds: float) -> tuple[str, int]:
    samples = 0.1 * np.sin(2 * np.pi * 300 * np.arange(round(seconds * 16_000)) / 16_000)
    soundfile.write(folder / name, samples, 16_000)
    return str(folder / name), round(100 * seconds)


def test_the_teacher_is_asked_once_and_a_stop_loses_one_recording(weights: dict, tmp_path: Path) -> None:
    encoder = WhisperEncoder({name: value.float() for name, value in weights.items()})
    clips = [tone(tmp_path, f"{number}.wav", seconds=0.6 + 0.3 * number) for number in range(3)]
    assert ask(clips[:2], tmp_path, encoder) == 2
    whole = TeacherRows(tmp_path)
    assert len(whole) == 2 and whole.of(clips[0][0]).shape == (lfr_rows(clips[0][1]), 2, WIDTH)
    assert whole.of("nothing.wav") is None
    assert all(deviation > 0 for deviation in whole.deviations(every=1))
    kept = whole.of(clips[1][0]).copy()
    # As after a stop: half a recording's rows without a line, and half a line.
    with (tmp_path / "teacher.f16").open("ab") as handle:
        handle.write(b"\0" * 3_000)
    with (tmp_path / "teacher.jsonl").open("a", encoding="utf-8") as handle:
        handle.write('["half')
    assert ask(clips, tmp_path, encoder) == 1
    again = TeacherRows(tmp_path)
    assert [name for name, _, _ in read_index(tmp_path)] == [name for name, _ in clips]
    np.testing.assert_array_equal(again.of(clips[1][0]), kept)
    assert again.of(clips[2][0]).shape[0] == lfr_rows(clips[2][1])
    assert ask(clips, tmp_path, encoder) == 0
    (tmp_path / "teacher.f16").write_bytes(b"")
    with pytest.raises(CorpusError, match="shorter than"):
        TeacherRows(tmp_path)


def student(**sizes: object) -> SenseVoice:
    whole = {"output_size": WIDTH, "attention_heads": 8, "linear_units": 4 * WIDTH, "num_blocks": 4, "tp_blocks": 0, "activation": "gelu"}
    return SenseVoice(SenseVoiceConfig(vocab_size=11, **(whole | sizes))).eval()  # type: ignore[arg-type]


def test_the_students_blocks_say_what_whispers_say(weights: dict) -> None:
    given = {name: value.float() for name, value in weights.items()}
    encoder, network = WhisperEncoder(given), student(num_blocks=8)
    begin_with_whisper(network, given)
    x = torch.randn(1, 20, WIDTH, generator=torch.Generator().manual_seed(1))
    expected = got = x
    with torch.no_grad():
        for block in range(6):
            expected = encoder._block(expected, f"blocks.{block}")
        for block in list(network.encoder.encoders)[FRONT_BLOCKS - 1 :]:
            got = block(got, None)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_a_student_of_fewer_blocks_takes_them_evenly_and_other_sizes_are_refused(weights: dict) -> None:
    assert whisper_blocks(6) == [0, 1, 2, 3, 4, 5] and whisper_blocks(4) == [0, 2, 3, 5]
    given = {name: value.float() for name, value in weights.items()}
    with pytest.raises(CorpusError, match="must be 4 to 8"):
        begin_with_whisper(student(num_blocks=9), given)
    with pytest.raises(CorpusError, match="activation is relu, not gelu"):
        begin_with_whisper(student(activation="relu"), given)
    with pytest.raises(CorpusError, match="output_size is 256, not 512"):
        begin_with_whisper(student(output_size=256, linear_units=2048), given)


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(ValueError, match="'swish'; choose one of relu, gelu"):
        SenseVoiceConfig(activation="swish")


def test_distillation_resumes_and_brings_the_student_nearer(weights: dict, tmp_path: Path) -> None:
    from models.starter.batches import BatchMaker
    from models.starter.distil import Distiller, begin_with_student
    from models.starter.prepare import FeatureStore
    from tests.models.starter.small_recipe import small_config, small_store

    folder = small_store(tmp_path)
    meta = json.loads((folder / "store.json").read_text(encoding="utf-8"))
    rng = np.random.default_rng(3)
    index, end = [], 0
    for number, item in enumerate(meta["items"]):
        item["path"], item["source"] = f"{number}.wav", "speechocean762"
        index.append([item["path"], end, 40])
        end += 40
    (folder / "store.json").write_text(json.dumps(meta), encoding="utf-8")
    np.tile(rng.normal(0, 1, (1, 2, 32)), (end, 1, 1)).astype(np.float16).tofile(folder / "teacher.f16")  # one row is soon learnt
    (folder / "teacher.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in index), encoding="utf-8")
    config = small_config()
    config["asr"] |= {"num_blocks": 3, "tp_blocks": 0}
    config["distil"] |= {"batch_frames": 200, "front_share": 0.3}

    with pytest.MonkeyPatch.context() as patched:
        for module in ("batches", "teacher"):
            patched.setattr(f"models.starter.{module}.WIDTH", 32)
        patched.setattr("models.starter.distil.LOG_EVERY", 4)

        def distiller() -> Distiller:
            torch.manual_seed(0)
            network = SenseVoice(SenseVoiceConfig(vocab_size=len(meta["pieces"]), **config["asr"]))
            maker = BatchMaker(FeatureStore(folder), config, teacher=TeacherRows(folder))
            return Distiller(network, maker, config, folder, device="cpu")

        distiller().run(steps=8)
        resumed = distiller()
        assert resumed.step == 8 and resumed.spent_s > 0
        path = resumed.run(steps=40)
        assert resumed.step == 40
    entries = [json.loads(line) for line in (folder / "distil.log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert entries[-1]["output"] < entries[0]["output"]
    filled = SenseVoice(SenseVoiceConfig(vocab_size=7, **config["asr"]))
    begin_with_student(filled, path)
    assert torch.equal(filled.encoder.after_norm.weight, torch.load(path, weights_only=True)["encoder.after_norm.weight"])
    with pytest.raises(CorpusError, match="another size"):
        begin_with_student(SenseVoice(SenseVoiceConfig(vocab_size=7, **(config["asr"] | {"num_blocks": 2}))), path)
