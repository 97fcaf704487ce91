"""One decoder for all tests that read files as a server does; its worker processes end with the tests."""

from __future__ import annotations

from engine.audio.sandbox.decoder import Decoder

DECODER = Decoder()
