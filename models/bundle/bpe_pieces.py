"""The vocabulary of a sentencepiece model (``*.model`` of an official folder), read without the sentencepiece package.

The file is a Protocol Buffers message whose field 1 repeats: one piece each, with its text in field 1
(https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto).
"""

from __future__ import annotations

from pathlib import Path

from models.export.graph_file import ExportError
from models.export.lean.wire import LENGTH, WireError, fields

_PIECE, _TEXT = 1, 1


def read_pieces(folder: Path, *, vocab_size: int) -> list[str]:
    """The vocabulary of an official folder's bpe model, in id order; ExportError if it is not ``vocab_size`` long."""
    models = sorted(folder.glob("*.model"))
    if not models:
        raise ExportError(f"{folder} has no bpe model (*.model); fetch the model again")
    try:
        pieces = _pieces(models[0].read_bytes())
    except (WireError, UnicodeDecodeError) as error:
        raise ExportError(f"{models[0]} is no sentencepiece model ({error}); fetch it again") from error
    if len(pieces) != vocab_size:
        raise ExportError(f"{models[0].name} holds {len(pieces)} pieces where the checkpoint has {vocab_size} outputs")
    return pieces


def _pieces(data: bytes) -> list[str]:
    found = []
    for piece in fields(data, 0, len(data)):
        if piece.number == _PIECE and piece.wire_type == LENGTH:
            inside = fields(data, piece.start, piece.stop)
            text = next((field for field in inside if field.number == _TEXT and field.wire_type == LENGTH), None)
            found.append("" if text is None else data[text.start : text.stop].decode("utf-8"))
    return found
