"""Everything that is shown of one transcribed recording: player, timeline, transcript, table and downloads.

The segments are not in it: the viewer (ui/assets/viewer.js) asks for them (``viewer_data.py``) and draws those that are in view.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache

from engine.speech.endpointing import FRAME_MS
from engine.tags import Emotion, Event, Language
from ui.scheduling.recording_queue import Entry, Result
from ui.text.texts import Texts
from ui.transcribe.exports import DOWNLOADS
from ui.transcribe.viewer_data import viewer_state
from ui.widgets.render import render
from ui.widgets.tag_chips import EMOJI, FAMILIES
from ui.widgets.timeline import timeline_html

_MS_PER_S = 1000
#: What a person may choose from, and how fast the recording may be played.
_TAGS: Mapping[str, tuple[Language | Emotion | Event, ...]] = {"language": (*Language,), "emotion": (*Emotion,), "event": (*Event,)}
_SPEEDS = (0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 3)
#: The languages that texts are marked with, for fonts and voices (BCP 47).
_SPOKEN = {"zh": "zh-CN", "yue": "yue", "ja": "ja", "ko": "ko", "en": "en"}


def result_html(entry: Entry, result: Result, address: str, texts: Texts) -> str:
    """The result of an entry; ``address`` is where the routes answer for it, without a slash at the end."""
    transcript, segments = result.transcript, len(result.edits.segments if result.edits else result.transcript.segments)
    timeline = timeline_html(result.peaks, transcript.duration_s * _MS_PER_S, segments, transcript.speech_track, FRAME_MS, texts)
    said, state = viewer_words(texts.language), viewer_state(entry, result)
    return render("transcribe/result", "result", entry.name, result, timeline, address, DOWNLOADS, _SPEEDS, said, state, texts)


@cache
def viewer_words(language: str) -> str:
    """Every word that the viewer may need, as JSON: its texts, the names and emoji of the tags, the languages of texts."""
    texts = Texts(language)
    tags = {family: {tag.value: {"name": texts.tag(tag.value), "emoji": EMOJI[tag]} for tag in tags} for family, tags in _TAGS.items()}
    families = {family: texts(f"family.{family}") for family in FAMILIES}
    said = {name: texts.unfilled(f"segment.{name}") for name in texts.names("segment")}
    said |= {name: texts.unfilled(f"viewer.{name}") for name in texts.names("viewer")}
    said["no_text"] = texts("result.no_text")
    return json.dumps({"texts": said, "tags": tags, "families": families, "spoken": _SPOKEN}, ensure_ascii=False)
