"""Texts → what a network might answer for them: frames of likeliest tokens, with tokens that it took for others.

No network has weights for such a vocabulary here, and a search does not care who made the frames. Every token is one frame between frames
of blanks; of some tokens another one is likelier. The times of a search on them are those of real frames, the recall is that of the search
alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from engine.speech.ctc import BLANK_ID
from engine.speech.decoding.top_tokens import TOKENS_A_FRAME, TopTokens
from engine.speech.vocabulary import WORD_START, Vocabulary

FRAME_S = 0.06
#: Frames of blanks around a token; how many tokens come out wrong; how likely the right one is then, and where it comes out right.
BLANKS = (1, 4)
WRONG_SHARE = 0.12
WRONG, RIGHT = (0.05, 0.45), (0.6, 0.98)
BLANK_SHARE = 0.995

#: SenseVoice's pieces, and what a stand-in has of them: characters in the standards' order, and parts of words of so many letters.
SENSEVOICE_PIECES = 25_055
_CONTROL = ("<unk>", "<s>", "</s>")
_PART_LETTERS = range(2, 9)
_OTHER_HAN, _OTHER_HANGUL = range(0x4E00, 0x9FA6), range(0xAC00, 0xD7A4)


def sensevoice_stand_in(texts: Iterable[str]) -> Vocabulary:
    """A vocabulary of SenseVoice's size and kind, where its own (a sentencepiece model that comes with the weights) is not at hand.

    One piece a Chinese character (GB 2312), kana and Hangul syllable (KS X 1001), every letter with and without the mark of a word's start,
    and the most frequent parts of the texts' English words; rarer characters fill it up.
    """
    characters = [*_encoded("gb2312", range(0xA4, 0xF8)), *_encoded("euc_kr", range(0xB0, 0xC9))]
    letters = [f"{mark}{chr(letter)}" for mark in ("", WORD_START) for letter in range(ord("a"), ord("z") + 1)]
    parts = Counter[str]()
    for text in texts:
        for word in text.lower().split():
            if word.isascii() and word.isalpha():
                marked = f"{WORD_START}{word}"
                parts.update(
                    marked[first : first + size] for first in range(len(marked)) for size in _PART_LETTERS if first + size <= len(marked)
                )
    known = list(dict.fromkeys([*_CONTROL, *letters, *characters]))
    frequent = [part for part, _ in parts.most_common() if part not in set(known)]
    rare = [chr(code) for code in (*_OTHER_HAN, *_OTHER_HANGUL)]
    return Vocabulary(list(dict.fromkeys([*known, *frequent, *rare]))[:SENSEVOICE_PIECES])


def _encoded(encoding: str, rows: Iterable[int]) -> list[str]:
    """The characters of some rows of a two-byte encoding."""
    found = (bytes((row, cell)).decode(encoding, "ignore") for row in rows for cell in range(0xA1, 0xFF))
    return [character for character in found if character]


class SyntheticNetwork:
    """Answers for texts in one vocabulary, drawn from a seed."""

    def __init__(self, vocabulary: Vocabulary, *, seed: int = 9527) -> None:
        self._random = np.random.default_rng(seed)
        self._ids = {vocabulary.piece(index): index for index in range(len(vocabulary)) if vocabulary.is_text(index)}
        self._others = np.array(sorted(self._ids.values()))
        self._longest = max(map(len, self._ids))

    def token_ids(self, text: str) -> list[int] | None:
        """A normalized text in the vocabulary's tokens, the longest first; None where it cannot be written."""
        found = []
        for word in text.split():
            rest = f"{WORD_START}{word}"
            while rest:
                piece = next((rest[:size] for size in range(min(len(rest), self._longest), 0, -1) if rest[:size] in self._ids), None)
                if piece is None and rest.startswith(WORD_START):
                    rest = rest[1:]
                    continue
                if piece is None:
                    return None
                found.append(self._ids[piece])
                rest = rest[len(piece) :]
        return found

    def frames(self, token_ids: Sequence[int]) -> TopTokens:
        """Frames (T, 16) that say the tokens, more or less."""
        rows = [self._frame({BLANK_ID: BLANK_SHARE})]
        for token_id in token_ids:
            rows += [self._frame({BLANK_ID: BLANK_SHARE}) for _ in range(int(self._random.integers(*BLANKS)))]
            if self._random.random() < WRONG_SHARE:
                right = self._random.uniform(*WRONG)
                other = int(self._random.choice(self._others[self._others != token_id]))
                rows.append(self._frame({other: 0.9 * (1 - right), token_id: right}))
            else:
                rows.append(self._frame({token_id: self._random.uniform(*RIGHT)}))
        ids, shares = np.array([list(row) for row in rows]), np.array([list(row.values()) for row in rows])
        order = np.argsort(-shares, axis=1, kind="stable")
        return TopTokens(np.take_along_axis(ids, order, axis=1), np.log(np.take_along_axis(shares, order, axis=1)))

    def _frame(self, known: dict[int, float]) -> dict[int, float]:
        """Sixteen tokens with their probabilities: those that are known, and any others that share nine tenths of what is left."""
        left = 1 - sum(known.values())
        rest = iter(0.9 * left * self._random.dirichlet(np.full(TOKENS_A_FRAME, 0.3)) + 1e-9)
        found = dict(known)
        while len(found) < TOKENS_A_FRAME:
            found.setdefault(int(self._random.choice(self._others)), float(next(rest, 1e-9)))
        return found
