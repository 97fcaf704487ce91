"""The recipe of the embedded bundle, step by step: `python -m models.starter STEP`, in the order in which the steps are listed."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from models.starter.corpus import CorpusError

HERE = Path(__file__).parent
TEACHER = "teacher.pt"
log = logging.getLogger("models.starter")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.starter", description=__doc__)
    parser.add_argument("--config", type=Path, default=HERE / "config.yaml", help="the recipe's numbers (default: the bundle's own)")
    parser.add_argument("--work", type=Path, default=Path("work/starter"), help="features, checkpoints and logs (default: work/starter)")
    steps = parser.add_subparsers(dest="step", required=True)
    unlabelled = steps.add_parser("transcribe", help="texts for the English recordings that have none, by Whisper base; before prepare")
    unlabelled.add_argument("--data", type=Path, required=True)
    unlabelled.add_argument("--teacher", type=Path, required=True, help="folder with Whisper base's model.bin and tokenizer.json")
    pack = steps.add_parser("pack", help="recordings, or one file, in pieces for a machine without a network; see travel.py")
    what = pack.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path, help="folder that holds the public sets")
    what.add_argument("--file", type=Path, help="one file, such as trained weights")
    pack.add_argument("--without", action="append", default=[], metavar="SET", help="leave a set out; repeatable")
    pack.add_argument("--output", type=Path, required=True)
    pack.add_argument("--piece-mb", type=float, default=56.0, help="largest piece in MB (default: %(default)s)")
    unpack = steps.add_parser("unpack", help="put pieces together again")
    unpack.add_argument("pieces", type=Path)
    unpack.add_argument("--output", type=Path, required=True)
    prepare = steps.add_parser("prepare", help="read the recordings, synthesize speech, compute features")
    prepare.add_argument("--data", type=Path, required=True, help="folder that holds the public sets named in README.md")
    prepare.add_argument("--without", action="append", default=[], metavar="SET", help="leave a set out, e.g. for its licence; repeatable")
    prepare.add_argument(
        "--bundle", type=Path, help="keep the units and the CMVN of this bundle, for `train --init` with the same (default: learn them)"
    )
    begin = steps.add_parser("begin", help="read Whisper base, which the network begins with and learns from")
    begin.add_argument("teacher", type=Path, help="base.pt, model.safetensors or model.bin of Whisper base, or the folder that holds it")
    begin.add_argument("--any-teacher", action="store_true", help="take a file whose sha256 is not among those that were checked")
    distil = steps.add_parser("distil", help="teach the encoder to say what Whisper says; goes on where it stopped")
    distil.add_argument("--minutes", type=float, help="time for it, over all calls (default: config.yaml's)")
    distil.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")
    train = steps.add_parser("train", help="train ASR and VAD; goes on where it stopped")
    train.add_argument("--only", choices=("asr", "vad"), help="train one of the two")
    train.add_argument("--teacher", type=Path, help="FSMN-VAD model.onnx whose decisions label the VAD's training frames")
    train.add_argument("--meetings", type=Path, help="folder of pyannote's meeting extracts: trn and dev train and tune the VAD")
    train.add_argument("--epochs", type=int, help="override the number of epochs")
    train.add_argument("--minutes", type=float, help="time for the ASR training; the learning rate falls with it (default: by epochs)")
    train.add_argument(
        "--init", type=Path, metavar="BUNDLE", help="begin with the ASR weights of a bundle of the same width (default: what distil made)"
    )
    train.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")
    steps.add_parser("align", help="find the words in the recordings with the network trained so far; later epochs join them anew")
    _add_language_model(steps)
    _add_export(steps)
    _add_say(steps)
    _add_measures(steps)
    return parser


def _add_measures(steps: Any) -> None:
    odds = steps.add_parser("language-odds", help="how the language tags fare where those that the training heard little of are raised")
    odds.add_argument("--bundle", type=Path, default=HERE / "bundle")
    odds.add_argument("--data", type=Path, required=True)
    odds.add_argument("--precision", default="int8", help="default: %(default)s")
    evaluate = steps.add_parser("evaluate", help="error rates of a bundle on the held-out speakers")
    evaluate.add_argument("--bundle", type=Path, default=HERE / "bundle")
    evaluate.add_argument("--data", type=Path, required=True)
    evaluate.add_argument("--precision", action="append", help="repeatable (default: fp32 and int8)")
    evaluate.add_argument("--json", type=Path, help="write the figures here")
    evaluate.add_argument("--card", type=Path, help="put the table of figures, and the log of the training, into this model card")


def _add_say(steps: Any) -> None:
    say = steps.add_parser("say", help="speak a sentence with Kokoro: for the page's examples")
    say.add_argument("text")
    say.add_argument("--language", choices=("en", "zh"), default="en")
    say.add_argument("--voice", type=int, default=0, help="which of the voices, from 0 (default: %(default)s)")
    say.add_argument("--output", type=Path, required=True, help="WAV file, 16 kHz")


def _add_export(steps: Any) -> None:
    export = steps.add_parser("export", help="write the bundle")
    export.add_argument("--output", type=Path, default=HERE / "bundle", help="bundle folder (default: the embedded one)")
    export.add_argument("--vad", type=Path, help="folder of the official FSMN-VAD, model.onnx and am.mvn (default: the one trained here)")
    export.add_argument("--language-model", type=Path, help="what the step of that name wrote (default: none, greedy decoding)")


def _add_language_model(steps: Any) -> None:
    words = steps.add_parser("language-model", help="an n-gram model of pieces, from the training's texts and Debian packages")
    words.add_argument("--text", type=Path, action="append", default=[], help="more texts, one a line; repeatable")
    words.add_argument("--no-packages", action="store_true", help="from the training's texts and --text alone")
    words.add_argument("--output", type=Path, required=True)


Config = dict[str, Any]


def _transcribe(arguments: argparse.Namespace, config: Config) -> None:
    from models.starter.prepare import TEXTS_FILE
    from models.starter.public_sets import read_corpus
    from models.starter.transcribe_unlabelled import transcribe_unlabelled

    transcribe_unlabelled(read_corpus(arguments.data, config), arguments.teacher, arguments.work / TEXTS_FILE)


def _prepare(arguments: argparse.Namespace, config: Config) -> None:
    from models.starter.prepare import prepare

    prepare(arguments.data, arguments.work, config, without=arguments.without, bundle=arguments.bundle)


def _begin(arguments: argparse.Namespace, _: Config) -> None:
    import torch

    from models.starter.whisper import read_teacher

    weights = read_teacher(arguments.teacher, any_file=arguments.any_teacher)
    arguments.work.mkdir(parents=True, exist_ok=True)
    torch.save({name: value.half() for name, value in weights.items()}, arguments.work / TEACHER)
    log.info("wrote %s", arguments.work / TEACHER)


def _train(arguments: argparse.Namespace, config: Config) -> None:
    from models.starter.prepare import FeatureStore

    store = FeatureStore(arguments.work)
    if arguments.only != "vad":
        from models.starter.train_asr import Trainer

        trainer = Trainer(store, config, arguments.work, init=arguments.init, device=arguments.device)
        trainer.run(epochs=arguments.epochs, minutes=arguments.minutes)
    if arguments.only != "asr":
        from models.starter.meetings import TUNING, read_meetings
        from models.starter.train_vad import train_vad

        meetings = read_meetings(arguments.meetings, TUNING) if arguments.meetings else ()
        train_vad(store, config, arguments.work, teacher=arguments.teacher, meetings=meetings)


def _align(arguments: argparse.Namespace, config: Config) -> None:
    from models.starter.alignment import align
    from models.starter.prepare import FeatureStore
    from models.starter.train_asr import Trainer

    trainer = Trainer(FeatureStore(arguments.work), config, arguments.work)
    if not trainer.checkpoint.exists():
        raise FileNotFoundError(f"{trainer.checkpoint} is not there: run `train --only asr` first, words are found by what it learnt")
    align(trainer.learner, trainer.maker, sources=list(config["train_asr"]["splice_shares"]))


def _language_model(arguments: argparse.Namespace, config: Config) -> None:
    from engine.speech.decoding.language_model import PIECES
    from models.starter.language_counts import english_sentences, english_words, mandarin_pairs
    from models.starter.language_model import piece_encoder, texts_of, train
    from models.starter.prepare import FeatureStore

    store = FeatureStore(arguments.work)
    texts, held_out = texts_of(store.items, arguments.text)
    encode = piece_encoder(store.pieces, (arguments.work / "english.bpe").read_bytes())
    settings = config["n_grams"]
    fragments: list[tuple[str, int]] = []
    if not arguments.no_packages:
        texts += [(text, 1) for text in english_sentences()]
        fragments += english_words(one_in=settings["onboard_one_in"])
        fragments += mandarin_pairs(one_in=settings["libpinyin_one_in"])
    pruning = {"cutoffs": settings["cutoffs"], "least_gain": settings["least_gain"]}
    model = train(texts, fragments=fragments, min_count=1, held_out=held_out, encode=encode, kind=PIECES, **pruning)
    model.save(arguments.output)
    log.info("%d texts, %d n-grams, %.1f MB in %s", len(texts), len(model), arguments.output.stat().st_size / 1e6, arguments.output)


def _export(arguments: argparse.Namespace, config: Config) -> None:
    from models.starter.export import export

    export(arguments.work, arguments.output, config, vad=arguments.vad, language_model=arguments.language_model)


def _language_odds(arguments: argparse.Namespace, config: Config) -> None:
    from models.starter.language_odds import report

    print(report(arguments.bundle, arguments.data, config, precision=arguments.precision))


def _evaluate(arguments: argparse.Namespace, config: Config) -> None:
    from models.starter.card import figures_table, fill, training_table
    from models.starter.evaluate import evaluate

    figures = evaluate(
        arguments.bundle,
        arguments.data,
        config,
        precisions=arguments.precision or ["fp32", "int8"],
        report=arguments.json,
        made_events=arguments.work / "events",
    )
    if arguments.card is not None:
        fill(arguments.card, "figures", figures_table(figures))
        fill(arguments.card, "training", training_table(arguments.work / "asr.log.jsonl"))


def _distil(arguments: argparse.Namespace, config: Config) -> None:
    """Ask the teacher about every recording it was not asked about yet, then teach the student."""
    import torch

    from models.networks.sensevoice import SenseVoice
    from models.starter.batches import BatchMaker
    from models.starter.begin import begin_with_whisper
    from models.starter.distil import STUDENT, Distiller, begin_with_student
    from models.starter.prepare import FeatureStore
    from models.starter.teacher import TeacherRows, ask
    from models.starter.train_asr import MAX_POSITIONS, flushing_denormals, network_config
    from models.starter.whisper import WhisperEncoder

    path = arguments.work / TEACHER
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; run `python -m models.starter begin FILE` with the weights of Whisper base first")
    weights = {name: value.float() for name, value in torch.load(path, weights_only=True).items()}
    store, device = FeatureStore(arguments.work), arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    real = [item for item in store.items if item.split == "train" and not item.source.startswith(("tts-", "made-", "esc10"))]
    shortest = 100 * config["distil"]["shortest_s"]
    clean = [(item.path, item.frames) for item in real if item.speed == 1.0 and item.spoiling is None and item.frames >= shortest]
    ask(clean, arguments.work, WhisperEncoder(weights, device=device))
    torch.manual_seed(config["seed"])
    network = SenseVoice(network_config(config, vocab_size=len(store.pieces)), max_positions=MAX_POSITIONS)
    if (arguments.work / STUDENT).exists():
        begin_with_student(network, arguments.work / STUDENT)
    else:
        begin_with_whisper(network, weights)
    maker = BatchMaker(store, config, teacher=TeacherRows(arguments.work))
    with flushing_denormals():
        Distiller(network, maker, config, arguments.work, device=device).run(minutes=arguments.minutes or config["distil"]["minutes"])


def _pack(arguments: argparse.Namespace, _: Config) -> None:
    from models.starter.public_sets import READERS
    from models.starter.travel import pack_file, pack_folders

    if arguments.file is not None:
        pieces = pack_file(arguments.file, arguments.output, piece_mb=arguments.piece_mb)
    else:
        names = [name for name in READERS if name not in arguments.without]
        pieces = pack_folders(arguments.data, names, arguments.output, piece_mb=arguments.piece_mb)
    log.info("%d pieces in %s", len(pieces), arguments.output)


def _unpack(arguments: argparse.Namespace, _: Config) -> None:
    from models.starter.travel import unpack

    unpack(arguments.pieces, arguments.output)


def _say(arguments: argparse.Namespace, _: Config) -> None:
    import tempfile

    import numpy as np
    import soundfile

    from engine.audio.waveform import SAMPLE_RATE_HZ
    from models.starter.kokoro_voices import Kokoro, english_phonemes, mandarin_phonemes

    with tempfile.TemporaryDirectory() as folder:
        kokoro = Kokoro.open(Path(folder))
        if not 0 <= arguments.voice < len(kokoro.voices):
            raise CorpusError(f"there is no voice {arguments.voice}; choose 0 to {len(kokoro.voices) - 1}")
        shares = np.eye(len(kokoro.voices))[arguments.voice]
        phonemes = mandarin_phonemes(arguments.text) if arguments.language == "zh" else english_phonemes(arguments.text)
        soundfile.write(arguments.output, kokoro.speak(phonemes, shares=shares, speed=0.9), SAMPLE_RATE_HZ, subtype="PCM_16")


STEPS: dict[str, Callable[[argparse.Namespace, Config], None]] = {
    "pack": _pack,
    "unpack": _unpack,
    "transcribe": _transcribe,
    "prepare": _prepare,
    "begin": _begin,
    "distil": _distil,
    "train": _train,
    "align": _align,
    "language-model": _language_model,
    "export": _export,
    "say": _say,
    "language-odds": _language_odds,
    "evaluate": _evaluate,
}


def main() -> int:
    """Run one step; 0 when it is done, 2 with one line when it cannot be."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    arguments = _parser().parse_args()
    try:
        config = yaml.safe_load(arguments.config.read_text(encoding="utf-8"))
        STEPS[arguments.step](arguments, config)
    except (CorpusError, FileNotFoundError) as error:
        print(f"{error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
