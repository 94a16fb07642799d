import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.model import app_json
from minipaas_lib.model.app_json import EnvVar, Scripts
from minipaas_lib.model.healthcheck import Check


def parsed(document):
    return app_json.parse(json.dumps(document).encode())


def refusal(text):
    with pytest.raises(errors.InvalidFile) as caught:
        app_json.parse(text)
    assert caught.value.message.isprintable() and caught.value.hint.isprintable()
    assert caught.value.message.startswith("app.json")
    return caught.value.message


def test_empty():
    assert app_json.parse(b"{}") == ({}, {}, Scripts(None, None, None), {}, [])
    assert app_json.parse(b"\xef\xbb\xbf {} \n").env == {}


def test_everything():
    found = parsed(
        {
            "name": "ignored",
            "formation": {"web": {"quantity": 2, "size": "x"}, "worker": {"quantity": 0}, "clock": {}},
            "env": {
                "PLAIN": "text",
                "NEEDED": {"description": "ask Anna"},
                "OPTIONAL": {"required": False},
                "DEFAULT": {"value": "", "required": True},
                "SECRET": {"generator": "secret"},
            },
            "scripts": {"postdeploy": "./seed", "dokku": {"predeploy": "./migrate", "postdeploy": " ./tell\n"}},
            "healthchecks": {"web": [{"path": "/up", "odd": 1}], "worker": None},
            "cron": [{"command": "./nightly", "schedule": "@daily"}],
        }
    )
    assert found.formation == {"web": 2, "worker": 0}
    assert found.env == {
        "PLAIN": EnvVar("text", False, None, ""),
        "NEEDED": EnvVar(None, True, None, "ask Anna"),
        "OPTIONAL": EnvVar(None, False, None, ""),
        "DEFAULT": EnvVar("", True, None, ""),
        "SECRET": EnvVar(None, True, "secret", ""),
    }
    assert found.scripts == Scripts("./migrate", "./tell", "./seed")
    assert found.healthchecks == {"web": [Check("startup", "path", "path", path="/up")]}
    assert found.cron == [{"command": "./nightly", "schedule": "@daily"}]


def test_herokus_long_script_form():
    assert parsed({"scripts": {"postdeploy": {"command": "./seed", "size": "x"}}}).scripts.first_postdeploy == "./seed"


@pytest.mark.parametrize(
    "document, message",
    [
        ([], "app.json: the file must hold one object"),
        ({"env": []}, "app.json: env must be an object"),
        ({"formation": {"web": 2}}, "app.json: formation.web must be an object"),
        ({"formation": {"web": {"quantity": "2"}}}, "formation.web.quantity must be a whole number from 0 to 100"),
        ({"formation": {"web": {"quantity": True}}}, "formation.web.quantity must be a whole number from 0 to 100"),
        ({"formation": {"web": {"quantity": 101}}}, "formation.web.quantity must be a whole number from 0 to 100"),
        ({"formation": {"web": {"quantity": -1}}}, "formation.web.quantity must be a whole number from 0 to 100"),
        ({"formation": {"we.b": {}}}, 'app.json: formation: "we.b" cannot be a process type'),
        ({"env": {"1A": "x"}}, 'app.json: env: "1A" cannot be a config name'),
        ({"env": {"MINIPAAS_APP": "x"}}, 'app.json: env: "MINIPAAS_APP" cannot be set'),
        ({"env": {"A": 5}}, "app.json: env.A must be text or an object"),
        ({"env": {"A": {"value": 5}}}, "app.json: env.A.value must be text"),
        ({"env": {"A": {"value": "\0"}}}, "app.json: env: the value of A contains a NUL byte"),
        ({"env": {"A": "\ud800"}}, "app.json: env: the value of A is not valid UTF-8"),
        ({"env": {"A": {"required": "no"}}}, "app.json: env.A.required must be true or false"),
        ({"env": {"A": {"generator": "uuid"}}}, 'app.json: env.A.generator can only be "secret"'),
        ({"env": {"A": {"generator": ["secret"]}}}, 'app.json: env.A.generator can only be "secret"'),
        ({"scripts": {"dokku": "x"}}, "app.json: scripts.dokku must be an object"),
        ({"scripts": {"dokku": {"predeploy": ["x"]}}}, "app.json: scripts.dokku.predeploy must be text"),
        (
            {"scripts": {"postdeploy": "\0"}},
            "app.json: scripts.postdeploy contains a character that a command cannot contain",
        ),
        ({"healthchecks": {"web": {}}}, "app.json: healthchecks.web must be a list"),
        ({"healthchecks": {"web": ["x"]}}, "app.json: healthchecks.web[0] must be an object"),
        ({"cron": {"a": 1}}, "app.json: cron must be a list"),
    ],
)
def test_refusals_name_the_key(document, message):
    assert message in refusal(json.dumps(document).encode())


@pytest.mark.parametrize(
    "text, message",
    [
        (b"", "app.json line 1, column 1: not valid JSON (Expecting value)"),
        (b'{\n"a": }', "app.json line 2, column 6: not valid JSON (Expecting value)"),
        (b"\xff", "app.json: not valid UTF-8"),
        (b'{"env": {"A": "1", "A": "2"}}', 'app.json: the key "A" appears twice in one object'),
        (b'{"a":' * 100_000, "app.json: lists and objects are nested too deeply"),
        (b"[" * 500_000, "app.json: lists and objects are nested too deeply"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "app.json: a number is too long"),
        (b" " * 1_048_577, "app.json: the file is 1048 KB; the limit is 1 MiB"),
    ],
)
def test_hostile_files(text, message):
    assert refusal(text) == message


def test_first_deploy_config():
    found = parsed({"env": {"A": "1", "B": {"generator": "secret"}, "C": {"required": False}, "D": {"value": "x"}}})
    added = app_json.first_deploy_config("blog", found, {"D": "kept"})
    assert list(added) == ["A", "B"] and added["A"] == "1" and re.fullmatch("[0-9a-f]{64}", added["B"])
    assert added["B"] != app_json.first_deploy_config("blog", found, set())["B"]


def test_first_deploy_config_names_all_that_is_missing():
    found = parsed({"env": {"A": {}, "B": {"required": True}, "C": {"required": False}, "D": {}}})
    with pytest.raises(errors.InvalidFile) as caught:
        app_json.first_deploy_config("blog", found, {"D"})
    assert caught.value.message == "app.json: required config is not set yet: A, B"
    assert caught.value.hint == "ssh paas@<host> config:set blog A=... B=..., then: push again"
    assert app_json.first_deploy_config("blog", found, {"A", "B", "D"}) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KEYS = st.sampled_from(["web", "A", "dokku", "value", "quantity", "required", "generator", "command", "postdeploy"])
TOP = st.sampled_from(["formation", "env", "scripts", "healthchecks", "cron", "other"])


@given(st.dictionaries(TOP, JSON | st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON))) | JSON)
def test_any_json_gives_plain_data_or_a_sentence(document):
    try:
        found = parsed(document)
    except errors.InvalidFile as error:
        assert error.message.startswith("app.json") and error.message.isprintable() and error.hint
    else:
        assert all(type(count) is int and 0 <= count <= 100 for count in found.formation.values())
        assert all(isinstance(entry, EnvVar) for entry in found.env.values())
        assert all(isinstance(check, Check) for checks in found.healthchecks.values() for check in checks)


@given(st.binary() | st.text('{}[]",:1ae\\u').map(str.encode))
def test_any_bytes(text):
    try:
        app_json.parse(text)
    except errors.InvalidFile as error:
        assert error.message.isprintable()
