"""`python -m models`: the workshop that turns official checkpoints into bundles the page can load."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from engine.errors import LightVoiceError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    random = commands.add_parser("random-checkpoint", help="write a checkpoint in the official layout with random weights")
    random.add_argument("folder", type=Path)
    random.add_argument("--size", choices=("full", "tiny"), default="full", help="full: SenseVoice-Small's 234 M parameters (default)")
    export = commands.add_parser("export", help="official checkpoint → bundle with FP32 graphs, each checked against its network")
    export.add_argument("checkpoint", type=Path, help="folder with SenseVoice-Small's model.pt, config.yaml, am.mvn and bpe model")
    export.add_argument("--vad", type=Path, help="folder with FSMN-VAD's checkpoint (default: vad/ in the first folder)")
    export.add_argument("--output", type=Path, required=True, help="bundle folder to write")
    export.add_argument("--name", default="sensevoice-small", help="name in bundle.json")
    quantize = commands.add_parser("quantize", help="add an INT8 variant to a bundle")
    quantize.add_argument("bundle", type=Path)
    quantize.add_argument("--recipe", choices=("dynamic",), default="dynamic")
    commands.add_parser("advise", help="which precision suits this machine, and why")
    return parser


def _run(arguments: argparse.Namespace) -> None:
    if arguments.command == "random-checkpoint":
        from models.random_checkpoint import write_random_checkpoint

        write_random_checkpoint(arguments.folder, size=arguments.size)
    elif arguments.command == "export":
        from models.assemble import assemble

        assemble(arguments.checkpoint, arguments.output, vad_folder=arguments.vad, name=arguments.name)
    elif arguments.command == "quantize":
        from models.assemble import add_dynamic_int8

        add_dynamic_int8(arguments.bundle)
    else:
        from engine.advisor import advise

        print(advise())


def main() -> int:
    """Run one command: 0 when done, 1 with one line when it failed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("root").setLevel(logging.INFO)
    try:
        _run(_parser().parse_args())
    except ModuleNotFoundError as error:
        print(f"this command needs {error.name}, which a slim install lacks; complete it with ./run.sh --full-install", file=sys.stderr)
        return 1
    except (LightVoiceError, OSError) as error:
        print(str(error).splitlines()[0], file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
