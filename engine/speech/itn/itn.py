"""Inverse text normalization (ITN) for models that leave numbers as words: number words → digits, every other character as it was.

A number is written in digits where its words can mean one number only; a form that may mean something else stays in words. 三点零五 may be
3.05 or five past three, "seven eleven" a shop, a time or a date, 三到五千 begin at three thousand. What is sure of English is in
:mod:`engine.speech.itn.english_numbers`, of Mandarin in :mod:`engine.speech.itn.mandarin_numbers`, of Japanese in
:mod:`engine.speech.itn.japanese_numbers`.

Why rules of our own: ``tests/engine/speech/itn/itn_right_answers.tsv`` holds right answers that were written before any of this. wetext
0.1.8, with the grammars of WeTextProcessing, changes the meaning of a quarter of them (几十个 -> 几10个, 三点一刻 -> 3.1刻, "wait a second"
-> "wait a 2nd"), drops spaces and rewrites units, and takes 54 MB of disk, 42 MB of memory and 0.3 s to import. text2num with cn2an, which
stood here before, know the value of a number but not whether words are one. docs/itn.md has the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import merge

from engine.speech.itn.itn_change import Change

__all__ = ["Change", "apply_itn", "changes", "rewritten"]


def apply_itn(text: str) -> str:
    """Write the numbers of an English, Mandarin or Japanese text in digits; all other characters stay as they are."""
    return rewritten(text, changes(text))


def changes(text: str) -> list[Change]:
    """The numbers of a text that are written in digits, in order; they neither overlap nor touch."""
    # Here, so that a start does not wait for rules that the first text needs: 0.05 s, 1.3 MB.
    from engine.speech.itn.english_numbers import english_changes  # noqa: PLC0415
    from engine.speech.itn.mandarin_numbers import mandarin_changes  # noqa: PLC0415

    found = list(merge(english_changes(text), mandarin_changes(text), key=lambda change: change.first))
    # Where one language's number ends in the other's ("twenty十个") neither is sure.
    touching = {place for place in range(1, len(found)) if found[place - 1].last == found[place].first}
    return [change for place, change in enumerate(found) if touching.isdisjoint({place, place + 1})]


def rewritten(text: str, numbers: Sequence[Change]) -> str:
    """A text with these numbers in digits."""
    parts, place = [], 0
    for number in numbers:
        parts += [text[place : number.first], number.written]
        place = number.last
    return "".join([*parts, text[place:]])
