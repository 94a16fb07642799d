import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.model import procfile


def refusal(text):
    with pytest.raises(errors.InvalidFile) as caught:
        procfile.parse(text)
    assert caught.value.exit_code == 1
    assert caught.value.message.isprintable() and caught.value.hint.isprintable()
    return caught.value.message


def test_order_and_release():
    found = procfile.parse(b"worker: run jobs\nweb: ./server --port $PORT\nrelease: ./migrate\n")
    assert list(found.items()) == [("worker", "run jobs"), ("web", "./server --port $PORT"), ("release", "./migrate")]


@pytest.mark.parametrize(
    "text",
    [
        b"web: a b\nworker: c\n",
        b"web: a b\r\nworker: c\r\n",
        b"web: a b\rworker: c",
        b"\xef\xbb\xbfweb: a b\nworker: c",
        b"\tweb\t:\ta b\t\n\n  \t\n# note: this\n\t# that\nworker:c",
    ],
)
def test_tolerated_forms(text):
    assert procfile.parse(text) == {"web": "a b", "worker": "c"}


@pytest.mark.parametrize("text", [b"", b"\n\n", b"# web: x\n", b"\xef\xbb\xbf"])
def test_nothing_in_it(text):
    assert procfile.parse(text) == {}


def test_commands_keep_colons_hashes_and_line_separators():
    text = "web: a: b # c\u2028d\x85e\n"
    assert procfile.parse(text.encode()) == {"web": "a: b # c\u2028d\x85e"}


@pytest.mark.parametrize(
    "text, message",
    [
        (b"web: a\nweb: b\n", "Procfile line 2: the type web is already on line 1"),
        (b"\nweb:\n", "Procfile line 2: the type web has no command"),
        (b"just words", 'Procfile line 1: "just words" has no colon'),
        (b": a", "Procfile line 1: the process type is empty"),
        (b"web: \0", 'Procfile line 1: contains the control character "\\x00"'),
        (b"web: \x1b[2J", 'Procfile line 1: contains the control character "\\x1b"'),
        (b"web: a\nb: \xff", "Procfile line 2: not valid UTF-8"),
        (b"web: " + b"a" * 32769, "Procfile line 1: the command of web is longer than 32 KiB"),
        (b"web: a\n" * 1_500_000, "Procfile is 10 MB; the limit is 64 KiB"),
        (b" " * 65537, "Procfile is 65 KB; the limit is 64 KiB"),
        (
            b"we.b: a",
            'Procfile line 1: "we.b" cannot be a process type: use letters, digits, - and _',
        ),
    ],
)
def test_refusals(text, message):
    assert refusal(text) == message


def test_too_many_types():
    assert len(procfile.parse(b"".join(b"t%d: x\n" % n for n in range(50)))) == 50
    assert refusal(b"".join(b"t%d: x\n" % n for n in range(51))) == "Procfile line 51: more than 50 process types"


def test_limits_are_inclusive():
    command = "a" * 32768
    assert procfile.parse(f"web: {command}".encode()) == {"web": command}
    assert procfile.parse(b"#" * 65536) == {}


@given(
    st.dictionaries(
        st.from_regex("[a-z0-9][a-z0-9-]{0,30}", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).filter(lambda t: t.strip(" ") == t),
        max_size=50,
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_is_read(commands, end):
    text = end.join(f"{kind}: {command}" for kind, command in commands.items())
    assert list(procfile.parse(text.encode()).items()) == list(commands.items())


@given(st.binary() | st.text("web:# \t\r\n\0-_A1é").map(str.encode))
def test_anything_gives_types_or_a_sentence(text):
    try:
        assert all(kind and command for kind, command in procfile.parse(text).items())
    except errors.InvalidFile as error:
        assert error.message.startswith("Procfile") and error.message.isprintable() and error.hint


@pytest.mark.parametrize(("size", "words"), [(65_537, "65 KB"), (999_999, "999 KB"), (1_000_000, "1 MB")])
def test_its_size_is_told_in_a_unit_people_read(size, words):
    with pytest.raises(errors.InvalidFile, match=f"Procfile is {words};"):
        procfile.parse(b"a" * size)
