"""The cards of the installed bundles, and the job: everything escaped, in the reader's language."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.bundle import BrokenBundle, Bundle
from tests.ui.models.fake_workshop import FakeJob, FakeStep
from ui.models.cards_html import MOST_FIGURES, cards_html, job_html
from ui.models.state import StartedJob
from ui.text.texts import Texts

ENGLISH, CHINESE = Texts("en"), Texts("zh")


@pytest.fixture
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


def other(bundle: Bundle, **changes: object) -> Bundle:
    return msgspec.structs.replace(bundle, folder=bundle.folder.parent / "other", name="other", **changes)


def test_the_open_bundle_comes_first_and_says_so(bundle: Bundle) -> None:
    html = cards_html([other(bundle), bundle], bundle, ENGLISH)
    assert html.index('data-bundle="tiny" data-open="true"') < html.index('data-bundle="other" data-open="false"')
    assert html.count("open now") == 1
    assert "使用中" in cards_html([bundle], bundle, CHINESE)


def test_a_card_shows_sizes_licence_languages_recipes_and_figures(bundle: Bundle) -> None:
    rich = other(
        bundle,
        descriptions={"zh": "测试模型"},
        recipes={"int8": {"recipe": "prune, then dynamic", "amount": 0.1, "asr": {"layers": 3}}},
        metrics={"fp32": {"cer": 0.123456, "clips": 40}, "languages": ["en", "zh"]},
    )
    html = cards_html([rich], bundle, ENGLISH)
    for shown in ("FP32", "INT8", "MB", "Apache-2.0", "English, Mandarin" if rich.languages[0] == "en" else "Mandarin"):
        assert shown in html
    assert "prune, then dynamic · amount 0.1" in html
    assert "<dt>fp32 · cer</dt><dd>0.1235</dd>" in html and "<dd>en, zh</dd>" in html
    assert "测试模型" in cards_html([rich], bundle, CHINESE)


def test_many_figures_are_cut_and_none_are_not_announced(bundle: Bundle) -> None:
    html = cards_html([other(bundle, metrics={f"figure {number}": number for number in range(100)})], bundle, ENGLISH)
    assert html.count("<dt>figure") == MOST_FIGURES
    assert "Measured" not in cards_html([bundle], bundle, ENGLISH)


def test_a_broken_bundle_comes_last_with_its_reason(bundle: Bundle) -> None:
    broken = BrokenBundle(folder=Path("/bundles/<torn>"), reason="bundle.json: it is <not> JSON")
    html = cards_html([broken, bundle], bundle, ENGLISH)
    assert html.index("lv-broken") > html.index("open now")
    assert "it is &lt;not&gt; JSON" in html and "&lt;torn&gt;" in html
    assert "<torn>" not in html


def test_what_bundle_json_says_is_never_markup(bundle: Bundle) -> None:
    evil = "<script>alert(1)</script>"
    changed = other(
        bundle, title=evil, description=evil, licence=evil, source=evil, metrics={evil: evil}, recipes={"int8": {"recipe": evil}}
    )
    assert "<script>" not in cards_html([changed], bundle, ENGLISH)


def job(state: str = "running", **changes: object) -> StartedJob:
    one = FakeJob(Path("/bundles/made"))
    if state != "running":
        one.end(state, error=changes.pop("error", None))  # type: ignore[arg-type]
    one.progress = changes.pop("progress", None)  # type: ignore[assignment]
    return StartedJob(**{"kind": "fetch", "subject": "<small>", "job": one, **changes})


def test_before_the_first_job_there_is_nothing() -> None:
    assert job_html(None, ENGLISH) == ""


def test_a_running_job_shows_share_words_and_time_left() -> None:
    html = job_html(job(progress=FakeStep("model.pt  412 / 936 MB  3.2 MB/s", 0.44, 164)), ENGLISH)
    assert 'value="0.4400"' in html
    for shown in ("Downloading &lt;small&gt;", "44 %", "412 / 936 MB", "2 min 44 s left"):
        assert shown in html
    assert "剩余 2 min 44 s" in job_html(job(progress=FakeStep("x", 0.44, 164)), CHINESE)


def test_a_job_that_does_not_know_how_far_it_is_shows_a_bar_without_a_value() -> None:
    html = job_html(job(progress=FakeStep("making the bundle")), ENGLISH)
    assert "<progress" in html and "value=" not in html
    assert "making the bundle" in html and "Running" in html


def test_how_a_job_ended_is_said() -> None:
    assert "Now in /bundles/made" in job_html(job("done"), ENGLISH)
    assert "no model was changed" in job_html(job("cancelled", kind="quantize"), ENGLISH)
    assert "goes on from there" in job_html(job("cancelled"), ENGLISH)
    assert "goes on from there" not in job_html(job("cancelled", kind="quantize"), ENGLISH)
    failed = job_html(job("failed", error="huggingface.co: <no> route"), ENGLISH)
    assert "&lt;no&gt; route" in failed and "HF_ENDPOINT" in failed and "starter" in failed and "Bring a model" in failed
    assert "镜像" in job_html(job("failed", error="x"), CHINESE)
    assert "HF_ENDPOINT" not in job_html(job("failed", error="x", kind="quantize"), ENGLISH)
    assert "could not be opened anew: torn" in job_html(job("done", reopening_failed="torn"), ENGLISH)
    assert all("<progress" not in job_html(job(state), ENGLISH) for state in ("done", "failed", "cancelled"))
