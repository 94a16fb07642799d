"""The healthchecks of app.json: Dokku's fields and defaults, and an exact sentence for what is wrong."""

import math
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.model import healthcheck
from minipaas_lib.model.healthcheck import Check


def one(**entry) -> Check:
    return healthcheck.parse({"web": [entry]})["web"][0]


def test_defaults_are_dokkus():
    assert one(path="/up") == Check("startup", "path", "path", path="/up", attempts=3, timeout=5, wait=5)
    assert one(type="", listening=True, name=None).kind == "listening"
    assert healthcheck.parse({"web": []}) == {}


def test_all_fields():
    check = one(
        type="liveness",
        name="up",
        path="/up?x=1",
        port=8080,
        scheme="HTTP",
        httpHeaders=[{"name": "X-A", "value": " b "}],
        content="fine",
        attempts=10,
        timeout=1.5,
        wait=0,
        initialDelay=30,
        onFailure={"command": ["rm"]},
        description="x",
    )
    assert check == Check(
        "liveness", "up", "path", (), "/up?x=1", 8080, "http", (("X-A", "b"),), "fine", 0, 10, 1.5, 0, 30, False
    )
    assert one(command="test -e /x").command == ("/bin/sh", "-c", "test -e /x")
    assert one(command=["/a", ""]).command == ("/a", "")
    assert one(uptime=10).uptime == 10 and one(path="/", warn=True).warn


def test_order():
    found = healthcheck.parse(
        {"web": [{"type": "readiness", "path": "/r"}, {"type": "liveness", "path": "/l"}, {"path": "/s"}]}
    )["web"]
    assert [check.path for check in healthcheck.before_traffic(found)] == ["/s", "/r"]
    assert [check.path for check in healthcheck.liveness(found)] == ["/l"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({}, "app.json: healthchecks.web[0] does not say what to check"),
        ({"content": "x"}, "app.json: healthchecks.web[0] asks for an answer and has no path"),
        ({"path": "/", "uptime": 1}, "app.json: healthchecks.web[0] has path and uptime, and a check does one thing"),
        ({"path": "up"}, "app.json: healthchecks.web[0].path must start with / and contain no space"),
        ({"path": "/a b"}, "app.json: healthchecks.web[0].path must start with / and contain no space"),
        ({"path": "/\n"}, "app.json: healthchecks.web[0].path must start with / and contain no space"),
        ({"path": 5}, "app.json: healthchecks.web[0].path must be text"),
        (
            {"path": "/", "type": "ready"},
            "app.json: healthchecks.web[0].type must be one of: startup, readiness, liveness",
        ),
        (
            {"path": "/", "type": ["x"]},
            "app.json: healthchecks.web[0].type must be one of: startup, readiness, liveness",
        ),
        ({"path": "/", "scheme": "ftp"}, "app.json: healthchecks.web[0].scheme must be one of: http, https"),
        ({"path": "/", "port": 0.5}, "app.json: healthchecks.web[0].port must be a whole number from 1 to 65535"),
        ({"path": "/", "port": True}, "app.json: healthchecks.web[0].port must be a whole number from 1 to 65535"),
        ({"path": "/", "attempts": 0}, "app.json: healthchecks.web[0].attempts must be a whole number from 1 to 1000"),
        (
            {"path": "/", "timeout": 0},
            "app.json: healthchecks.web[0].timeout must be a number of seconds from 1 to 3600",
        ),
        ({"path": "/", "wait": "5"}, "app.json: healthchecks.web[0].wait must be a number of seconds from 0 to 3600"),
        (
            {"path": "/", "wait": math.nan},
            "app.json: healthchecks.web[0].wait must be a number of seconds from 0 to 3600",
        ),
        (
            {"path": "/", "wait": math.inf},
            "app.json: healthchecks.web[0].wait must be a number of seconds from 0 to 3600",
        ),
        ({"listening": "yes"}, "app.json: healthchecks.web[0].listening must be true or false, without quotes"),
        ({"path": "/", "warn": 1}, "app.json: healthchecks.web[0].warn must be true or false, without quotes"),
        ({"command": [1]}, "app.json: healthchecks.web[0].command must be a list of words"),
        ({"command": {"a": 1}}, "app.json: healthchecks.web[0].command must be a list of words"),
        ({"command": ["a\0"]}, "app.json: healthchecks.web[0].command contains a character that is not text"),
        (
            {"path": "/", "httpHeaders": {"a": "b"}},
            "app.json: healthchecks.web[0].httpHeaders must be a list of objects",
        ),
        (
            {"path": "/", "httpHeaders": [{"name": "A:", "value": ""}]},
            'app.json: healthchecks.web[0].httpHeaders: "A:" is not the name of a header',
        ),
        (
            {"path": "/", "httpHeaders": [{"name": "A", "value": "b\nC: d"}]},
            "app.json: healthchecks.web[0].httpHeaders: the value of A contains",
        ),
        ({"uptime": 5, "type": "liveness"}, "app.json: healthchecks.web[0] is a liveness check of uptime"),
        (
            {"path": "/", "scheme": "https", "type": "liveness"},
            "app.json: healthchecks.web[0] is a liveness check over https",
        ),
        (
            {"path": "/", "warn": True, "type": "liveness"},
            "app.json: healthchecks.web[0] is a liveness check that only warns",
        ),
        ({"path": "/", "name": 5}, "app.json: healthchecks.web[0].name must be text"),
    ],
)
def test_refused(entry, said):
    with pytest.raises(errors.InvalidFile) as caught:
        healthcheck.parse({"web": [entry]})
    assert caught.value.message.startswith(said) and caught.value.hint.endswith("then commit and push again")


def test_not_too_many():
    with pytest.raises(errors.InvalidFile, match="has 21 checks; the limit is 20"):
        healthcheck.parse({"web": [{"path": "/"}] * 21})


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.text(), max_size=3),
    st.just("/up"),
    st.just("startup"),
)
ENTRY = st.dictionaries(
    st.sampled_from(
        [
            "type",
            "name",
            "command",
            "path",
            "port",
            "listening",
            "uptime",
            "attempts",
            "timeout",
            "wait",
            "initialDelay",
            "warn",
            "scheme",
            "httpHeaders",
            "content",
            "odd",
        ]
    ),
    VALUES,
)


@given(ENTRY)
def test_anything_is_a_check_or_a_sentence_and_survives_the_store(entry):
    try:
        found = healthcheck.parse({"web": [entry]})
    except errors.InvalidFile as error:
        assert error.message.isprintable() and error.message.startswith("app.json: healthchecks.web[0]")
        return
    import tomlkit

    for check in found["web"]:
        document = tomllib.loads(tomlkit.dumps(check.to_document()))
        assert Check.from_document(document) == check
