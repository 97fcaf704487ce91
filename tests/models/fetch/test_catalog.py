"""The catalog: what it promises can be asked of a hub and made into a bundle."""

from __future__ import annotations

import dataclasses
from pathlib import PurePosixPath

import pytest

from models.evaluate.self_test import KNOWN_TEXTS, VAD_EXAMPLE
from models.export.ready_made import FULL_NAMES, OFFICIAL_FILES, QUANTIZED_NAMES
from models.fetch.catalog import CATALOG, Source, UnknownModelError, UnknownSourceError, find_model

REPOSITORIES = [
    pytest.param(repository, id=f"{model.name}-{source}-{repository.repo}")
    for model in CATALOG.values()
    for source, origin in model.origins.items()
    for repository in (origin.asr, origin.vad)
]


@pytest.mark.parametrize("repository", REPOSITORIES)
def test_what_must_be_there_is_a_layout_that_import_reads(repository):
    graphs = {*FULL_NAMES, *QUANTIZED_NAMES} & set(repository.files)
    assert set(OFFICIAL_FILES) <= set(repository.files) or graphs


@pytest.mark.parametrize("repository", REPOSITORIES)
def test_paths_stay_inside_the_folder_and_are_named_once(repository):
    names = [*repository.files, *repository.optional]
    assert len(names) == len(set(names))
    assert not any(PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts for name in names)
    assert len(repository.repo.split("/")) == 2 and repository.folder not in {"", ".", ".."}


@pytest.mark.parametrize("source", list(Source))
def test_the_official_model_comes_with_the_recordings_of_the_self_test(source):
    origin = find_model("sensevoice-small").origin(source)
    stems = {PurePosixPath(name).stem for name in (*origin.asr.optional, *origin.vad.optional)}
    assert stems == {known.stem for known in KNOWN_TEXTS} | {VAD_EXAMPLE}


def test_the_two_parts_of_a_model_do_not_share_a_folder():
    for model in CATALOG.values():
        for origin in model.origins.values():
            assert origin.asr.folder != origin.vad.folder


def test_every_model_says_what_it_is_and_what_it_weighs():
    for name, model in CATALOG.items():
        assert model.name == name and model.title and "FunASR" in model.licence
        assert 100 < model.download_mb < 2_000 and 100 < model.bundle_mb < 2_000


def test_entries_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        find_model("sensevoice-small").name = "other"


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(UnknownModelError) as unknown:
        find_model("whisper")
    assert "'whisper'" in str(unknown.value) and all(name in str(unknown.value) for name in CATALOG)
    with pytest.raises(UnknownSourceError, match=r"sensevoice-small-sherpa.*'modelscope'.*huggingface"):
        find_model("sensevoice-small-sherpa").origin("modelscope")
