"""What travels between machines loses nothing."""

from __future__ import annotations

import json

import numpy as np

from engine.cluster.wire import transcript_from_wire, transcript_to_wire
from tests.starter_facts import DIGITS


def test_a_transcript_comes_back_as_it_was(engine):
    sent = engine.transcribe(DIGITS)
    assert sent.segments[0].probabilities
    received = transcript_from_wire(json.loads(json.dumps(transcript_to_wire(sent))))
    assert received == sent
    assert np.array_equal(received.speech_track, sent.speech_track)
