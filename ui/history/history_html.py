"""The History tab as HTML; the page's script asks for the rows and puts them in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from markupsafe import Markup

from ui.history.kept_transcript import Keep, KeptTranscript
from ui.history.owners import person_of
from ui.history.search import excerpt
from ui.scheduling.recording_queue import Entry
from ui.text.failures import Failure
from ui.text.texts import Texts
from ui.transcribe.exports import DOWNLOADS
from ui.widgets.render import render

_TEMPLATE = "history/history"


def shell_html(texts: Texts) -> str:
    """The tab without its rows."""
    return render(_TEMPLATE, "shell", [choice.value for choice in Keep], texts)


def who_html(owner: str, count: int, days: int, texts: Texts) -> str:
    """Whose history it is, and how long transcripts stay in it."""
    return render(_TEMPLATE, "who", person_of(owner), count, days, texts)


def rows_html(rows: Sequence[KeptTranscript], query: str, texts: Texts, *, goes_on: bool = False) -> str:
    """Transcripts with the place where the words of ``query`` were found; a line in their place where there are none."""
    if not rows:
        return Markup() if goes_on else render(_TEMPLATE, "nothing", bool(query.strip()), texts)
    return Markup().join(
        render(
            _TEMPLATE,
            "row",
            row,
            datetime.fromtimestamp(row.made_s, UTC).isoformat("T", "seconds"),
            excerpt(row.text, query),
            DOWNLOADS,
            texts,
        )
        for row in rows
    )


def failure_html(failure: Failure, texts: Texts) -> str:
    """Why the history cannot be shown or changed."""
    return render(_TEMPLATE, "note", "", *failure.words(texts))


def not_kept_html(failure: Failure | None, texts: Texts) -> str:
    """Beside a transcript: that it is not in the history yet, and why; nothing where nothing is wrong."""
    return Markup() if failure is None else render(_TEMPLATE, "note", texts("history.not_kept"), *failure.words(texts))


def going_on_html(entries: Sequence[Entry], texts: Texts) -> str:
    """What is still transcribed for pages that were closed, and a button that cancels it; nothing where nothing is."""
    return render(_TEMPLATE, "going_on", entries, texts) if entries else Markup()


def set_aside_html(names: Sequence[str], texts: Texts) -> str:
    """That a damaged history lies on the server; nothing where there is none."""
    return render(_TEMPLATE, "set_aside", names, texts) if names else Markup()
