"""The one value of options: what is read from text, what is refused, where an option may be named, what the command lines parse."""

from __future__ import annotations

import argparse
import ast
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.audio.read_options import CHANNELS, Channel, ReadOptions
from engine.cluster.__main__ import _parser as cluster_parser
from engine.cluster.job import BundleIdentity, Job
from engine.cluster.serve.protocol import received, split_options
from engine.command_line import add_transcribe_options, chosen_options, chosen_subtitles
from engine.errors import (
    HotwordControlCharacterError,
    HotwordsFileError,
    HotwordWeightError,
    OptionChoiceError,
    OptionError,
    OptionRangeError,
    UnknownChannelError,
    UnknownLanguageError,
    UnknownPrecisionError,
)
from engine.option_fields import flat_fields, parse_fields
from engine.options import CURRENT, DEFAULT_OPTIONS, N_BEST, VAD_AS_REQUEST, VAD_OFF, TranscribeOptions
from engine.speech.decoding.beam_search import BEAM
from engine.speech.decoding.hotwords import Hotword
from engine.speech.endpointing import VadOptions
from engine.subtitles.options import SubtitleOptions
from tests.reading import DECODER

ROOT = Path(__file__).resolve().parents[2]
#: Another value than the default for every option.
OTHERS = {
    "language": "ja",
    "itn": False,
    "ban_emo_unknown": True,
    "precision": "int8",
    "vad_precision": VAD_OFF,
    "hotwords": "张三\n重庆火锅 3.0",
    "homophones": True,
    "n_best": 3,
    "channel": "left",
    "track": 2,
    "speech_noise_threshold": 0.4,
    "speech_to_noise_ratio": 2.0,
    "window_ms": 300,
    "silence_to_speech_ms": 100,
    "speech_to_silence_ms": 100,
    "max_end_silence_ms": 500,
    "lookback_ms": 100,
    "lookahead_ms": 50,
    "max_segment_ms": 10_000,
    "min_decibel": -50.0,
}


# ---- values ----------------------------------------------------------------------------------------------------------


def test_every_option_is_read_typed_or_as_text_and_written_back() -> None:
    options = TranscribeOptions.parse(OTHERS)
    assert options == TranscribeOptions(
        language="ja",
        itn=False,
        ban_emo_unknown=True,
        precision="int8",
        vad_precision=VAD_OFF,
        vad=VadOptions(**{name: value for name, value in OTHERS.items() if name in VadOptions.__dataclass_fields__}),
        read=ReadOptions(channel=Channel.LEFT, track=2),
        hotwords=(Hotword("张三"), Hotword("重庆火锅", 3.0)),
        homophones=True,
        n_best=3,
    )
    assert options.to_dict() == OTHERS
    assert TranscribeOptions.parse(json.loads(json.dumps(options.to_dict()))) == options
    assert TranscribeOptions.parse({name: f" {value} " for name, value in OTHERS.items()}) == options
    assert all(value != DEFAULT_OPTIONS.to_dict()[name] for name, value in OTHERS.items())
    assert pickle.loads(pickle.dumps(options)) == options


def test_what_is_absent_is_the_default_and_other_names_are_left_alone() -> None:
    assert TranscribeOptions.parse({}) == TranscribeOptions.parse({"itn": None, "file": "a.wav", "vad": 3}) == DEFAULT_OPTIONS
    assert TranscribeOptions.parse({"max_end_silence_ms": 500.0, "itn": "0"}).vad.max_end_silence_ms == 500
    assert TranscribeOptions(language="zh-CN").language == TranscribeOptions.parse({"language": "Mandarin"}).language == "zh"


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"language": "zn"}, UnknownLanguageError, "unknown language 'zn'; choose one of auto, zh"),
        ({"language": ""}, UnknownLanguageError, "unknown language ''"),
        ({"itn": "perhaps"}, OptionChoiceError, "itn is 'perhaps'; choose one of true, false"),
        ({"ban_emo_unknown": 2}, OptionChoiceError, "ban_emo_unknown is 2; choose one of true, false"),
        ({"channel": "middle"}, UnknownChannelError, "unknown channel 'middle'; choose one of auto"),
        ({"track": "two"}, OptionRangeError, "track is 'two'; it must lie between 1 and 999"),
        ({"track": 0}, OptionRangeError, "track is 0"),
        ({"track": 1.5}, OptionRangeError, r"track is 1\.5"),
        ({"max_segment_ms": "long"}, OptionRangeError, "max_segment_ms is 'long'; it must lie between 500 and 60000"),
        ({"n_best": 0}, OptionRangeError, "n_best is 0; it must lie between 1 and 8"),
        ({"n_best": "many"}, OptionRangeError, "n_best is 'many'"),
        ({"hotwords": "张三 99.0"}, HotwordWeightError, r"the weight of 张三 is 99\.0; it must lie between 0\.1 and 10"),
        ({"hotwords": "a\x07b"}, HotwordControlCharacterError, r"line 1 holds the control character U\+0007"),
        ({"max_segment_ms": True}, OptionRangeError, "max_segment_ms is True"),
        ({"speech_noise_threshold": "loud"}, OptionRangeError, "speech_noise_threshold is 'loud'"),
        ({"speech_noise_threshold": "nan"}, OptionRangeError, "speech_noise_threshold is nan"),
        ({"speech_noise_threshold": [1]}, OptionRangeError, "speech_noise_threshold is "),
    ],
)
def test_a_value_that_is_not_on_offer_is_refused_with_the_remedy(values: dict, error: type[OptionError], words: str) -> None:
    with pytest.raises(error, match=words):
        TranscribeOptions.parse(values)


