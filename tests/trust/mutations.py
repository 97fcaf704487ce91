"""Bytes → other bytes, as a broken disk, a cut connection or an attacker would make them; the same seed gives the same file."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

#: Numbers at which lengths and counts overflow, as little and big endian.
EDGES = tuple(
    value.to_bytes(width, order, signed=False)
    for width in (1, 2, 4, 8)
    for value in (0, 1, (1 << (8 * width - 1)) - 1, 1 << (8 * width - 1), (1 << (8 * width)) - 1)
    for order in ("little", "big")
)
HEADER_BYTES = 512
MOST_STEPS = 6

Mutation = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def _place(rng: random.Random, content: bytearray) -> int:
    """Headers decide more than samples: half of the places are in the first bytes."""
    most = len(content) if rng.random() < 0.5 else min(len(content), HEADER_BYTES)
    return rng.randrange(max(1, most))


def flip(rng: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    for _ in range(rng.choice((1, 1, 4, 32))):
        content[_place(rng, content)] ^= 1 << rng.randrange(8)


def overwrite(rng: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    place = _place(rng, content)
    value = rng.choice(EDGES)
    content[place : place + len(value)] = value


def noise(rng: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    place = _place(rng, content)
    length = rng.choice((1, 4, 16, 256))
    content[place : place + length] = rng.randbytes(length)


def cut(rng: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    del content[_place(rng, content) + 1 :]


def remove(rng: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    place = _place(rng, content)
    del content[place : place + rng.choice((1, 2, 4, 64, 1024))]


def repeat(rng: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    place, length = _place(rng, content), rng.choice((1, 4, 64, 1024))
    content[place:place] = content[place : place + length] * rng.choice((1, 2, 64))


def splice(rng: random.Random, content: bytearray, others: Sequence[bytes]) -> None:
    other = rng.choice(others)
    place = _place(rng, content)
    content[place:] = other[rng.randrange(max(1, len(other))) :]


MUTATIONS: tuple[Mutation, ...] = (flip, overwrite, noise, cut, remove, repeat, splice)


def mutated(seed: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """The seed after one to six mutations; never empty."""
    content = bytearray(seed)
    for _ in range(rng.randint(1, MOST_STEPS)):
        rng.choice(MUTATIONS)(rng, content, others)
        if not content:
            content += b"\0"
    return bytes(content)
