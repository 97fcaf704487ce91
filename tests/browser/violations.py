"""What axe-core finds wrong with a page."""

from __future__ import annotations

from typing import Any

import pytest

axe_core = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core comes with requirements-test.txt")


SERIOUS = ("serious", "critical")


def serious_violations(page: Any) -> list[str]:
    """What axe-core calls serious or critical: rule, element, what is wrong with it."""
    # Colours are read where they end, not on their way there.
    page.add_style_tag(content="*, *::before, *::after { transition: none !important; animation: none !important; }")
    answer = axe_core.Axe().run(page, options={"resultTypes": ["violations"]}).response
    return [
        f"{violation['id']} {' '.join(map(str, node['target']))}: {node['failureSummary']} {node['html'][:200]}"
        for violation in answer["violations"]
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]