def test_as_many_readings_may_be_asked_for_as_the_search_keeps() -> None:
    assert N_BEST == (1, BEAM)
    assert not DEFAULT_OPTIONS.asks_for_search
    assert TranscribeOptions(n_best=2).asks_for_search
    assert TranscribeOptions(hotwords=(Hotword("张三"),)).asks_for_search


def test_precisions_are_those_of_the_bundle() -> None:
    TranscribeOptions(precision=CURRENT, vad_precision=VAD_AS_REQUEST).check(())
    TranscribeOptions(precision="fp16", vad_precision="int8").check(("fp16", "int8"))
    for name, known in (("precision", "current, fp32"), ("vad_precision", "same, off, fp32")):
        with pytest.raises(UnknownPrecisionError, match=f"'int3'; this bundle holds {known}"):
            TranscribeOptions(**{name: "int3"}).check(("fp32",))


def test_subtitles_are_read_the_same_way() -> None:
    options = parse_fields(SubtitleOptions, {"max_line_width": "30", "min_cue_ms": 900.0})
    assert options == SubtitleOptions(max_line_width=30, min_cue_ms=900)
    assert parse_fields(SubtitleOptions, flat_fields(options)) == options


# ---- where an option is named ----------------------------------------------------------------------------------------

#: Every edge that offers options. An option that is added is named in engine/options.py, in EFFECTS, and in some of these.
EDGES = {
    "engine/command_line.py",
    "ui/api/docs.py",
    "ui/api/endpoints.py",
    "ui/api/transcription_request.py",
    "ui/compare/actions.py",
    "ui/compare/panel.py",
    "ui/live/panel.py",
    "ui/live/routes.py",
    "ui/slim/slim_app.py",
    "ui/transcribe/form.py",
    "ui/transcribe/form_options.py",
    "ui/widgets/recording_form.py",
}
#: Where options have their effect, or where something else has the name.
EFFECTS = {
    "itn": {"engine/speech/recognizer.py", "engine/bundle.py"},
    "ban_emo_unknown": {"engine/speech/recognizer.py"},
    "vad_precision": {"engine/pipeline.py", "engine/runtime/session_pool.py", "engine/speech/channel_speech.py"},
    "hotwords": {
        "engine/speech/parts.py",
        "engine/speech/decoding/decoder.py",
        "engine/speech/decoding/hotwords.py",
        "engine/cluster/serve/protocol.py",
    },
    "homophones": {"engine/speech/parts.py", "engine/speech/decoding/decoder.py"},
    "n_best": {
        "engine/speech/parts.py",
        "engine/speech/span_recognizer.py",
        "engine/speech/decoding/beam_search.py",
        "engine/speech/decoding/decoder.py",
        "engine/cluster/archive/results.py",
    },
}
ENDPOINTING = {"engine/speech/endpointing.py", "engine/speech/speech_stream.py"}
#: Words that mean other things as well: a segment has a language, a session a precision, a container tracks.
WORDS_OF_MANY = {"language", "precision", "channel", "track"}


def product() -> Iterator[tuple[str, ast.Module]]:
    for path in [ROOT / "app.py", *sorted((ROOT / "engine").rglob("*.py")), *sorted((ROOT / "ui").rglob("*.py"))]:
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def names_in(tree: ast.AST) -> Iterator[str | None]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=name):
                yield name
            case ast.Constant(value=str(name)):
                yield name


def test_an_option_is_named_where_it_is_declared_where_it_takes_effect_and_at_the_edges() -> None:
    options = set(OTHERS) - WORDS_OF_MANY
    found: dict[str, set[str]] = {name: set() for name in options}
    for path, tree in product():
        for name in options & set(names_in(tree)):
            found[name].add(path)
    of_vad = set(VadOptions.__dataclass_fields__)
    for name, paths in found.items():
        assert paths - EDGES <= (ENDPOINTING if name in of_vad else {"engine/options.py", *EFFECTS[name]}), name


