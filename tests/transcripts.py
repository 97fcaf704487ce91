"""Segments and transcripts for tests: with and without tokens, spoken word by word, and random ones."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from engine.tags import Emotion, Event, Language
from engine.transcript import Segment, TagConfidence, Timing, Token, Transcript

TIMING = Timing(decode_s=0.1, features_s=0.1, vad_s=0.1, asr_s=0.1, total_s=0.4, rtf=0.04)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerSegment(Segment):
    """A segment of a transcript that tells speakers apart."""

    speaker: str | None = None


def tokens_of(*pieces: tuple[str, int, int, float]) -> tuple[Token, ...]:
    """Tokens from (text, start_ms, end_ms, confidence)."""
    return tuple(Token(text=text, start_ms=start_ms, end_ms=end_ms, confidence=sure) for text, start_ms, end_ms, sure in pieces)


def segment(start_ms: int, end_ms: int, text: str, tokens: tuple[Token, ...] = (), *, speaker: str | None = None) -> SpeakerSegment:
    return SpeakerSegment(
        start_ms=start_ms,
        end_ms=end_ms,
        text=text,
        language=Language.EN,
        emotion=Emotion.NEUTRAL,
        event=Event.SPEECH,
        confidence=TagConfidence(language=1.0, emotion=1.0, event=1.0),
        tokens=tokens,
        speaker=speaker,
    )


def transcript(*segments: Segment, duration_s: float | None = None) -> Transcript:
    length_s = max((one.end_ms for one in segments), default=0) / 1000 if duration_s is None else duration_s
    return Transcript(file="a.wav", duration_s=length_s, bundle="tiny", precision="int8", segments=segments, timing=TIMING)


def spoken(words: list[str], *, start_ms: int = 0, step_ms: int = 400, pieces: str = "▁{}") -> SpeakerSegment:
    """Words said one every ``step_ms``, with tokens."""
    tokens = tuple(
        Token(text=pieces.format(word), start_ms=start_ms + index * step_ms, end_ms=start_ms + (index + 1) * step_ms - 50, confidence=0.9)
        for index, word in enumerate(words)
    )
    joined = (" " if "▁" in pieces else "").join(words)
    return segment(start_ms, start_ms + len(words) * step_ms, joined, tokens)


_ENGLISH = """the of and I a you go going something recognition however, yes. Right? well; it's 25% 3.5 -- --> & <i>"""
_CHINESE = "我们 中华人民共和国 的 了， 识别 准确率。 “你好” （笑） 二零二四年 25年 模型 Python 、 ！"
_OTHERS = "うちの 中学は 弁当制で、 ありがとうございました。 ー っ 조금만 생각을 하면서 หวัดดีครับวันนี้อากาศดีมาก é 👩\u200d👩\u200d👧 ﬁ"
_LONG = ("x" * 100, "https://example.com/a-long/address?with=many&parts", "哈" * 60, "—" * 50, "！" * 50, "e\u0301" * 60)

#: Words of every kind that a transcript may hold, each as it stands in the text.
_WORDS = st.one_of(
    *(st.sampled_from(words.split()) for words in (_ENGLISH, _CHINESE, _OTHERS)),
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.sampled_from(_LONG),
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Words of all kinds, some with a space between them, some without."""
    words = draw(st.lists(st.tuples(_WORDS, st.sampled_from([" ", " ", "", "\n", "\u3000"])), max_size=40))
    return "".join(word + space for word, space in words)


@st.composite
def segments(draw: st.DrawFn, start_ms: int, speaker: str | None) -> SpeakerSegment:
    """A segment of any length, with tokens for its words, for some of them, for others, or with none."""
    length_ms = draw(st.one_of(st.integers(0, 900), st.integers(0, 30_000)))
    text = draw(texts())
    tokens: list[Token] = []
    if draw(st.booleans()):
        step_ms = length_ms / max(1, len(text.split()))
        for index, word in enumerate(text.split()):
            if draw(st.integers(0, 9)):
                begins_ms = start_ms + round(index * step_ms)
                tokens.append(Token(text=f"▁{word}", start_ms=begins_ms, end_ms=begins_ms + round(step_ms * 0.7), confidence=0.5))
    return segment(start_ms, start_ms + length_ms, text, tuple(tokens), speaker=speaker)


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    """Segments that follow one another, of one speaker or of two who may speak at the same time, and some silence at the end."""
    found: list[Segment] = []
    for speaker in draw(st.sampled_from([(None,), ("left", "right")])):
        time_ms = 0
        for _ in range(draw(st.integers(0, 5))):
            time_ms += draw(st.one_of(st.just(0), st.integers(0, 1_200), st.integers(0, 20_000)))
            found.append(draw(segments(time_ms, speaker)))
            time_ms = found[-1].end_ms
    found.sort(key=lambda one: one.start_ms)
    last_ms = max((one.end_ms for one in found), default=0) + draw(st.integers(0, 3_000))
    return transcript(*found, duration_s=last_ms / 1000)
