import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib.model.image import commands_of, mentioned_ports, notes_of, owner, port_of


def config(*ports, env=(), **rest):
    return {"ExposedPorts": {port: {} for port in ports}, "Env": list(env), **rest}


@pytest.mark.parametrize(
    "of, dockerfile, port",
    [
        (config(), "", 0),
        ({"ExposedPorts": None, "Env": None}, "", 0),
        (config("9090/tcp", "8080/tcp"), "", 8080),
        (config("9090/tcp", "8080/tcp"), "FROM x\nEXPOSE 9090 8080\n", 9090),
        (config("9090/tcp", "8080/tcp"), "from x\n  expose 9090/tcp\nEXPOSE 8080", 9090),
        (config("9090/tcp", env=["PORT=3000"]), "EXPOSE 9090", 3000),
        (config("9090/tcp", env=["PORT=http"]), "EXPOSE 9090", 9090),
        (config("9090/tcp", env=["PORT=99999999"]), "EXPOSE 9090", 9090),
        (config("53/udp"), "EXPOSE 53/udp", 0),
    ],
)
def test_port_of(of, dockerfile, port):
    assert port_of(of, dockerfile) == port


def test_mentioned_ports_ignores_what_is_no_number():
    assert mentioned_ports("EXPOSE $PORT 80 ${X} 53/udp 443/tcp # 22\nRUN EXPOSE 7\n") == [80, 443]


def test_notes_tell_what_is_not_routed():
    assert notes_of("blog", config("8080/tcp", "9090/tcp", "53/udp"), 8080) == (
        "EXPOSE 9090 is not routed; to route it: ports:add blog http:9090:9090",
        "EXPOSE 53/udp is not routed: only HTTP is",
    )


def test_commands_of():
    assert commands_of({"Cmd": ["x"], "Entrypoint": None}) == {"web": ""} == commands_of({"Entrypoint": ["x"]})
    assert commands_of({"Cmd": None}) == {}


@given(st.text())
def test_mentioned_ports_answers_any_text(text):
    assert all(isinstance(port, int) for port in mentioned_ports(text))


@given(st.lists(st.text()), st.lists(st.text()))
def test_port_of_is_always_a_port(ports, env):
    try:
        assert 0 <= port_of(config(env=env), "") < 65536
    finally:
        pass


@pytest.mark.parametrize(
    ("reference", "label", "whose"),
    [
        ("debian:12", "", ""),
        ("debian:12", "blog", "blog"),
        ("minipaas/blog:v3", "former", "blog"),
        ("index.docker.io/minipaas/blog@sha256:aa", "", "blog"),
        ("docker-image://docker.io/minipaas/blog", "", "blog"),
        ("ghcr.io/minipaas/blog", "", ""),
    ],
)
def test_whose_an_image_is(reference, label, whose):
    assert owner(reference, {"Labels": {"minipaas.app": label}}) == whose
    assert owner(reference, {"Labels": None}) == ("" if reference == "debian:12" else whose)


@pytest.mark.parametrize(("value", "port"), [("0", 0), ("1", 1), ("65535", 65535), ("65536", 0), ("", 0), ("80x", 0)])
def test_a_port_is_one_that_can_be_listened_on(value, port):
    assert port_of(config(env=[f"PORT={value}"]), "") == port
