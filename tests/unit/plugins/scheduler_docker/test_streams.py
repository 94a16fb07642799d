from hypothesis import given
from hypothesis import strategies as st

from plugins.scheduler_docker import reading, streams

STAMP = b"2026-01-31T10:20:30.123456789Z "


def test_lines():
    frames = [STAMP + b"one\n", STAMP + b"two\r\n", STAMP + b"\n", STAMP + b"bad \xff\n"]
    assert [text for _, text in streams.lines(frames)] == ["one", "two", "", "bad \ufffd"]
    assert next(streams.lines(frames))[0] == "2026-01-31T10:20:30.123456789Z"


def test_a_long_line_is_one_line_again():
    frames = [STAMP + b"a" * 16384, b"2026-01-31T10:20:31.000000000Z " + b"b" * 10 + b"\n", STAMP + b"next\n"]
    assert [text for _, text in streams.lines(frames)] == ["a" * 16384 + "b" * 10, "next"]


def test_the_end_without_a_newline():
    assert [text for _, text in streams.lines([STAMP + b"prompt> "])] == ["prompt> "]


@given(st.lists(st.text(st.characters(blacklist_characters="\n\r", blacklist_categories=["Cs"]))), st.integers(1, 5))
def test_texts_survive_any_cut(texts, size):
    frames = []
    for text in texts:
        raw = text.encode() + b"\n"
        frames += [STAMP + raw[start : start + size] for start in range(0, len(raw), size)]
    assert [text for _, text in streams.lines(frames)] == texts


def test_seconds():
    assert reading._seconds("1970-01-02T00:00:01.999999999Z") == 86401
