"""Who is let in, what a wrong file says, and how often one may be wrong."""

from __future__ import annotations

import base64
import logging
from pathlib import Path

import pytest

from engine.errors import OptionError
from ui.http.access.attempt_limit import AT_ONCE, FORGOTTEN_AFTER_S, AttemptLimit
from ui.http.access.credentials import AUTH_VARIABLE, KEYS_VARIABLE, Credentials, read_credentials

KEY = "k" * 24


def basic(person: str) -> str:
    return f"Basic {base64.b64encode(person.encode()).decode()}"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (AUTH_VARIABLE, KEYS_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def test_persons_and_keys_are_known_and_nobody_else() -> None:
    credentials = Credentials(persons=["张三:pass:word é", "bo:secret"], keys=[KEY])
    assert credentials.caller(basic("张三:pass:word é")) == "person:张三"
    assert credentials.caller(basic("bo:secret")) == "person:bo"
    assert str(credentials.caller(f"Bearer {KEY}")).startswith("key:")
    assert KEY not in str(credentials.caller(f"bearer {KEY}"))
    for wrong in ("", "Basic", "Basic !!", basic("bo:Secret"), basic("bo"), basic(KEY), f"Bearer {KEY}x", f"Digest {KEY}", "Basic /w=="):
        assert credentials.caller(wrong) is None, wrong


def test_what_is_kept_in_memory_is_no_password() -> None:
    credentials = Credentials(persons=["bo:a long secret"], keys=[KEY])
    assert "a long secret" not in repr(vars(credentials))
    assert KEY not in repr(vars(credentials))


def test_credentials_come_from_files_or_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = tmp_path / "people"
    people.write_text("# who may come in\n\nbo:secret\nan:other\n", encoding="utf-8")
    people.chmod(0o600)
    monkeypatch.setenv(KEYS_VARIABLE, f"{KEY}\n{'z' * 20}\n")
    credentials = read_credentials(auth=people)
    assert credentials.for_page and credentials.for_programs
    assert credentials.caller(basic("an:other")) and credentials.caller(f"Bearer {'z' * 20}")
    monkeypatch.setenv(AUTH_VARIABLE, "eve:mine")
    assert read_credentials(auth=people).caller(basic("eve:mine")) is None  # the file is what was asked for
    assert read_credentials().caller(basic("eve:mine")) == "person:eve"


def test_without_any_everybody_comes_in() -> None:
    credentials = read_credentials()
    assert not credentials.for_page and not credentials.for_programs


@pytest.mark.parametrize("text", ["bo", "bo:", ":secret"])
def test_a_line_that_is_no_person_is_named_without_its_password(tmp_path: Path, text: str) -> None:
    file = tmp_path / "people"
    file.write_text(f"an:other\n{text}\n", encoding="utf-8")
    with pytest.raises(OptionError, match="entry 2 is not NAME:PASSWORD") as refused:
        read_credentials(auth=file)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("key", ["short", "with a space in between", "schlüssel-mit-umlaut"])
def test_a_key_that_can_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv(KEYS_VARIABLE, key)
    with pytest.raises(OptionError, match=r"entry 1 is not 16 or more .*openssl rand") as refused:
        read_credentials()
    assert key not in str(refused.value)


def test_a_file_that_cannot_be_read_or_holds_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--auth: cannot read .*No such file"):
        read_credentials(auth=tmp_path / "none")
    (tmp_path / "empty").write_text("# nobody\n", encoding="utf-8")
    with pytest.raises(OptionError, match=r"--api-keys: .*holds no entry"):
        read_credentials(api_keys=tmp_path / "empty")


def test_a_file_that_others_can_read_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "people"
    file.write_text("bo:secret\n", encoding="utf-8")
    for mode, warned in ((0o644, True), (0o600, False)):
        file.chmod(mode)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            read_credentials(auth=file)
        assert ("chmod 600" in caplog.text) is warned


def test_an_address_that_is_wrong_too_often_waits_and_others_do_not() -> None:
    now_s = [0.0]
    limit = AttemptLimit(clock_s=lambda: now_s[0])
    for _ in range(AT_ONCE):
        assert limit.wait_s("1.2.3.4") == 0
        limit.failed("1.2.3.4")
    assert limit.wait_s("1.2.3.4") == FORGOTTEN_AFTER_S
    assert limit.wait_s("5.6.7.8") == 0
    now_s[0] += FORGOTTEN_AFTER_S
    assert limit.wait_s("1.2.3.4") == 0
    limit.failed("1.2.3.4")
    assert limit.wait_s("1.2.3.4") == FORGOTTEN_AFTER_S


def test_a_crowd_of_addresses_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.http.access.attempt_limit.MOST_ADDRESSES", 100)
    limit = AttemptLimit()
    for number in range(1000):
        limit.failed(str(number))
    assert len(limit._failures) == 100
