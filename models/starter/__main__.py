"""`python -m models.starter prepare|train|align|export|evaluate`: the recipe of the embedded bundle, step by step."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import yaml

from models.starter.corpus import CorpusError

HERE = Path(__file__).parent
log = logging.getLogger("models.starter")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.starter", description=__doc__)
    parser.add_argument("--config", type=Path, default=HERE / "config.yaml", help="the recipe's numbers (default: the bundle's own)")
    parser.add_argument("--work", type=Path, default=Path("work/starter"), help="features, checkpoints and logs (default: work/starter)")
    steps = parser.add_subparsers(dest="step", required=True)
    prepare = steps.add_parser("prepare", help="read the recordings, synthesize speech, compute features")
    prepare.add_argument("--data", type=Path, required=True, help="folder that holds the public sets named in README.md")
    prepare.add_argument("--without", action="append", default=[], metavar="SET", help="leave a set out, e.g. for its licence; repeatable")
    train = steps.add_parser("train", help="train ASR and VAD; goes on where it stopped")
    train.add_argument("--only", choices=("asr", "vad"), help="train one of the two")
    train.add_argument("--teacher", type=Path, help="FSMN-VAD model.onnx whose decisions label the VAD's training frames")
    train.add_argument("--meetings", type=Path, help="folder of pyannote's meeting extracts: trn and dev train and tune the VAD")
    train.add_argument("--epochs", type=int, help="override the number of epochs")
    train.add_argument("--minutes", type=float, help="time for the ASR training; the learning rate falls with it (default: by epochs)")
    train.add_argument("--init", type=Path, metavar="BUNDLE", help="begin with the ASR weights of a bundle of the same width")
    steps.add_parser("align", help="find the words in the recordings with the network trained so far; later epochs join them anew")
    export = steps.add_parser("export", help="write the bundle")
    export.add_argument("--output", type=Path, default=HERE / "bundle", help="bundle folder (default: the embedded one)")
    evaluate = steps.add_parser("evaluate", help="error rates of a bundle on the held-out speakers")
    evaluate.add_argument("--bundle", type=Path, default=HERE / "bundle")
    evaluate.add_argument("--data", type=Path, required=True)
    evaluate.add_argument("--precision", action="append", help="repeatable (default: fp32 and int8)")
    evaluate.add_argument("--json", type=Path, help="write the figures here")
    evaluate.add_argument("--card", type=Path, help="put the table of figures, and the log of the training, into this model card")
    return parser


def _run(arguments: argparse.Namespace) -> None:
    config = yaml.safe_load(arguments.config.read_text(encoding="utf-8"))
    if arguments.step == "prepare":
        from models.starter.prepare import prepare

        prepare(arguments.data, arguments.work, config, without=arguments.without)
    elif arguments.step == "train":
        from models.starter.prepare import FeatureStore

        store = FeatureStore(arguments.work)
        if arguments.only != "vad":
            from models.starter.train_asr import Trainer

            Trainer(store, config, arguments.work, init=arguments.init).run(epochs=arguments.epochs, minutes=arguments.minutes)
        if arguments.only != "asr":
            from models.starter.meetings import TUNING, read_meetings
            from models.starter.train_vad import train_vad

            heard = read_meetings(arguments.meetings, TUNING) if arguments.meetings else ()
            train_vad(store, config, arguments.work, teacher=arguments.teacher, meetings=heard)
    elif arguments.step == "align":
        from models.starter.alignment import align
        from models.starter.prepare import FeatureStore
        from models.starter.train_asr import Trainer

        trainer = Trainer(FeatureStore(arguments.work), config, arguments.work)
        if not trainer.checkpoint.exists():
            raise FileNotFoundError(f"{trainer.checkpoint} is not there: run `train --only asr` first, words are found by what it learnt")
        align(trainer.learner, trainer.maker, sources=list(config["train_asr"]["splice_shares"]))
    elif arguments.step == "export":
        from models.starter.export import export

        export(arguments.work, arguments.output, config)
    else:
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
            from models.starter.card import figures_table, fill, training_table

            fill(arguments.card, "figures", figures_table(figures))
            fill(arguments.card, "training", training_table(arguments.work / "asr.log.jsonl"))


def main() -> int:
    """Run one step; 0 when it is done, 2 with one line when it cannot be."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    arguments = _parser().parse_args()
    try:
        _run(arguments)
    except (CorpusError, FileNotFoundError) as error:
        print(f"{error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
