"""Chinese words by jieba's dictionary: what jieba itself finds without its guesses, and none of what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.subtitles.mandarin_words import mandarin_words

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "words",
    [
        "今天天气 真 好 我们 一起 去 公园 散步 吧",
        "他 从 马上 下来 说 人工智能 正在 改变 世界",
        "我们 研究 生命 的 起源 和 发展",
        "上海市政府 宣布 将 在 浦东新区 建设 新 的 国际 金融中心",
        "双方 就 进一步 加强 两国之间 的 经贸合作 关系",
        "呢 几个 字 都 表达",
    ],
)
def test_words_are_found(words: str) -> None:
    assert list(mandarin_words(words.replace(" ", ""))) == words.split()


@settings(deadline=None)
@given(
    st.text(st.one_of(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), st.sampled_from("的我们中国人民共和是一了")), min_size=1)
)
def test_the_words_joined_are_the_text(text: str) -> None:
    words = list(mandarin_words(text))
    assert "".join(words) == text
    assert all(1 <= len(word) <= 8 for word in words)


def test_the_dictionary_is_read_by_the_first_chinese_text_and_jieba_is_never_loaded_nor_writes_anything(tmp_path: Path) -> None:
    script = """
import sys
from engine.subtitles.mandarin_words import _frequencies
from engine.subtitles.unbroken import unbroken
for text in ("plain words 조금만 생각을", "今天天气真好", "弁当を買う"):
    unbroken(text, widest=42, east_asian=True)
    print(_frequencies.cache_info().currsize, [name for name in ("jieba", "budoux") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert done.stdout.splitlines() == ["0 []", "1 []", "1 ['budoux']"]
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
