"""A release from wishes and a build; a container from a release."""

import pytest

from minipaas_lib import errors
from minipaas_lib.bus import manager
from minipaas_lib.deploy import compose
from minipaas_lib.model.app import App
from minipaas_lib.model.release import Build, Release
from minipaas_lib.records import apps

BUILD = Build("sha256:1", "fake", {"web": "serve", "worker": "work"}, port=8080)


@pytest.fixture
def hooks(world, monkeypatch):
    """What the hooks answer, by name."""
    answers: dict[str, list] = {}
    monkeypatch.setattr(manager, "call", lambda hook, **arguments: answers.get(hook, []))
    return answers


def composed(document: dict, build: Build = BUILD) -> Release:
    return compose.release_of(App("blog", document), 4, build, "c0ffee", {}, "git push")


@pytest.mark.parametrize("text", ["0", "65536", "http", "²", "-1", "9" * 5000])
def test_what_is_no_port_is_said_in_a_line(hooks, text):
    with pytest.raises(errors.UsageError, match="is not a port") as refused:
        composed({"config": {"PORT": text}})
    assert len(refused.value.message) < 200


def test_formation_is_one_web_unless_said_otherwise(hooks):
    assert composed({}).formation == {"web": 1, "worker": 0}
    assert composed({"formation": {"web": 0, "worker": 2, "gone": 3}}).formation == {"web": 0, "worker": 2}


def test_environment_later_wins(hooks):
    hooks["release_environment"] = [{"A": "hook", "B": "hook", "C": "hook"}]
    apps.edit_platform(lambda document: document.update(config={"B": "global", "C": "global"}))
    assert composed({"config": {"C": "app"}}).config == {"A": "hook", "B": "global", "C": "app"}


@pytest.mark.parametrize(("config", "port"), [({}, 8080), ({"PORT": "3000"}, 3000), ({"PORT": ""}, 8080)])
def test_port(hooks, config, port):
    assert composed({"config": config}).port == port
    assert composed({}, Build("sha256:1", "fake", {"web": ""})).port == 5000


@pytest.mark.parametrize("text", ["0", "65536", "x", "-1", "80 ", "٣", "1e3"])
def test_a_port_that_is_none(hooks, text):
    with pytest.raises(errors.UsageError, match="which is not a port"):
        composed({"config": {"PORT": text}})


def test_merge():
    parts = [
        {"domains": ["a"], "enabled": True, "settings": {"x": 1}},
        {"domains": ("b",), "enabled": False, "settings": {"y": 2}},
    ]
    assert compose.merge(parts) == {"domains": ["a", "b"], "enabled": False, "settings": {"x": 1, "y": 2}}
    assert compose.merge([{"mounts": [("a", "b", "ro")]}]) == {"mounts": [["a", "b", "ro"]]}, (
        "as it comes back from TOML"
    )


def test_like_the_live_one_it_keeps_its_processes(hooks):
    live = composed({})
    same = compose.release_like(App("blog", {}), 5, live, "domains")
    assert same.processes == live.processes == 4 and not compose.differs(same, live)
    assert compose.release_like(App("blog", {}), 5, live, "restart", force=True).processes == 5
    scaled = compose.release_like(App("blog", {"formation": {"web": 2}}), 5, live, "scale")
    assert scaled.processes == 4 and compose.differs(scaled, live)
    assert compose.release_like(App("blog", {"config": {"A": "1"}}), 5, live, "config").processes == 5


def test_it_is_the_same_after_the_store(hooks):
    hooks["container_options"] = [{"mounts": [("/a", "/b", "ro")], "stop_timeout": 5}]
    hooks["route_context"] = [{"domains": ["blog.example.org"], "listeners": [("http", 80, 5000)]}]
    live = composed({"config": {"A": "1"}})
    import tomlkit

    read = Release.from_document("blog", tomlkit.parse(tomlkit.dumps(live.to_document())).unwrap())
    assert read == live and not compose.differs(composed({"config": {"A": "1"}}), read)


def test_the_time_to_drain_replaces_no_process(hooks):
    live = composed({})
    hooks["container_options"] = [{"wait_to_retire": 60}]
    assert composed({}).runs_as(live)
    hooks["container_options"] = [{"wait_to_retire": 60, "stop_timeout": 5}]
    assert not composed({}).runs_as(live)


def test_containers(hooks):
    hooks["container_options"] = [
        {"memory": 1 << 20, "mounts": [["/a", "/b", "ro"]], "wait_to_retire": 5, "unknown": 1}
    ]
    release = composed({"config": {"A": "1"}})
    web = compose.container_spec(release, "web", 1)
    assert (web.name, web.command, web.port, web.memory) == ("blog_v4.web.1", "serve", 8080, 1 << 20)
    assert web.ports == (8080,)
    assert web.mounts == (("/a", "/b", "ro"),) and web.environment == {"A": "1", "PORT": "8080"}
    worker = compose.container_spec(release, "worker", 2)
    assert worker.ports == ()
    assert (worker.name, worker.port, worker.environment) == ("blog_v4.worker.2", 0, {"A": "1"})


def test_all_ports_that_requests_are_routed_to_are_known(hooks):
    hooks["route_context"] = [{"listeners": [["http", 80, 8080], ["http", 9000, 9090], ["http", 81, 9090]]}]
    assert compose.container_spec(composed({}), "web", 1).ports == (8080, 9090)
