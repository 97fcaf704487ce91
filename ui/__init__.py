"""The page: Gradio Blocks over an Engine that is handed in; everything a person reads or clicks.

``serve.py`` runs it, ``page.py`` lays it out, one ``*_panel.py`` a panel, ``*_html.py`` and ``timeline.py`` draw results,
``texts.py`` holds every visible word, ``handlers.py`` turns errors into toasts. It does no audio and no inference of its own.
"""

import engine  # noqa: F401 - before Gradio: it stops its reports (engine/telemetry.py)
