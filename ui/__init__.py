"""The page: Gradio Blocks over an Engine that is handed in; everything a person reads or clicks.

``serve.py`` runs it, ``page.py`` lays it out; each tab and each concern has a folder. ``*_html.py`` draw results, ``text/locales``
holds every visible word, ``widgets/handlers.py`` turns errors into toasts. It does no audio and no inference of its own.
"""

import engine  # noqa: F401 - before Gradio: it stops its reports (engine/runtime/telemetry.py)
