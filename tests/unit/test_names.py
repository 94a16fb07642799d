import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors, names


def refusal(check, text):
    with pytest.raises(errors.UsageError) as caught:
        check(text)
    assert caught.value.exit_code == 2
    for line in (caught.value.message, caught.value.hint):
        assert line and line.isprintable()
    return caught.value


@pytest.mark.parametrize("text", ["blog", "b", "7", "my-shop2", "a--b", "a" * 63])
def test_app_name_accepts(text):
    assert names.app_name(text) == text


@pytest.mark.parametrize(
    "text, hint",
    [
        ("TestApp", "try: testapp"),
        ("test_app", "try: test-app"),
        ("a/b", "try: a-b"),
        ("a:latest", "try: a-latest"),
        ("a;id", "try: a-id"),
        ("a|b", "try: a-b"),
        ("$x", "try: x"),
        ("../x", "try: x"),
        ("-x", "try: x"),
        ("blog\n", "try: blog"),
        ("a" * 64, "try: " + "a" * 63),
        ("minipaas", "try: my-minipaas"),
        ("localhost", "try: my-localhost"),
        ("Global", "give a name such as: blog"),
        ("", "give a name such as: blog"),
        ("..", "give a name such as: blog"),
        ("блог", "give a name such as: blog"),
    ],
)
def test_app_name_refuses_with_a_suggestion(text, hint):
    assert refusal(names.app_name, text).hint == hint


def test_app_name_sentences():
    assert refusal(names.app_name, "TestApp").message == (
        '"TestApp" cannot be an app\'s name: use a-z, 0-9 and -, with a letter or digit first and last'
    )
    assert refusal(names.app_name, "blog\n").message.startswith('"blog\\n" cannot')
    assert refusal(names.app_name, "paas").message == 'the name "paas" is reserved'
    assert refusal(names.app_name, "a" * 64).message.endswith("has 64 characters; the limit is 63")


@given(st.text(max_size=200) | st.from_regex("[a-z0-9-]{1,70}", fullmatch=True))
def test_app_name_accepts_only_safe_names(text):
    try:
        assert names.app_name(text) == text
    except errors.UsageError as error:
        assert error.message.isprintable() and error.hint.isprintable()
        if error.hint.startswith("try: "):
            names.app_name(error.hint.removeprefix("try: "))
    else:
        assert len(text) <= 63 and text.isascii() and text == text.lower()
        assert text[0].isalnum() and text[-1].isalnum() and set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@pytest.mark.parametrize(
    "check, good, bad",
    [
        (
            names.process_type,
            ["web", "worker", "clock", "release", "web2", "a-b", "a" * 31, "Web", "we_b", "-a", "_", "delayed_JOB"],
            ["web\n", "", "a b", "a" * 32, "web.1", "wéb", "_all_", "a=b", "a/b"],
        ),
        (
            names.config_name,
            ["A", "_", "DATABASE_URL", "a1", "A" * 256],
            ["", "1A", "A-B", "A B", "A\n", "A\0", "É", "A" * 257, "A.B", " "],
        ),
        (
            names.key_name,
            ["anna", "anna@laptop.local", "A-1_x", "a" * 63],
            ["", "a b", "a\n", "-a", ".a", "a" * 64, 'a"b', "a/b", "é"],
        ),
    ],
)
def test_other_names(check, good, bad):
    for text in good:
        assert check(text) == text
    for text in bad:
        refusal(check, text)


def test_config_name_suggests():
    assert refusal(names.config_name, "1A").hint == "try: _1A"
    assert refusal(names.config_name, "my-key").hint == "try: my_key"


@given(st.sampled_from([names.process_type, names.config_name, names.key_name]), st.text(max_size=300))
def test_suggestions_are_valid(check, text):
    try:
        assert check(text) == text and text.isascii() and text.isprintable()
    except errors.UsageError as error:
        assert error.message.isprintable()
        if error.hint.startswith("try: "):
            check(error.hint.removeprefix("try: "))


def test_settable_config_name_keeps_our_own():
    assert names.settable_config_name("MINIPAAS") == "MINIPAAS"
    assert "minipaas itself" in refusal(names.settable_config_name, "MINIPAAS_APP").message


def test_config_value_never_shows_the_value():
    for value in ("s3cret\0", "s3cret\udc80", "s3cret" + "é" * 66_000):
        error = refusal(lambda text: names.config_value("KEY", text), value)
        assert "s3cret" not in error.message + error.hint
    assert names.config_value("KEY", "") == ""


@given(st.text())
def test_safe_is_one_printable_line(text):
    shown = names.safe(text)
    assert shown.isprintable() and len(shown) <= 83
    assert shown[0] == shown[-1] == '"' and not re.search(r'(?<!\\)(\\\\)*"', shown[1:-1])


def test_safe():
    assert names.safe("plain é") == '"plain é"'
    assert names.safe('a"b\\') == '"a\\"b\\\\"'
    assert names.safe("\x1b[31m\u202e\udc80\r\n") == '"\\x1b[31m\\u202e\\udc80\\r\\n"'
    assert names.safe("x" * 80) == f'"{"x" * 80}"'
    assert names.safe("x" * 81) == f'"{"x" * 80}…"'
