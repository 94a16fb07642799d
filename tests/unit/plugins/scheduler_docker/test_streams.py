from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api
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


def test_a_line_that_never_ends_is_cut_and_says_so():
    size = streams.LINE_LIMIT
    for more, end in ((0, b"\n"), (0, b""), (5, b"\n"), (5, b"")):
        raw = b"x" * (size + more)
        frames = [STAMP + raw[start : start + 16384] for start in range(0, len(raw), 16384)]
        frames[-1] += end
        (text,) = [text for _, text in streams.lines(frames)]
        assert text.startswith("x" * size) and len(text) < size + 60
        assert ("[cut here: the line has" in text) is bool(more)


class Kept:
    """A docker whose log of a process are these frames."""

    def __init__(self, frames):
        self.frames, self.asked = frames, []

    def connect(self):
        return self

    def logs(self, name, stream, follow, timestamps, tail):
        self.asked.append(tail)
        return iter(self.frames if tail == "all" else self.frames[-tail:])


@given(st.lists(st.integers(1, 9), max_size=12), st.one_of(st.none(), st.integers(0, 15)))
def test_the_last_lines_are_whole_however_many_pieces_they_have(pieces, lines):
    texts = [f"{number}:" + "x" * count for number, count in enumerate(pieces)]
    frames = []
    for text in texts:
        raw = text.encode() + b"\n"
        step = max(1, len(raw) // 3)
        frames += [STAMP + raw[start : start + step] for start in range(0, len(raw), step)]
    docker = Kept(frames)
    process = api.Process("blog_v1.web.1", "blog", 1, "web", 1, id="x")
    found = reading.last(docker, process, lines)
    assert [line.text for line in found] == (texts if lines is None else texts[-lines:] if lines else [])
    history, after = reading._history(docker, process, lines)
    assert history == found and after == (STAMP.decode().strip() if texts else "")
