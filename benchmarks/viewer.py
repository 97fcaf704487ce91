"""What a transcript of minutes or hours costs the page: elements, height, the time to select it, and how smoothly it scrolls.

    python -m benchmarks.viewer [--hours 0.5 3] [--rounds 5] [--chromium /usr/bin/chromium] [--json FILE]

The transcripts are made up (:mod:`benchmarks.long_transcript`); the page is served by this process, and a real Chromium shows it. *Select*
is from the click on the recording's row to the picture in which its first segment stands; *longest frame* is the longest time between two
pictures while the list is scrolled from end to end.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.command_line import figures_parser, markdown_table, print_bar, write_figures
from benchmarks.long_transcript import made_transcript
from benchmarks.shown_transcripts import OPEN_THE_QUEUE, Shown, shown_transcripts
from engine.audio.sandbox.decoder import Decoder
from engine.bundle import Bundle, resolve_bundle
from engine.bundle_roots import bundle_roots
from engine.pipeline import Engine

SELECT_WITHIN_S = 0.3
PATIENCE_MS = 120_000
_SECONDS_PER_HOUR = 3_600
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
#: Selects a recording: -> ms until its first segment was drawn.
_SELECT = """([row, file]) => new Promise((done) => {
    const began = performance.now();
    const drawn = () => document.querySelector('.lv-result-name')?.textContent === file && document.querySelector('#lv-list .lv-segment');
    const look = () => (drawn() ? requestAnimationFrame(() => done(performance.now() - began)) : requestAnimationFrame(look));
    document.querySelectorAll('.lv-row-name')[row].click();
    look();
})"""
#: Scrolls through the list in 120 steps: -> the longest time between two pictures, ms.
_SCROLL = """() => new Promise((done) => {
    const box = document.getElementById('lv-list-box'), whole = box.scrollHeight - box.clientHeight;
    let step = 0, last = performance.now(), longest = 0;
    const next = () => {
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
        step += 1;
        box.scrollTop = whole * step / 120;
        if (step < 120) requestAnimationFrame(next);
        else done(longest);
    };
    requestAnimationFrame(next);
})"""


def measure(shown: Shown, browser: Any, hours: Sequence[float], *, rounds: int) -> dict[str, dict[str, float]]:
    """The figures of a transcript of each length, by its hours; the recording before it is a short one. ``browser`` is Playwright's."""
    files = ["short.wav", *(f"{one:g} h.wav" for one in hours)]
    for file, length_h in zip(files, (0.01, *hours), strict=True):
        shown.add(made_transcript(length_h * _SECONDS_PER_HOUR, file=file))
    found: dict[str, dict[str, float]] = {}
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(OPEN_THE_QUEUE)
    page = context.new_page()
    page.goto(shown.address)
    page.locator("#lv-list .lv-segment").first.wait_for()
    for row, (file, length_h) in enumerate(zip(files[1:], hours, strict=True), start=1):
        selected_ms = []
        for _ in range(rounds):
            page.evaluate(_SELECT, [0, files[0]])
            selected_ms.append(page.evaluate(_SELECT, [row, file]))
        found[f"{length_h:g}"] = _figures(page) | {"select_s": statistics.median(selected_ms) / 1000}
    context.close()
    return found


def _figures(page: Any) -> dict[str, float]:
    counted = {
        "segments": "Number(document.getElementById('lv-table-count').textContent)",
        "page_nodes": "document.getElementsByTagName('*').length",
        "viewer_nodes": "document.querySelectorAll('#lv-viewer *').length",
        "page_height_px": "document.documentElement.scrollHeight",
    }
    return {name: page.evaluate(code) for name, code in counted.items()} | {"longest_frame_ms": page.evaluate(_SCROLL)}


def main() -> None:
    """Measure, print, and write JSON where asked."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - comes with requirements-test.txt

    parser = figures_parser("viewer", __doc__)
    parser.add_argument("--hours", type=float, nargs="+", default=[0.5, 3.0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chromium", default=shutil.which("chromium") or "/usr/bin/chromium")
    arguments = parser.parse_args()
    bundle = Bundle.load(resolve_bundle("starter", bundle_roots()))
    with closing(Engine(bundle)) as engine, closing(Decoder()) as decoder, tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "files"
        files.mkdir()
        with shown_transcripts(engine, decoder, files) as shown, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=arguments.chromium, args=list(_FLAGS))
            figures = measure(shown, browser, arguments.hours, rounds=arguments.rounds)
            browser.close()
    titles = ("hours", "segments", "elements of the page", "of the viewer", "page height, px", "select, s", "longest frame, ms")
    names = ("segments", "page_nodes", "viewer_nodes", "page_height_px")
    rows = [
        (hours, *(f"{one[name]:.0f}" for name in names), f"{one['select_s']:.2f}", f"{one['longest_frame_ms']:.0f}")
        for hours, one in figures.items()
    ]
    print(markdown_table(titles, rows))
    for hours, one in figures.items():
        print_bar(f"select {hours} h, s", one["select_s"], SELECT_WITHIN_S)
    write_figures(arguments.json, figures)


if __name__ == "__main__":
    main()
