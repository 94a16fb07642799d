"""The conformance kit passes what is right, and fails each broken plugin for its own fault."""

import contextlib
import json
import os
import socket
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[4]
EXAMPLES = sorted(path.name for path in (HOUSE / "docs/examples").iterdir() if (path / "plugin.toml").exists())
BROKEN = {
    "newer_api": "plugin API 2",
    "misspelt_hook": "did you mean after_deploy?",
    "wrong_argument": "after_deploy(app, version) wants version",
    "crashes": "plugin crashes failed in after_deploy: ZeroDivisionError",
    "hangs": "plugin hangs failed in before_deploy: it was still running after 1 s",
    "garbage": "must print JSON",
    "floods": "more than 1 MiB",
    "takes_a_command": "apps:list belongs to minipaas",
    "writes_elsewhere": "apps/sample/app.toml: config",
    "silent_refusal": "without a word",
    "wrong_value": "domains in lower-case ASCII",
    "not_runnable": "hooks/installed cannot be run",
    "leaves": "ended the process",
    "segfaults": "signal SEGV",
    "unimportable": "no_such_module_anywhere",
    "doctor_refuses": "must never refuse",
}


def run(world, folder):
    root = os.environ["MINIPAAS_ROOT"]
    result = world("plugin:test", str(folder), "--format", "json")
    os.environ["MINIPAAS_ROOT"] = root  # its process would end here, and with it the kit's own world
    return result.status, json.loads(result.out)


@pytest.fixture
def no_docker(monkeypatch):
    from plugins.plugins import kit

    monkeypatch.setattr(kit, "docker", lambda *words: False)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_passes(world, plugs, no_docker, name):
    status, results = run(world, HOUSE / "docs/examples" / name)
    assert status == 0, [result for result in results if not result["ok"]]
    assert results[-1]["what"] == "a whole deploy, scheduler in memory"


def test_a_host_that_has_the_usual_port_in_use(world, plugs, no_docker):
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # then something has it anyway
            stack.enter_context(socket.create_server(("", 5000)))
        with pytest.raises(OSError):
            socket.create_server(("127.77.0.1", 5000))
        status, results = run(world, HOUSE / "docs/examples" / EXAMPLES[0])
    assert status == 0, [result for result in results if not result["ok"]]


def test_a_process_in_memory_is_reached_by_all_its_ports(monkeypatch):
    from minipaas_lib import api
    from plugins.plugins import memory

    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_server(("", 5000)))
        spec = api.ContainerSpec(
            name="a_v1.web.1", app="a", release=1, process_type="web", index=1, image="i", port=5000, ports=(5000, 9000)
        )
        scheduler = memory.MemoryScheduler()
        process = scheduler.start(spec)
        for port in spec.ports:
            socket.create_connection((process.backend.address, process.backend.at(port)), timeout=5).close()
        scheduler.stop(process)
        with pytest.raises(OSError):
            socket.create_connection((process.backend.address, process.backend.at(9000)), timeout=5)


def test_there_is_a_case_for_every_broken_plugin():
    assert set(BROKEN) == {path.name for path in (HOUSE / "tests/broken_plugins").iterdir()} and len(BROKEN) >= 10


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_fails(world, plugs, no_docker, name):
    status, results = run(world, HOUSE / "tests/broken_plugins" / name)
    failed = [result for result in results if not result["ok"]]
    assert status == 1 and len(failed) == 1 and BROKEN[name] in failed[0]["said"]


@pytest.mark.parametrize("language", ["python", "sh"])
def test_a_new_plugin_passes_and_works(world, plugs, no_docker, tmp_path, monkeypatch, language):
    monkeypatch.chdir(tmp_path)
    world.ok("plugin:new", "hello_there", "--lang", language)
    status, results = run(world, tmp_path / "hello_there")
    assert status == 0, results
    world.ok("plugin:install", str(tmp_path / "hello_there"))
    world.ok("apps:create", "blog")
    assert world("hello-there:set", "blog", "salve").status == 0
    from minipaas_lib import api

    assert api.app("blog").table("hello_there") == {"greeting": "salve"}
    assert world("hello-there:set", "Bad Name", "x").status == 2 and world("hello-there:set", "blog").status == 2
    assert "e.g.:" in world.ok("hello-there:set", "--help")


@pytest.mark.parametrize("name", ["apps", "config", "Bad", "a-b", "../x", ""])
def test_no_name_for_a_new_plugin(world, plugs, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    world.refused("plugin:new", "--", name)
    assert list(tmp_path.glob("apps")) == []


def test_the_samples_have_the_arguments_of_every_hook():
    from minipaas_lib import api
    from plugins.plugins import samples

    for hook in api.kernel.manifest.hook_names():
        for _, arguments in samples.cases(hook, "/"):
            assert set(arguments) == set(api.kernel.manifest.hook_arguments(hook)), hook


def test_the_route_of_the_samples_leads_to_backends():
    from minipaas_lib import api
    from plugins.plugins import samples

    assert [type(backend) for backend in samples.route().backends] == [api.Backend]


def test_engines_in_memory_keep_the_contracts():
    import inspect

    from minipaas_lib.bus import engines
    from plugins.plugins import memory

    for contract, made in ((engines.Scheduler, memory.MemoryScheduler), (engines.Router, memory.MemoryRouter)):
        for name, method in inspect.getmembers(contract, inspect.isfunction):
            if not name.startswith("_"):
                assert list(inspect.signature(method).parameters) == list(
                    inspect.signature(getattr(made, name)).parameters
                ), name
