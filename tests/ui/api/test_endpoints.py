"""The named endpoints as programs call them, through gradio_client over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

gradio_client = pytest.importorskip("gradio_client")
httpx = pytest.importorskip("httpx")

from engine.audio.waveform import load_audio  # noqa: E402 - after the skip
from engine.options import TranscribeOptions  # noqa: E402
from tests.ui.conftest import RunningPage  # noqa: E402
from ui.api.endpoints import uploaded_file  # noqa: E402
from ui.limits import Limits  # noqa: E402


@pytest.fixture
def client(page: RunningPage) -> Iterator[gradio_client.Client]:
    client = gradio_client.Client(page.address, verbose=False)
    yield client
    client.close()


def test_transcribe_answers_with_the_contract(client: gradio_client.Client, page: RunningPage, two_words: Path) -> None:
    answer = client.predict(audio=gradio_client.handle_file(str(two_words)), api_name="/transcribe")
    expected = page.engine.transcribe(load_audio(two_words), file="two words.wav").to_dict()
    assert answer == expected
    assert page.engine.calls[0] == TranscribeOptions()


def test_transcribe_passes_its_options_on(client: gradio_client.Client, page: RunningPage, two_words: Path) -> None:
    answer = client.predict(gradio_client.handle_file(str(two_words)), "en", False, "int8", api_name="/transcribe")
    assert answer["precision"] == "int8"
    assert page.engine.calls[-1] == TranscribeOptions(language="en", itn=False, precision="int8")


def test_a_program_that_knows_no_later_option_is_answered_as_before(page: RunningPage, two_words: Path) -> None:
    """Programs without Gradio's client send the arguments they know: those of the contract, or the recording alone."""
    with two_words.open("rb") as file:
        (uploaded,) = httpx.post(f"{page.address}/gradio_api/upload", files={"files": file}).json()
    recording = {"path": uploaded, "orig_name": "two words.wav", "meta": {"_type": "gradio.FileData"}}
    for arguments in ([recording, "en", False, "int8"], [recording]):
        call = httpx.post(f"{page.address}/gradio_api/call/transcribe", json={"data": arguments})
        answer = httpx.get(f"{page.address}/gradio_api/call/transcribe/{call.json()['event_id']}", timeout=60).text
        assert "event: complete" in answer and "three one four" in answer
    assert [one.language for one in page.engine.calls] == ["en", "auto"]
    call = httpx.post(f"{page.address}/gradio_api/call/transcribe", json={"data": []})
    assert "event: error" in httpx.get(f"{page.address}/gradio_api/call/transcribe/{call.json()['event_id']}", timeout=60).text


def test_compare_answers_with_both_sides(client: gradio_client.Client, two_words: Path) -> None:
    answer = client.predict(audio=gradio_client.handle_file(str(two_words)), api_name="/compare")
    assert (answer["left"]["precision"], answer["right"]["precision"]) == ("fp32", "int8")
    assert set(answer) == {"file", "duration_s", "left", "right", "text", "tags", "segments", "time", "memory", "rounds"}


def test_lightweight_mode_and_resources(client: gradio_client.Client, page: RunningPage) -> None:
    before = client.predict(api_name="/resources")
    assert set(before) == {"cpu_percent", "rss_mb", "threads", "sessions", "last_rtf", "gpu", "cores"}
    report = client.predict(True, api_name="/set_lightweight")
    assert report == {"precision": "int8", "freed_mb": 110.0, "rss_mb": 210.0}
    assert page.engine.lightweight
    assert client.predict(api_name="/resources")["rss_mb"] < before["rss_mb"]
    assert client.predict(on=False, api_name="/set_lightweight")["precision"] == "fp32"


def test_only_these_are_offered(client: gradio_client.Client) -> None:
    offered = client.view_api(return_format="dict", print_info=False)
    assert set(offered["named_endpoints"]) == {"/transcribe", "/compare", "/tracks", "/set_lightweight", "/resources"}
    assert offered["unnamed_endpoints"] == {}
    parameters = {
        name: [
            (parameter["parameter_name"], parameter["parameter_default"] if parameter["parameter_has_default"] else "required")
            for parameter in endpoint["parameters"]
        ]
        for name, endpoint in offered["named_endpoints"].items()
    }
    assert parameters["/transcribe"] == [
        ("audio", "required"),
        ("language", "auto"),
        ("itn", True),
        ("precision", "current"),
        ("channel", "auto"),
        ("track", 0),
        ("hotwords", ""),
        ("homophones", False),
        ("n_best", 1),
    ]
    assert parameters["/tracks"] == [("audio", "required")]
    assert parameters["/compare"] == [
        ("audio", "required"),
        ("language", "auto"),
        ("itn", True),
        ("left", "fp32"),
        ("right", "int8"),
        ("channel", "auto"),
        ("track", 0),
        ("hotwords", ""),
        ("homophones", False),
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"language": "zn"}, "unknown language 'zn'; choose one of auto, zh, en, yue, ja, ko"),
        ({"precision": "int3"}, "unknown precision 'int3'; this bundle holds current, fp32, int8"),
    ],
)
def test_a_wrong_option_is_refused_in_one_plain_line(
    client: gradio_client.Client, two_words: Path, options: dict[str, str], said: str
) -> None:
    with pytest.raises(gradio_client.exceptions.AppError) as caught:
        client.predict(audio=gradio_client.handle_file(str(two_words)), **options, api_name="/transcribe")
    assert str(caught.value) == said


def test_a_file_that_is_no_audio_is_refused_and_the_next_is_read(client: gradio_client.Client, two_words: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF and nothing more")
    with pytest.raises(gradio_client.exceptions.AppError, match=r"cannot read bad\.wav as audio"):
        client.predict(audio=gradio_client.handle_file(str(bad)), api_name="/transcribe")
    assert client.predict(audio=gradio_client.handle_file(str(two_words)), api_name="/transcribe")["segments"]


def test_a_recording_over_the_limit_is_refused(run_page: Callable[..., object], two_words: Path) -> None:
    with run_page(limits=Limits(duration_s=1.0)) as page:
        client = gradio_client.Client(page.address, verbose=False)
        with pytest.raises(gradio_client.exceptions.AppError, match="the limit is 1 s"):
            client.predict(audio=gradio_client.handle_file(str(two_words)), api_name="/transcribe")
        client.close()


@pytest.mark.parametrize("audio", [{"path": "/etc/hostname"}, {"path": "../../etc/hostname"}, {"path": ""}, {}, None, 7, "/etc/hostname"])
def test_a_path_that_nobody_uploaded_is_no_recording(page: RunningPage, audio: object) -> None:
    from engine.errors import AudioNotFoundError

    with pytest.raises(AudioNotFoundError):
        uploaded_file(audio)


def test_a_link_out_of_the_uploads_is_not_followed(page: RunningPage) -> None:
    from engine.errors import AudioNotFoundError

    link = page.files / "link.wav"
    link.symlink_to("/etc/hostname")
    with pytest.raises(AudioNotFoundError):
        uploaded_file({"path": str(link)})
