import base64
import json
import subprocess
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minipaas_lib import errors
from plugins.config import formats

NAMES = st.from_regex("[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True).filter(lambda n: not n.startswith("MINIPAAS_"))
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.text("'\"\\$`\n\r\t #=a;")
CONFIGS = st.dictionaries(NAMES, VALUES, max_size=6)


def refusal(function, *arguments):
    with pytest.raises(errors.UsageError) as caught:
        function(*arguments)
    assert caught.value.message.isprintable() and caught.value.hint.isprintable()
    return caught.value


def test_pairs():
    words = ["A=1", "B=a b", "C=", "D=x=y", "E=$`'\"\n"]
    assert formats.parse_pairs(words) == {"A": "1", "B": "a b", "C": "", "D": "x=y", "E": "$`'\"\n"}


@pytest.mark.parametrize(
    "words, message, hint",
    [
        ([], "no NAME=value pairs are given", "ssh paas@<host> config:set shop NAME=value"),
        (["=x"], "there is no name before the = sign", "ssh paas@<host> config:set shop NAME=value"),
        (["1A=x"], '"1A" cannot be a config name: use letters, digits and _, and no digit first', "try: _1A"),
        (["A"], '"A" has no = sign and value', "ssh paas@<host> config:set shop A=value"),
        (["s3cret!"], "the first word has no = sign", "ssh paas@<host> config:set shop NAME=value"),
        (["A=1", "A=2"], '"A" is given twice', "keep one of them"),
        (
            ["NAME=a", "b"],
            "the word after NAME=... has no = sign; a value with spaces is quoted twice over ssh",
            "ssh paas@<host> config:set shop 'NAME=\"a b\"', or give - and send NAME=value lines on stdin",
        ),
        (
            ["A=\0"],
            "the value of A contains a NUL byte, which no environment variable can",
            "encode binary data as base64 text and decode it in the app",
        ),
    ],
)
def test_pairs_refused(words, message, hint):
    error = refusal(formats.parse_pairs, words, "shop")
    assert (error.message, error.hint, error.exit_code) == (message, hint, 2)


def test_our_own_names_are_kept():
    assert "cannot be set" in refusal(formats.parse_pairs, ["MINIPAAS_APP=x"]).message
    assert "line 2: " in refusal(formats.parse_env, "A=1\nMINIPAAS_APP=x").message


@pytest.mark.parametrize(
    "text, config",
    [
        ("", {}),
        ("\ufeffA=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A=\"one\r\ntwo\"\r\nB='three\r\nfour'\r\n", {"A": "one\ntwo", "B": "three\nfour"}),
        ("A='one\r\ntwo'\nB=2\n", {"A": "one\r\ntwo", "B": "2"}),  # not a file of Windows: its \\r is meant
        ('A="one\\r\\ntwo"\r\n', {"A": "one\r\ntwo"}),
        ("# note\n\n  export A=1\n\texport\tB = two words \n", {"A": "1", "B": "two words"}),
        ("A=x # note\nB=x#y\nC=#z\nD= # note\nE=", {"A": "x", "B": "x#y", "C": "#z", "D": "", "E": ""}),
        ("A='x # y' # note\nB=\"x # y\"\t# note\r\nC=1", {"A": "x # y", "B": "x # y", "C": "1"}),
        ('A=C:\\dir\\new\nB=it\'s\nC=a"b"', {"A": "C:\\dir\\new", "B": "it's", "C": 'a"b"'}),
        ('A=\'\\n$X\'\nB="\\n\\t\\"\\\\\\$X\\q"', {"A": "\\n$X", "B": '\n\t"\\$X\\q'}),
        ("A='one\ntwo'\nB=\"three\nfour\"\nC=5", {"A": "one\ntwo", "B": "three\nfour", "C": "5"}),
        ("A='it'\\''s'\nB=''\"x\"''", {"A": "it's", "B": "x"}),
        ("export=1\nexported=2", {"export": "1", "exported": "2"}),
        ("URL=postgres://u:p@h/db?a=b&c=d", {"URL": "postgres://u:p@h/db?a=b&c=d"}),
        (
            '{"A": "x", "B": 1.10, "C": true, "D": 12345678901234567890, "E": false}',
            {"A": "x", "B": "1.10", "C": "true", "D": "12345678901234567890", "E": "false"},
        ),
    ],
)
def test_env(text, config):
    assert formats.parse_env(text) == config


@pytest.mark.parametrize(
    "text, message",
    [
        ("A=1\ns3cret", "line 2 has no = sign"),
        ("=s3cret", "line 1 has no name before the = sign"),
        ("\n1A=s3cret", 'line 2: "1A" cannot be a config name: use letters, digits and _, and no digit first'),
        ("A='s3cret\n\n", "line 1 opens a quote that is never closed"),
        ('A="s3cret\\"', "line 1 opens a quote that is never closed"),
        ("A='s3cret'x", "line 1 goes on after the closing quote"),
        ("A='s3cret'\\\n", "line 1 opens a quote that is never closed"),
        ("A=1\nA=s3cret", 'line 2: "A" is given twice'),
        ("A=s3cret\0", "line 1: the value of A contains a NUL byte, which no environment variable can"),
        ('{"A": "s3cret"', "the JSON is not valid at line 1, column 15 (Expecting ',' delimiter)"),
        ('{"A": ["s3cret"]}', 'the value of "A" is not text, a number, true or false'),
        ('{"A": {}}', 'the value of "A" is not text, a number, true or false'),
        ('{"A": null}', 'the value of "A" is not text, a number, true or false'),
        ('{"A": NaN}', 'the value of "A" is not text, a number, true or false'),
        ('{"A": "1", "A": "s3cret"}', '"A" is given twice'),
        ('{"A":' * 100_000, "the JSON is nested too deeply"),
        ("A=" + "s3cret" * 200_000, "the text is longer than 1 MiB"),
    ],
)
def test_env_refused_without_showing_values(text, message):
    error = refusal(formats.parse_env, text)
    assert error.message == message and "s3cret" not in error.hint


@given(CONFIGS)
def test_each_form_reads_back(config):
    for form in (formats.to_shell, formats.to_env_lines, formats.to_json):
        assert formats.parse_env(form(config)) == config
    assert list(formats.parse_env(formats.to_shell(config))) == list(config)


@given(CONFIGS)
def test_one_line_for_each_variable(config):
    assert formats.to_env_lines(config).count("\n") == len(config)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(NAMES.map("V_{}".format), VALUES, min_size=1, max_size=6), st.booleans())
