"""The short version of the fuzzers, and Hypothesis on the same decoder."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.audio.sandbox.decoder import Decoder
from engine.bundle import Bundle
from engine.errors import BundleError
from engine.speech.features import Cmvn
from engine.speech.vocabulary import Vocabulary
from tests.trust.bundles import fuzz as fuzz_bundles
from tests.trust.corpus import write_corpus
from tests.trust.fuzz import Tally, fuzz, try_one
from tests.trust.mutations import MUTATIONS, mutated


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.close()


def test_mutants_of_every_container_are_decoded_or_refused(tmp_path: Path) -> None:
    figures = fuzz(tmp_path, files=250, seed=1)
    assert sum(figures["outcomes"].values()) == 250
    assert figures["outcomes"]["decoded"] > 25 and figures["outcomes"]["AudioDecodeError"] > 25  # neither untouched nor rubbish alone


def test_the_corpus_covers_both_libraries(corpus: list[Path]) -> None:
    assert len(corpus) >= 25
    assert {path.suffix for path in corpus} >= {".wav", ".flac", ".ogg", ".mp3", ".m4a", ".mp4", ".webm", ".mkv"}


def test_a_mutant_is_made_again_by_its_seed_and_every_mutation_changes_something() -> None:
    seed, others = bytes(range(256)) * 8, [b"other" * 300]
    assert mutated(seed, others, random.Random("7:1")) == mutated(seed, others, random.Random("7:1"))
    for mutation in MUTATIONS:
        changed = set()
        for number in range(20):
            content = bytearray(seed)
            mutation(random.Random(number), content, others)
            changed.add(bytes(content))
        assert len(changed - {seed}) > 5, mutation.__name__


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_hypothesis_makes_of_a_file_is_decoded_or_refused(data, corpus: list[Path], decoder: Decoder, tmp_path: Path) -> None:
    seed = data.draw(st.sampled_from(corpus))
    content = bytearray(seed.read_bytes())
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=8)), max_size=6)):
        content[place : place + len(value)] = value
    path = tmp_path / f"mutant{seed.suffix}"
    path.write_bytes(content)
    try_one(decoder, path, Tally())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    magic=st.sampled_from(
        [b"RIFF", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\x1aE\xdf\xa3", b"FORM", b"caff", b".snd", b"\0\0\0\x20ftyp", b""]
    ),
    rest=st.binary(min_size=1, max_size=300),
)
def test_bytes_behind_a_magic_word_are_decoded_or_refused(magic: bytes, rest: bytes, decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "magic.bin"
    path.write_bytes(magic + rest)
    try_one(decoder, path, Tally())


def test_mutants_of_a_bundle_are_used_or_refused(tmp_path: Path) -> None:
    figures = fuzz_bundles(tmp_path, files=25, seed=1)
    assert sum(figures["outcomes"].values()) == 25 and figures["crashed"] == []
    assert figures["outcomes"]["BundleFormatError"] > 3


FIELDS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), value=FIELDS)
def test_whatever_stands_in_a_manifest_is_read_or_refused(data, value: object, tiny_bundle: Path, tmp_path: Path) -> None:
    fields = json.loads((tiny_bundle / "bundle.json").read_text(encoding="utf-8"))
    place = fields
    for _ in range(data.draw(st.integers(0, 2))):
        inner = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[inner], dict) or not place[inner]:
            break
        place = place[inner]
    place[data.draw(st.sampled_from(sorted(place)))] = value
    (tmp_path / "bundle.json").write_text(json.dumps(fields), encoding="utf-8")
    with suppress(BundleError):
        Bundle.load(tmp_path, verify=False)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60) | st.from_regex(r"(\S{1,5} [0-9]{1,2}\n){0,6}", fullmatch=True))
def test_whatever_stands_in_tokens_and_cmvn_is_read_or_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(text, encoding="utf-8", errors="replace")
    with suppress(BundleError):
        Vocabulary.load(tmp_path / "file")
    (tmp_path / "file").write_text(f"<AddShift> {text} [ 1 2 ]\n<Rescale> [ {text} ]", encoding="utf-8", errors="replace")
    with suppress(BundleError):
        Cmvn.load(tmp_path / "file", expected_dim=2)
