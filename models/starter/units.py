"""The starter's output units: English pieces, the commonest Chinese characters, and SenseVoice's tag tokens."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path

import sentencepiece

from engine.tags import TAG_POSITIONS, piece_of

BLANK = "<blank>"
WORD_START = "▁"
TAG_START = "<|"
_FIRST_HAN = "\u4e00"


def learn_english(texts: Iterable[str], *, units: int) -> bytes:
    """Learn about ``units`` English pieces by byte-pair encoding: -> the serialized SentencePiece model."""
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(list(texts)),
        model_writer=trained,
        model_type="bpe",
        vocab_size=units,
        character_coverage=1.0,
        hard_vocab_limit=False,
        bos_id=-1,
        eos_id=-1,
        unk_id=0,
        minloglevel=2,
    )
    return trained.getvalue()


class EnglishPieces:
    """English text to the pieces of a SentencePiece model."""

    def __init__(self, model: bytes) -> None:
        self._model = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.pieces: list[str] = [self._model.id_to_piece(index) for index in range(1, self._model.get_piece_size())]

    def encode(self, text: str) -> list[str]:
        """The pieces that spell a text."""
        return list(self._model.encode(text, out_type=str))


def learn_units(english: Iterable[str], mandarin: Iterable[str], *, english_units: int, mandarin_min_count: int) -> tuple[list[str], bytes]:
    """Learn the unit table from training texts: -> (pieces with the blank first, the serialized English BPE model).

    A training from nothing wants few: with hundreds of rare ones CTC stays on the blank plateau for thousands of updates. A network that
    spells already takes the commonest words as units of their own (``train --init``) and misspells them no more.
    """
    model = learn_english(english, units=english_units)
    counts = Counter(character for text in mandarin for character in text)
    characters = sorted(character for character, count in counts.items() if count >= mandarin_min_count)
    tags = [piece_of(tag) for family in TAG_POSITIONS for tag in family]
    return [BLANK, *EnglishPieces(model).pieces, *characters, *tags], model


def pieces_of(bundle: Path) -> list[str]:
    """The units of a bundle in order."""
    return [line.rsplit(" ", 1)[0] for line in (bundle / "tokens.txt").read_text(encoding="utf-8").splitlines()]


def units_of(pieces: Sequence[str]) -> tuple[list[str], bytes]:
    """The unit table of a bundle as ``learn_units`` returns it: the pieces, and a SentencePiece model that spells with the English ones.

    Pieces of byte-pair encoding stand in the order in which they were joined, and that is all the model knows of them: a piece's score is
    its number, negated (https://github.com/google/sentencepiece).
    """
    from sentencepiece import sentencepiece_model_pb2 as messages

    english = list(takewhile(lambda piece: piece < _FIRST_HAN and not piece.startswith(TAG_START), pieces[1:]))
    # What normalizes the text comes from a model of its own making; its pieces are put in place of theirs.
    spelt = learn_english([piece.strip(WORD_START) for piece in english], units=len(english))
    model = messages.ModelProto.FromString(spelt)  # type: ignore[attr-defined]  # generated, without types
    unknown = model.pieces[0]
    del model.pieces[:]
    model.pieces.append(unknown)
    for number, piece in enumerate(english):
        model.pieces.add(piece=piece, score=-float(number))
    model.trainer_spec.vocab_size = len(model.pieces)
    return list(pieces), model.SerializeToString()


class SoundEncoder:
    """Text or pinyin to the sounds of the intermediate CTC: a few English pieces, and Mandarin's initials and finals."""

    def __init__(self, english: Sequence[str], sounds: Iterable[str]) -> None:
        self.pieces = [BLANK, *english, *sorted(set(sounds))]
        self._ids = {piece: index for index, piece in enumerate(self.pieces)}

    def encode(self, pieces: Sequence[str] | None) -> list[int] | None:
        """Ids of pieces or sounds; None if there are none or one is unknown."""
        ids = [self._ids.get(piece) for piece in pieces or ()]
        return None if not ids or None in ids else [int(index) for index in ids if index is not None]


class UnitEncoder:
    """Text to unit ids, for training targets."""

    def __init__(self, pieces: Sequence[str], english_model: bytes) -> None:
        self._ids = {piece: index for index, piece in enumerate(pieces)}
        self._english = EnglishPieces(english_model)

    def encode(self, text: str, *, characters: bool) -> list[int] | None:
        """Ids of a text, by character (Mandarin) or by piece (English); None if a unit is missing."""
        pieces = list(text) if characters else self._english.encode(text)
        ids = [self._ids.get(piece) for piece in pieces]
        return None if None in ids else [int(index) for index in ids if index is not None]
