"""Run the long version of one test of trust and print its figures.

    python -m tests.trust NAME [options] [--json FILE]

A command is a module of this folder with ``add_arguments(parser)`` and ``run(arguments) -> dict``; it raises AssertionError
where the product did not withstand.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import pkgutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def commands() -> dict[str, object]:
    """Name -> module, of every module here that is a command."""
    names = [module.name for module in pkgutil.iter_modules([str(HERE)]) if not module.name.startswith(("test_", "__"))]
    modules = {name: importlib.import_module(f"tests.trust.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "run") and hasattr(module, "add_arguments")}


def main() -> int:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    parser = argparse.ArgumentParser(prog="python -m tests.trust", description=__doc__.splitlines()[0])
    parsers = parser.add_subparsers(required=True, metavar="NAME")
    for name, module in commands().items():
        command = parsers.add_parser(name, help=module.__doc__.splitlines()[0])
        module.add_arguments(command)
        command.add_argument("--json", type=Path, help="write the figures here")
        command.set_defaults(run=module.run)
    arguments = parser.parse_args()
    figures = arguments.run(arguments)
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    print(text)
    if arguments.json:
        arguments.json.write_text(f"{text}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
