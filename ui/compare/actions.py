"""What happens on the Compare tab: a run, its cancelling, its scores against a reference, its downloads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from engine.compare.compare import StoppedEarly, comparison_options
from engine.errors import OptionError
from engine.speech.endpointing import FRAME_MS
from ui.api.gradio_callers import has_left
from ui.compare.comparison_html import comparison_html, side_names
from ui.compare.exports import write_comparison
from ui.compare.reference_html import LONGEST_REFERENCE, reference_html, score_sides
from ui.compare.stop_requests import StopRequests
from ui.compare.variant_choices import VariantChoices
from ui.http.access.managing import may_manage
from ui.limits import Limits
from ui.models.state import ModelState
from ui.scheduling.kept_file import kept_file
from ui.scheduling.run_slots import RunSlots
from ui.scheduling.server_folders import ServerFolders
from ui.text.texts import Texts, texts_for
from ui.transcribe.exports import file_stem
from ui.widgets.engine_progress import engine_progress
from ui.widgets.handlers import no_recording, toasts
from ui.widgets.render import render
from ui.widgets.timeline import lanes_html

if TYPE_CHECKING:
    from engine.audio.sandbox.decoder import Decoder
    from engine.speech_engine import SpeechEngine

#: The options of the panel, in the order of its controls.
OPTION_CONTROLS = ("language", "itn", "hotwords", "homophones", "channel", "track")
#: How often a run that waits for a slot checks whether it was cancelled.
CANCEL_CHECK_S = 0.2


class CompareActions:
    """The listeners of the tab; inputs and outputs are in the order of ``panel.py``."""

    def __init__(
        self, *, engine: SpeechEngine, decoder: Decoder, models: ModelState, slots: RunSlots, limits: Limits, folders: ServerFolders
    ) -> None:
        self._engine, self._decoder, self._models, self._slots, self._limits = engine, decoder, models, slots, limits
        self._folders = folders
        self.choices = VariantChoices(engine, models.whole)
        self._stops = StopRequests()

    def offer(self, left: str, right: str, request: gr.Request) -> list[Any]:
        """The drop-downs with what is installed now, and a note; a choice that is still there is kept."""
        offered = self.choices.offered(others=self._may_open_others(request))
        known = {value for _, value in offered}
        texts = texts_for(request)
        note = gr.HTML(render("compare/comparison", "one_variant", texts), visible=len(offered) == 1)
        # A value that still stands is not sent back: the person may have chosen another one meanwhile.
        chosen: list[dict[str, Any]] = [
            {} if value in known else {"value": default} for value, default in zip((left, right), self.choices.defaults(), strict=True)
        ]
        return [*(gr.Dropdown(choices=offered, **value) for value in chosen), note]

    def _may_open_others(self, request: gr.Request) -> bool:
        """Whether the sender may open bundles beside the open one, which may take another gigabyte: only who manages the models."""
        return may_manage(self._models.managers, request)

    def begin(self, request: gr.Request) -> list[Any]:
        """A run begins: it can be cancelled, and no second one can be started."""
        self._stops.begin(str(request.session_hash))
        return [gr.Button(interactive=False), gr.Button(interactive=False), gr.Button(visible=True)]

    def stop(self, request: gr.Request) -> None:
        """Cancel was pressed."""
        self._stops.stop(str(request.session_hash))

    def end(self, request: gr.Request) -> list[Any]:
        """The run is over, whatever came of it."""
        self._stops.end(str(request.session_hash))
        return [gr.Button(interactive=True), gr.Button(interactive=True), gr.Button(visible=False)]

    def comparer(self, rounds: int) -> Callable[..., list[Any]]:
        """The listener that runs the comparison."""

        def compare(
            request: gr.Request,
            progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds the bar by this default
            *values: Any,
        ) -> list[Any]:
            audio, left, right, reference, *chosen = values
            texts = texts_for(request)
            with toasts(texts):
                if not audio:
                    raise no_recording(texts)
                _check_reference(reference)
                report = self._reporter(str(request.session_hash), engine_progress(progress, texts))
                try:
                    report(0, "decode")
                    others = self._may_open_others(request)
                    *others_chosen, track = chosen  # an empty number box sends 0
                    options = comparison_options(dict(zip(OPTION_CONTROLS, [*others_chosen, track or None], strict=True)))
                    sides = [self.choices.find(value, others=others) for value in (left, right)]
                    with kept_file(Path(audio), self._folders.requests) as recording, self._slot(str(request.session_hash)):
                        cancel_check = partial(report, 0.0, "decode")
                        most_s = self._limits.duration_s
                        waveform = self._decoder.load(recording, max_duration_s=most_s, cancel_check=cancel_check, read=options.read)
                        name = Path(audio).name
                        comparison = self._engine.compare(
                            waveform, options, left=sides[0], right=sides[1], rounds=rounds, file=name, progress=report
                        )
                except StoppedEarly:
                    gr.Info(texts("compare.cancelled"))
                    return [gr.skip()] * 7
                found = comparison.to_dict()
                left_name, right_name = side_names(found)
                first, second = comparison.left.transcript, comparison.right.transcript
                lanes = ((left_name, first.segments, first.speech_track), (right_name, second.segments, second.speech_track))
                drawing = lanes_html(waveform.samples, waveform.duration_ms, lanes, FRAME_MS, texts)
                scores, markdown, path = self._score_and_write(found, reference, texts)
                return [scores, comparison_html(found, texts), drawing, gr.Row(visible=True), markdown, path, path]

        return compare

    @contextmanager
    def _slot(self, page: str) -> Iterator[None]:
        """Wait for a slot, which all callers share, and keep it; StoppedEarly where Cancel was pressed meanwhile."""
        ticket = self._slots.ask(page)
        try:
            while not wait([ticket], timeout=CANCEL_CHECK_S).done:
                if self._is_cancelled(page):
                    raise StoppedEarly
            ticket.result()
            yield
        finally:
            self._slots.leave(ticket)

    def _reporter(self, page: str, shown: Callable[[float, str], None]) -> Callable[[float, str], None]:
        def report(fraction: float, stage: str) -> None:
            if self._is_cancelled(page):
                raise StoppedEarly
            shown(fraction, stage)

        return report

    def _is_cancelled(self, page: str) -> bool:
        """Whether Cancel was pressed, or the page is gone."""
        return self._stops.requested(page) or has_left(page)

    def rescore(self, reference: str, last: str | None, request: gr.Request) -> list[Any]:
        """The reference was changed: score the last comparison anew, and write its files anew."""
        texts = texts_for(request)
        with toasts(texts):
            if last is None or not Path(last).is_file():
                return [gr.skip()] * 3
            _check_reference(reference)
            return self._score_and_write(json.loads(Path(last).read_text(encoding="utf-8")), reference, texts)

    def _score_and_write(self, values: Mapping[str, Any], reference: str, texts: Texts) -> list[Any]:
        """The scores as HTML, and the paths of Markdown and JSON."""
        report = {**values, "reference": score_sides(reference, values)}
        stem = f"{file_stem(str(values['file']))}-comparison"
        markdown, path = write_comparison(report, self._folders.exports, stem=stem, texts=texts)
        return [reference_html(report["reference"], side_names(values), texts), str(markdown), str(path)]


def _check_reference(reference: str) -> None:
    if len(reference) > LONGEST_REFERENCE:
        raise OptionError(f"the reference has {len(reference)} characters, the limit is {LONGEST_REFERENCE}; compare a shorter recording")