def test_no_class_and_no_signature_declares_the_options_anew() -> None:
    options = {name for name in OTHERS if name not in VadOptions.__dataclass_fields__}
    declared, taken = {}, {}
    for path, tree in product():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                own = {one.target.id for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)}
                declared[path, node.name] = own & options
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                taken[path, node.name] = {one.arg for one in (*node.args.args, *node.args.kwonlyargs)} & options
    several = {key for key, names in declared.items() if len(names) > 1}
    assert several == {
        ("engine/options.py", "TranscribeOptions"),
        ("engine/audio/read_options.py", "ReadOptions"),
        ("engine/transcript.py", "Segment"),  # the language and the channel of what was recognized
        ("ui/live/routes.py", "BlockQuery"),  # a route's parameters
        ("ui/widgets/recording_form.py", "RecordingOptions"),  # the controls of both
    }
    # Gradio makes an endpoint's parameters of a signature.
    decoder = {("engine/speech/decoding/decoder.py", name) for name in ("__init__", "_hotword_scorers")}  # what the options lead to
    endpoints = {("ui/api/endpoints.py", "transcribe"), ("ui/api/endpoints.py", "compare")}
    assert {key for key, names in taken.items() if len(names) > 1} == endpoints | decoder


# ---- the edges of the engine: command lines, served engine, archive ---------------------------------------------------

ARGUMENTS = [
    *("--language", "ja", "--no-itn", "--ban-emo-unknown", "--channel", "left", "--track", "2"),
    *("--hotwords", "张三, 重庆火锅 3.0", "--homophones", "--n-best", "3"),
    *("--speech-noise-threshold", "0.4", "--max-end-silence-ms", "500", "--max-segment-ms", "10000"),
]
OFFERED = TranscribeOptions(
    language="ja",
    itn=False,
    ban_emo_unknown=True,
    vad=VadOptions(speech_noise_threshold=0.4, max_end_silence_ms=500, max_segment_ms=10_000),
    read=ReadOptions(channel=Channel.LEFT, track=2),
    hotwords=(Hotword("张三"), Hotword("重庆火锅", 3.0)),
    homophones=True,
    n_best=3,
)


def test_a_command_line_parses_all_that_it_offers() -> None:
    parser = argparse.ArgumentParser()
    add_transcribe_options(parser)
    assert chosen_options(parser.parse_args(ARGUMENTS)) == OFFERED
    assert chosen_options(parser.parse_args([])) == DEFAULT_OPTIONS
    assert chosen_subtitles(parser.parse_args([])) == SubtitleOptions()
    offered = {name for name in OTHERS if f"--{name.replace('_', '-')}" in parser.format_help()}
    assert offered == {name for name, value in OFFERED.to_dict().items() if value != DEFAULT_OPTIONS.to_dict()[name]}
    assert all(channel in parser.format_help() for channel in CHANNELS)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gbk"])
def test_hotwords_on_a_command_line_are_a_file_or_a_text(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "names"
    file.write_text("张三\n重庆火锅 3.0\n", encoding=encoding)
    parser = argparse.ArgumentParser()
    add_transcribe_options(parser)
    assert chosen_options(parser.parse_args(["--hotwords", str(file)])).hotwords == OFFERED.hotwords
    for text, phrases in (("names", ["names"]), ("AC/DC;x" * 80, ["AC/DC", "x" + "AC/DC"]), ("", []), ("a\n/b.txt", ["a", "/b.txt"])):
        found = chosen_options(parser.parse_args(["--hotwords", text])).hotwords
        assert [hotword.phrase for hotword in found][:2] == phrases


@pytest.mark.parametrize("named", ["no such names.txt", "./names", "/no/such/file", "names.CSV"])
def test_the_name_of_a_file_that_is_not_there_is_no_hotword(named: str) -> None:
    parser = argparse.ArgumentParser()
    add_transcribe_options(parser)
    with pytest.raises(HotwordsFileError, match="give a text file"):
        chosen_options(parser.parse_args(["--hotwords", named]))


def test_an_archive_has_the_options_of_one_machine() -> None:
    arguments = cluster_parser().parse_args(["transcribe", "x", "--output", "y", "--precision", "int8", *ARGUMENTS])
    assert chosen_options(arguments) == TranscribeOptions.parse({**OFFERED.to_dict(), "precision": "int8"})


def test_every_option_reaches_a_replica_of_a_served_engine() -> None:
    options = TranscribeOptions.parse(OTHERS)
    own, head = split_options(options)
    assert "hotwords" not in own and len(head) % 4 == 0  # thousands are too long for an address, and samples lie on whole numbers
    values = json.loads(json.dumps({**own, "file": "a.wav", "samples": True}))
    with received(values, head + np.zeros(10, "<f4").tobytes(), decoder=DECODER) as request:
        assert (request.options, request.file, len(request.recording.samples)) == (options, "a.wav", 10)


def test_an_archive_s_results_are_those_of_its_options() -> None:
    identity = BundleIdentity("starter", "1", "00")
    jobs = [Job(bundle="b", identity=identity, options=TranscribeOptions.parse({name: value})) for name, value in OTHERS.items()]
    assert len({job.fingerprint for job in jobs}) == len(OTHERS)
    plain = Job(bundle="b", identity=identity)
    assert plain.precision == "fp32"
    assert plain.fingerprint == Job(bundle="elsewhere", identity=identity, threads=4, piece_s=1.0).fingerprint