def test_sh_evaluates_the_shell_form(tmp_path_factory, config, sourced):
    text = formats.to_shell(config)
    file = tmp_path_factory.getbasetemp() / "config.sh"
    file.write_bytes(text.encode())
    script = '. "$1"' if sourced else 'eval "$2"'
    python = "import json, os, sys; json.dump({n: os.environ[n] for n in sys.argv[1:]}, sys.stdout)"
    command = ["/bin/sh", "-c", f'set -a; {script}; shift 2; exec "$@"', "sh", str(file), text]
    command += ["/usr/bin/python3", "-I", "-X", "utf8", "-c", python, *config]
    result = subprocess.run(command, capture_output=True, check=True, timeout=20)
    assert result.stderr == b"" and json.loads(result.stdout) == config


@given(st.text() | st.text("AB='\"\\\n\r\t #$export{}:,1"))
def test_any_text_gives_config_or_a_sentence(text):
    try:
        config = formats.parse_env(text)
    except errors.UsageError as error:
        assert error.message.isprintable() and error.hint.isprintable() and error.hint
    else:
        assert formats.parse_env(formats.to_shell(config)) == config


@given(st.lists(st.text() | st.text("A1=' \0"), max_size=4))
def test_any_words_give_config_or_a_sentence(words):
    try:
        assert len(formats.parse_pairs(words)) == len(words)
    except errors.UsageError as error:
        assert error.message.isprintable() and error.hint.isprintable() and error.hint


@given(CONFIGS)
def test_decode(config):
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in config.items()}
    assert formats.decode(encoded) == config


def test_decode_refuses_a_nul():
    assert "NUL" in refusal(formats.decode, {"A": "AA=="}).message


@pytest.mark.parametrize("value", ["s3cret!", "a", "é", "/w=="])
def test_decode_refused(value):
    error = refusal(formats.decode, {"A": value})
    assert error.message == 'the value of "A" is not base64 of UTF-8 text'


def test_many_lines_are_quick():
    text = "".join(f"NAME_{n}='it'\\''s # {n}'\n" for n in range(20_000))
    assert len(formats.parse_env(text)) == 20_000


def test_as_many_lines_as_there_can_be_are_quick():
    text = "".join(f"A{n}=\n" for n in range(100_000))
    began = time.process_time()
    assert len(text) < formats.TEXT_LIMIT and len(formats.parse_env(text)) == 100_000
    assert time.process_time() - began < 10  # 60 s where each entry counts the lines before it
