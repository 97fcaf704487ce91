"""The vocabulary of a ready-made folder: tokens.txt, tokens.json or the bpe model."""

from __future__ import annotations

import json
from pathlib import Path

from engine.speech.vocabulary import Vocabulary
from models.bundle.bpe_pieces import read_pieces
from models.export.graph_file import ExportError


def read_ready_pieces(folder: Path, *, vocab_size: int) -> list[str]:
    """The vocabulary of a ready-made folder in id order: tokens.txt, tokens.json or a bpe model.

    ExportError where there is none, or where it is not ``vocab_size`` long (0: the graph does not say, and is asked later).
    """
    text, listed = folder / "tokens.txt", folder / "tokens.json"
    if text.is_file():
        vocabulary, source = Vocabulary.load(text), text
        pieces = [vocabulary.piece(index) for index in range(len(vocabulary))]
    elif listed.is_file():
        pieces, source = _listed_pieces(listed), listed
    elif vocab_size and any(folder.glob("*.model")):
        return read_pieces(folder, vocab_size=vocab_size)
    else:
        raise ExportError(
            f"{folder} has no vocabulary: put tokens.txt (or tokens.json, or the bpe model *.model) of this very model beside the graph"
        )
    if vocab_size not in (0, len(pieces)):
        raise ExportError(
            f"{source} holds {len(pieces)} pieces where the graph has {vocab_size} outputs; take the tokens of this very model"
        )
    return pieces


def _listed_pieces(path: Path) -> list[str]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ExportError(f"{path} is not readable JSON ({type(error).__name__}); fetch it again") from error
    if isinstance(values, dict) and all(isinstance(index, int) for index in values.values()):
        numbered = sorted((index, piece) for piece, index in values.items())
        values = [piece for _, piece in numbered] if [index for index, _ in numbered] == list(range(len(values))) else None
    if not isinstance(values, list) or not values or not all(isinstance(piece, str) and piece and "\n" not in piece for piece in values):
        raise ExportError(f"{path} is not a list of pieces, nor pieces with ids from 0 on; fetch it again")
    return values
