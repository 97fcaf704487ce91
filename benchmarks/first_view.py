"""What a browser meets when it opens the page: first paint, layout shift, what is asked and how much comes.

    python -m benchmarks.first_view [--rounds 5] [--json FILE]

Starts ``app.py`` on a free port and opens the page in Chromium, each time in a fresh profile, on a desk (1280 by 800) and on a phone
(390 by 844). Needs playwright and a Chromium (``LIGHTVOICE_CHROMIUM``, or on PATH). Layout shift is what browsers sum as CLS, without
that of clicks; requests are those that reach the server until the page stands and its first figures are drawn; the HTML is measured
as it is sent to a browser (gzip) and as it is. Times are of a loopback connection.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.command_line import figures_parser, print_bar, write_figures
from benchmarks.main_path import wait_for_address
from engine.bundle_roots import ROOT

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SCREENS = {"desk": (1280, 800), "phone": (390, 844)}
MOST_PAINT_MS, MOST_SHIFT, MOST_REQUESTS = 600, 0.05, 40
PATIENCE_MS = 60_000
WATCH = """
window.shifted = 0;
new PerformanceObserver((list) => list.getEntries().forEach((one) => { if (!one.hadRecentInput) window.shifted += one.value; }))
  .observe({ type: "layout-shift", buffered: true });
"""


@contextmanager
def served() -> Iterator[str]:
    """The address of a server of our own."""
    server = subprocess.Popen([sys.executable, str(ROOT / "app.py"), "--port", "0"], stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own program
    try:
        address = wait_for_address(server)
        threading.Thread(target=server.communicate, daemon=True).start()  # a log that nobody reads would fill its pipe
        yield address
    finally:
        server.terminate()
        server.wait(30)


def html_bytes(address: str) -> dict[str, int]:
    """The HTML as it is sent to a browser, and as it is."""
    sizes = {}
    for name, encoding in (("html_gzip_bytes", "gzip"), ("html_bytes", "identity")):
        with urlopen(Request(f"{address}/", headers={"accept-encoding": encoding})) as answer:  # noqa: S310 - our own server
            sizes[name] = len(answer.read())
    return sizes


def open_once(browser: Any, address: str, size: tuple[int, int]) -> dict[str, float]:
    """Open the page in a fresh profile until it stands."""
    context = browser.new_context(locale="en-US", viewport={"width": size[0], "height": size[1]})
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(WATCH)
    page, asked = context.new_page(), list[str]()
    page.on("request", lambda request: asked.append(request.url) if request.url.startswith(address) else None)
    page.goto(address)
    page.locator("#lv-loading").wait_for(state="detached")
    page.locator("#lv-resources .lv-tile").first.wait_for(state="attached")
    page.wait_for_load_state("load")
    paint, stands = page.evaluate("[performance.getEntriesByName('first-contentful-paint')[0].startTime, performance.now()]")
    found = {"first_paint_ms": paint, "stands_ms": stands, "layout_shift": page.evaluate("window.shifted"), "requests": len(asked)}
    context.close()
    return found


def main() -> None:
    """Measure, print, and write JSON where asked."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - --help does without it

    parser = figures_parser("first_view", __doc__)
    parser.add_argument("--rounds", type=int, default=5, help="pages opened on each screen; the first one is not counted (default: 5)")
    arguments = parser.parse_args()
    executable = os.environ.get("LIGHTVOICE_CHROMIUM") or next((path for name in BROWSERS if (path := shutil.which(name))), None)
    figures: dict[str, Any] = {}
    with served() as address, sync_playwright() as playwright:
        figures |= html_bytes(address)
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        for screen, size in SCREENS.items():
            open_once(browser, address, size)
            rounds = [open_once(browser, address, size) for _ in range(arguments.rounds)]
            figures[screen] = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
        browser.close()
    print(f"HTML {figures['html_gzip_bytes']} bytes as sent (gzip), {figures['html_bytes']} as it is")
    for screen in SCREENS:
        print_bar(f"{screen}: first paint, ms", figures[screen]["first_paint_ms"], MOST_PAINT_MS)
        print_bar(f"{screen}: layout shift", figures[screen]["layout_shift"], MOST_SHIFT)
        print_bar(f"{screen}: requests", figures[screen]["requests"], MOST_REQUESTS)
        print(f"       {screen}: the page stands after {figures[screen]['stands_ms']:.0f} ms")
    write_figures(arguments.json, figures)


if __name__ == "__main__":
    main()
