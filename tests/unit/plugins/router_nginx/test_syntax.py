"""nginx's syntax: what the parser reads, and that what it writes reads back the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.router_nginx.syntax import DEPTH, Directive, SyntaxProblem, dump, parse

_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\t\n;{}\"'\\#$ "), max_size=20)
_NAME = st.from_regex("[a-z_]{1,12}", fullmatch=True)
_TREES = st.recursive(
    st.builds(lambda name, words: Directive(name, tuple(words), None, 0), _NAME, st.lists(_TEXT, max_size=4)),
    lambda inner: st.builds(
        lambda name, words, block: Directive(name, tuple(words), tuple(block), 0),
        _NAME,
        st.lists(_TEXT, max_size=3),
        st.lists(inner, max_size=3),
    ),
    max_leaves=12,
)


def depth(tree) -> int:
    return max((1 + depth(one.block) for one in tree if one.block is not None), default=0)


def shape(tree):
    return [(one.name, one.arguments, None if one.block is None else shape(one.block)) for one in tree]


def words(text: str) -> list[str]:
    (only,) = parse(text)
    return [only.name, *only.arguments]


@given(st.lists(_TREES, max_size=4).filter(lambda tree: depth(tree) <= DEPTH))
def test_what_is_dumped_reads_back_as_the_same_tree(tree):
    assert shape(parse(dump(tree))) == shape(tree)


@given(st.text(max_size=200) | st.text(st.sampled_from("ab ;{}\"'\\#$\n()"), max_size=80))
def test_any_text_gives_a_tree_or_a_problem_with_its_line(text):
    try:
        tree = parse(text)
    except SyntaxProblem as problem:
        assert str(problem).startswith("line ")
    else:
        assert shape(parse(dump(tree))) == shape(tree)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b c;", ["a", "b", "c"]),
        ("a  b\n\tc ;", ["a", "b", "c"]),
        ("a \"b c\" 'd;e';", ["a", "b c", "d;e"]),
        ('a "";', ["a", ""]),
        ("a b\\ c;", ["a", "b\\ c"]),
        (r'a "x\"y" \.php "\\";', ["a", 'x"y', r"\.php", "\\"]),
        ("a ${b} t=${c}d;", ["a", "${b}", "t=${c}d"]),
        ("a b#c; # d;", ["a", "b#c"]),
        ("a b}c;", ["a", "b}c"]),
        ('a b"c;', ["a", 'b"c']),
        ('if ($a = "b") ;', ["if", "($a", "=", "b", ")"]),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


def test_blocks_and_lines():
    (server,) = parse("# note\nserver {\n  listen 80;\n  location / {\n    return 200; } }\n")
    assert (server.name, server.arguments, server.line) == ("server", (), 2)
    listen, location = server.block
    assert (listen.line, location.line, location.block[0].line) == (3, 4, 5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a", "line 1: a ; is missing"),
        ("a b\n", "line 1: a ; is missing"),
        ("a {", "a } is missing"),
        ("a {\n b; }\n}", "line 3: there is a } too many"),
        (";", "line 1: this ; is unexpected"),
        ("\n{", "line 2: this { is unexpected"),
        ("a }", "line 1: this } is unexpected"),
        ('a "b', "this quote is not closed"),
        ('a "b"c;', "there must be a space"),
        ("a \\", "ends after a backslash"),
        ("a \x00;", "control character U+0000"),
        ("\n\na \x1b;", "line 3: there is a control character U+001B"),
        ("a {" * 100, "nested more than"),
    ],
)
def test_problems(text, said):
    with pytest.raises(SyntaxProblem, match=said.replace("{", r"\{").replace("+", r"\+")):
        parse(text)
