import hashlib
import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minipaas_lib import errors
from plugins.cluster.fleet import unit_file
from plugins.cluster.fleet.unit_file import Option
from tests.cluster.fleet_double import unitfile as fleets_reader

anything = st.text(max_size=60)
near = st.text(alphabet='ab1.@:_-\\ "%$=\n\r\t;#[]\u2028\x85', max_size=30)


@given(st.one_of(anything, near))
@example("web.service\n")
@example("a" * 248 + ".service")
@example(".service")
def test_a_unit_name_is_refused_or_one_word_of_a_path_and_a_shell(text):
    try:
        assert unit_file.name(text) == text
    except errors.UsageError:
        return
    assert shlex.quote(text).strip("'") == text and "/" not in text and "\n" not in text
    assert 0 < len(text.encode()) <= 255 and not text.startswith((".", "-", "@"))


@pytest.mark.parametrize("text", ["blog_v3.web.1.service", "minipaas-agent.service", "t@1.service", "a.timer"])
def test_names_that_are_used(text):
    assert unit_file.name(text) == text


@pytest.mark.parametrize(
    "text", ["", "foo", "foo.", "foo.txt", "fo!o.service", "@x.service", "a b.service", "a/b.service"]
)
def test_names_that_fleet_refuses(text):
    with pytest.raises(errors.UsageError):
        unit_file.name(text)


@given(
    st.lists(
        st.builds(
            Option,
            st.sampled_from(["Unit", "Service", "X-Fleet", "S]\nx", ""]),
            st.one_of(st.sampled_from(["ExecStart", "Environment"]), near),
            st.one_of(anything, near, st.text(min_size=2030, max_size=2050, alphabet="ä x")),
        ),
        max_size=6,
    )
)
@example([Option("Service", "ExecStart", "a\\"), Option("Service", "ExecStop", "b")])
@example([Option("Service", "ExecStart", "/bin/true\nExecStartPost=/bin/evil")])
@example([Option("Service", "ExecStart", "\ud800")])
@example([Option("Unit", "Description", "")])
def test_options_reach_systemd_as_they_are_or_are_refused(options):
    try:
        unit_file.check(options)
    except errors.UsageError:
        return
    text = unit_file.text(options)
    by_section = {}
    for option in options:
        by_section.setdefault(option.section, []).append(option)
    assert fleets_reader.deserialize(text) == [option for inside in by_section.values() for option in inside]
    assert unit_file.digest(options) == hashlib.sha1(text.encode()).hexdigest()
    assert unit_file.digest(fleets_reader.deserialize(text)) == unit_file.digest(options)


def test_a_line_of_2047_bytes_is_taken_and_of_2048_is_not():
    fits = Option("Service", "X", "a" * 2045)
    unit_file.check([fits])
    with pytest.raises(errors.UsageError, match="2048 bytes"):
        unit_file.check([fits._replace(value="a" * 2046)])


@given(st.one_of(anything, near), st.one_of(anything, near))
@example("disk", "a=b")
@example("disk", "%n")
@example("a", "b c")
@example("a", '"x" "y"')
def test_metadata_is_refused_or_asked_for_as_it_is(key, value):
    try:
        asked = unit_file.metadata(key, value)
    except errors.UsageError:
        return
    # As fleet reads it: quotes make several values, % begins a specifier, = separates once, a unit file keeps one line.
    assert asked.split("=") == [key, value] and key and value
    assert not set('"%, \n\r\\') & set(asked)
    unit_file.check([Option("X-Fleet", "MachineMetadata", asked)])


@given(st.lists(st.one_of(anything, near), min_size=1, max_size=5))
@example([";"])
@example(["$HOME", "%n", 'a"b', "a\\"])
@example(["-rm", "@x", ""])
def test_words_of_a_command_stay_those_words(words):
    try:
        line = unit_file.line(["/bin/echo", *words])
    except errors.UsageError:
        assert any(not character.isprintable() for word in words for character in word)
        return
    assert "\n" not in line
    # In double quotes systemd and the shell agree on backslash and quote; the rest is doubled.
    back = [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line)]
    assert back == ["/bin/echo", *words]
    assert ";" not in words or '";"' in line  # alone and bare it would begin another command


@pytest.mark.parametrize("word", ["", "echo", "-/bin/echo", "/bin/$X", "/bin/a b", "+/bin/echo", "/bin/a\n"])
def test_a_command_begins_with_the_path_of_a_program(word):
    with pytest.raises(errors.UsageError):
        unit_file.line([word])


@pytest.mark.parametrize("said, is_global", [("true", True), ("YES", True), ("0", False), ('"on"', True)])
def test_global(said, is_global):
    assert unit_file.is_global([Option("X-Fleet", "Global", said)]) is is_global


def test_the_last_word_on_global_counts():
    assert not unit_file.is_global([Option("X-Fleet", "Global", "true"), Option("X-Fleet", "Global", "false")])
    assert not unit_file.is_global([Option("Service", "Global", "true")])


def test_templates():
    assert unit_file.is_template("t@.service")
    assert not unit_file.is_template("t@1.service") and not unit_file.is_template("t.service")
