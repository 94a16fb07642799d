"""plugin.toml: what is refused, in one sentence, before anything of a plugin runs."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.bus import manifest

GOOD = 'api = 1\nname = "one"\nversion = "1"\nsummary = "s"\nhooks = ["report"]\n'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks/report").write_text("#!/bin/sh\n")
    (tmp_path / "hooks/report").chmod(0o755)
    (tmp_path / "commands").mkdir()
    (tmp_path / "commands/one:x").write_text("#!/bin/sh\n")
    (tmp_path / "commands/one:x").chmod(0o755)
    return tmp_path


def read(folder, text):
    (folder / "plugin.toml").write_text(text)
    return manifest.read(str(folder))


def test_what_is_good(folder):
    about = read(
        folder,
        GOOD + 'timeout = { default = 5, report = 2.5 }\ntryfirst = ["report"]\n[commands]\n'
        '"one:x" = { help = "X", arguments = ["<app>", "[<a-b>]"], '
        'options = { "--force" = "F", "--as=<name>" = "A" } }\n',
    )
    assert about["executables"] == {"hooks": ["report"], "commands": ["one:x"]} and about["order"]["tryfirst"] == [
        "report"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("api = 1", "api = 2"), "plugin API 2"),
        (GOOD.replace("api = 1\n", ""), "which plugin API"),
        (GOOD.replace("api = 1", 'api = "1"'), "which plugin API"),
        (GOOD.replace("api = 1", "api = true"), "which plugin API"),
        (GOOD.replace('"one"', '"One"'), "name must be"),
        (GOOD.replace('"one"', '"apps"'), "taken by minipaas"),
        (GOOD.replace('"one"', '"config"'), "taken by minipaas"),
        (GOOD.replace('"one"', '"one\\n"'), "name must be"),
        (GOOD.replace('"one"', '"../x"'), "name must be"),
        (GOOD.replace('"s"', '"a\\nb"'), "summary must be one line"),
        (GOOD.replace('version = "1"', "version = 1"), "version must be"),
        (GOOD + "hook = 1\n", "did you mean hooks?"),
        (GOOD.replace('["report"]', '"report"'), "hooks must be a list"),
        (GOOD.replace('["report"]', '["report", "report"]'), "twice"),
        (GOOD.replace('["report"]', '["reprot"]'), "did you mean report?"),
        (GOOD.replace('["report"]', '["report", "doctor"]'), "neither hooks/doctor nor hooks.py"),
        (GOOD.replace('["report"]', "[]"), "hooks does not name report"),
        (GOOD + "timeout = 0\n", "timeout must be"),
        (GOOD + "timeout = { doctor = 1 }\n", "not among its hooks"),
        (GOOD + 'timeout = "1"\n', "timeout must be"),
        (GOOD + "timeout = true\n", "timeout must be"),
        (GOOD + 'trylast = ["doctor"]\n', "not a program in hooks/"),
        (GOOD + '[commands]\n"apps:list" = "x"\n', "belongs to minipaas"),
        (GOOD + '[commands]\napps = "x"\n', "belongs to minipaas"),
        (GOOD + '[commands]\ninstall = "x"\n', "belongs to minipaas"),
        (GOOD + '[commands]\n"one:y" = "x"\n', "neither commands/one:y"),
        (GOOD + '[commands]\n"--x" = "x"\n', "cannot be a command"),
        (GOOD + '[commands]\n"../x" = "x"\n', "cannot be a command"),
        (GOOD + '[commands]\n"one:x" = { help = "x", root = true }\n', "the unknown key"),
        (GOOD + '[commands]\n"one:x" = { help = "x", unasked = true }\n', "the unknown key"),
        (GOOD + '[commands]\n"one:x" = { help = "x", host = 1 }\n', "true or false"),
        (GOOD + '[commands]\n"one:x" = { help = "x", used_for = "help" }\n', "the unknown key"),
        (GOOD + '[commands]\n"one:x" = { help = "x", gevent = "-t" }\n', "gevent of one:x"),
        (GOOD + '[commands]\n"one:x" = { help = "x", gevent = ["-t"] }\n', "gevent of one:x"),
        (GOOD + '[commands]\n"one:x" = ""\n', "one line of text"),
        (GOOD + '[commands]\n"one:x" = { help = "x", arguments = ["app"] }\n', "arguments of one:x"),
        (GOOD + '[commands]\n"one:x" = { help = "x", options = { "-f" = "x" } }\n', "options of one:x"),
        ("]", "cannot be read"),
        ("x = " + "[" * 5000, "cannot be read"),
        ("#" * 70000, "more than 64 KiB"),
    ],
)
def test_what_is_refused(folder, text, said):
    with pytest.raises(errors.InvalidFile) as refused:
        read(folder, text)
    assert said in refused.value.message and refused.value.hint and "\n" not in refused.value.message


def test_an_engine_must_be_python(folder):
    (folder / "hooks/scheduler").write_text("#!/bin/sh\n")
    (folder / "hooks/scheduler").chmod(0o755)
    with pytest.raises(errors.InvalidFile, match="write it in Python"):
        read(folder, GOOD.replace('["report"]', '["report", "scheduler"]'))


def test_a_link_is_no_program(folder):
    os.unlink(folder / "hooks/report")
    os.symlink("/bin/true", folder / "hooks/report")
    with pytest.raises(errors.InvalidFile, match="cannot be run"):
        read(folder, GOOD)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=8), v, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_a_sentence(folder, data):
    (folder / "plugin.toml").write_bytes(data)
    with pytest.raises(errors.InvalidFile):
        manifest.read(str(folder))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(st.sampled_from(["name", "version", "summary", "hooks", "commands", "timeout", "tryfirst", "api"]), values)
def test_any_value_of_any_key_is_taken_or_refused_in_a_sentence(folder, key, value):
    import tomlkit

    document = {"api": 1, "name": "one", "version": "1", "summary": "s", "hooks": ["report"], key: value}
    try:
        text = tomlkit.dumps(document)
    except Exception:
        return
    (folder / "plugin.toml").write_text(text)
    try:
        manifest.read(str(folder))
    except errors.InvalidFile as error:
        assert error.message
