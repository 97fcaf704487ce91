"""Makes the page's examples, one for each thing that the product claims: ``python -m ui.examples.make_examples [NAME …]``.

An example is only good where the open model reads it right. The one that is there is kept if it is; else every rendering of a claim is
transcribed, and the first that comes out right is written. A claim that none of them shows is refused and taken from the page
(``examples.json`` lists what the page offers). Nobody's voice is in them: written sentences spoken by Debian's ``flite`` and
``espeak-ng`` and by Kokoro, and music that is computed here, so that they can be shipped under the project's licence. 16 kHz mono FLAC.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import soundfile

from engine.audio.waveform import SAMPLE_RATE_HZ, Waveform, load_audio
from engine.bundle import Bundle, resolve_bundle
from engine.bundle_roots import bundle_roots
from engine.compare.error_rate import score_against
from engine.pipeline import Engine
from engine.transcript import Transcript
from ui.examples.claims import CLAIMS, Claim
from ui.examples.rendering import Rendering, rendered
from ui.examples.shown import LIST, shown_examples

FOLDER = Path(__file__).parent


def read_right(claim: Claim, rendering: Rendering, transcript: Transcript) -> str | None:
    """What a transcript of a rendering shows of its claim wrongly; None where it shows it."""
    segments = transcript.segments
    for family, wanted in claim.tags.items():
        got = sorted({str(getattr(segment, family)) for segment in segments})
        if not set(wanted) <= set(got):
            return f"{family} is {', '.join(got) or 'none'} where {', '.join(wanted)} is meant"
    if rendering.text:
        score = score_against(rendering.written or rendering.text, transcript.text).cer
        if score is None or score.rate > 0:
            return f"reads {transcript.text!r}"
    return None


def make(engine: Engine, claim: Claim) -> list[str]:
    """Keep what is there if it is read right, else write the first rendering that is; what was wrong with each where none is."""
    path = FOLDER / f"{claim.name}.flac"
    if path.is_file():
        there = engine.transcribe(load_audio(path))
        if any(read_right(claim, rendering, there) is None for rendering in claim.renderings):
            return []
    wrong = []
    for rendering in claim.renderings:
        samples = rendered(rendering)
        fault = read_right(claim, rendering, engine.transcribe(Waveform(samples=samples, name=path.name)))
        if fault is None:
            soundfile.write(path, samples, SAMPLE_RATE_HZ, subtype="PCM_16")
            return []
        wrong.append(f"{rendering.text} ({rendering.voice}) {fault}")
    return wrong


def main() -> int:
    """Make what is named, or everything; 1 where a claim was refused."""
    parser = argparse.ArgumentParser(prog="python -m ui.examples.make_examples", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*CLAIMS, []], help=f"claims: {', '.join(CLAIMS)} (default: all)")
    parser.add_argument("--bundle", default="starter", help="the model that must read them (default: %(default)s)")
    arguments = parser.parse_args()
    names = arguments.names or list(CLAIMS)
    engine = Engine(Bundle.load(resolve_bundle(arguments.bundle, bundle_roots())))
    refused = {}
    try:
        for name in names:
            faults = make(engine, CLAIMS[name])
            if faults:
                refused[name] = faults
            sys.stderr.write(f"{name}: {'refused: ' + '; '.join(faults) if faults else 'written'}\n")
    finally:
        engine.close()
    kept = [name for name in CLAIMS if (name in shown_examples() or name in names) and name not in refused]
    LIST.write_text(
        json.dumps({"read_by": f"{engine.bundle.name} {engine.bundle.version}", "examples": kept}, indent=1) + "\n", encoding="utf-8"
    )
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
