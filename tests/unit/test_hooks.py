"""Every hook has a caller, an example that docs/hooks.md shows, and a test that runs the example."""

import ast
import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from minipaas_lib import api, errors
from minipaas_lib.bus import manager
from plugins.plugins import memory, samples

HOUSE = Path(__file__).parents[2]
SOURCE = (HOUSE / "minipaas_lib/bus/hookspecs.py").read_text()
HOOKS = [node.name for node in ast.parse(SOURCE).body if isinstance(node, ast.FunctionDef)]
EXAMPLES = {path.stem: path for path in (HOUSE / "docs/examples/hooks").iterdir() if path.suffix in (".py", ".sh")}
DOCKER = """#!/bin/sh
echo "$@" >> "$0.log"
case $1 in
    build) [ -e "$5/index.html" ] || { echo "no index.html" >&2; exit 1; }; echo sha256:1 ;;
    images)
        printf 'sha256:%s\\n' '1 example/sample:v1' '2 example/sample:v2' '3 example/sample:v3' '4 other:v1'
        ;;
    rmi) [ "$2" != example/sample:v3 ] ;;
esac
"""


class Refused(str):
    """The hook refuses, and says this."""


class Said(str):
    """The hook answers nothing, and the user reads this."""


def app(name: str = "sample", **table):
    return api.App(name, {"creator": "anna", "example": table})


release, build = samples.release, samples.build
# What an example makes of its hook's arguments: those of samples.cases(), but for some.
EXPECTED = {
    "app_created": [({}, Said("sample is anna's"))],
    "app_renamed": [({"app": app("new"), "former": "old"}, None)],
    "app_destroyed": [({}, None)],
    "before_clone": [({"app": app()}, ["example.lease"]), ({"app": app(single=True)}, Refused("only one sample"))],
    "before_restore": [
        ({"app": app(lease=1)}, Refused("blog has the lease of sample by now")),
        ({"app": app(lease=2)}, None),
        ({"app": app()}, None),
    ],
    "before_config": [
        ({}, None),
        ({"names": ["TZ"], "config": {"TZ": "/etc/localtime"}}, Refused("TZ is the name of a time zone")),
        ({"app": None}, None),
    ],
    "config_changed": [({}, Said("COLOUR of sample")), ({"app": None}, Said("COLOUR of all apps"))],
    "source_folder": [({"app": app(folder="web")}, "web"), ({"app": app()}, None)],
    "detect_builder": [({}, "example: there is an index.html"), ({"context": "/proc"}, None)],
    "builder_names": [({}, ["example"])],
    "builder_files": [({}, ["index.html"])],
    "build_settings": [({}, {"environment": {"HTTPS_PROXY": "http://proxy.example.org:3128"}, "ca": ""})],
    "may_use_image": [({"owner": "company-base"}, True), ({"owner": "shop"}, None)],
    "docker_config": [({"app": app(credentials="/etc/example")}, "/etc/example"), ({"app": app()}, None)],
    "before_build": [({}, None)],
    "build_image": [
        ({}, None),
        ({"builder": "example", "context": "/proc"}, Refused("no index.html")),
        ({"builder": "example"}, api.Build("sha256:1", "example", {"web": "exec serve --port $PORT"})),
    ],
    "after_build": [
        ({}, None),
        ({"build": api.Build("sha256:1", "x", {"worker": ""})}, Refused("sample has no web process")),
    ],
    "images_unused": [
        ({"kept": {"sha256:1"}, "newest": 3}, ["example/sample:v2"]),
        ({"kept": set(), "newest": 1}, ["example/sample:v1"]),
    ],
    "release_environment": [({"commit": "a" * 40}, {"SENTRY_RELEASE": "a" * 12}), ({"commit": ""}, None)],
    "container_options": [
        ({"process_type": "web"}, None),
        ({"process_type": "worker"}, {"memory": 2**29, "mounts": [["/srv/sample", "/data", "rw"]]}),
    ],
    "before_release": [
        ({}, None),
        ({"app": app("shop-production")}, Refused("nothing of shop-production is released on a Friday")),
    ],
    "release_task": [({"app": app(snapshots=True)}, Said("Snapshot of the database before v2")), ({}, Said(""))],
    "before_deploy": [
        ({"previous": None}, Said("")),
        (
            {"release": dataclasses.replace(release(2), port=8000), "previous": release(1)},
            Said("PORT of sample changes from 5000 to 8000"),
        ),
    ],
    "check_process": [
        ({}, None),
        ({"process": dataclasses.replace(samples.process(), address="")}, Refused("has no address")),
    ],
    "after_deploy": [({"release": release(2)}, Said("release 2 of sample is on air, said root"))],
    "deploy_failed": [
        ({}, Said("paging anna: sample v2 failed (web.1 exited with 1), v1 serves")),
        ({"previous": None}, Said("nothing serves")),
    ],
    "domains_changed": [({"domains": ["a.test", "*.b.test"]}, Said("point the DNS of a.test here"))],
    "route_context": [({}, {"domains": ["sample.staging.example.org"]})],
    "route_changed": [({}, Said("warming 1 domains of sample")), ({"route": None}, Said("purged the cache of sample"))],
    "authorize": [
        ({"key": "ci-blog", "command": "config:set", "app": "blog"}, Refused("the key ci-blog may only push")),
        ({"key": "ci-blog", "command": "git-receive-pack", "app": "blog"}, None),
        ({"key": "anna", "command": "config:set", "app": "mail"}, Refused("the key anna may not config:set mail")),
        ({"key": "anna", "command": "apps:list", "app": ""}, Refused("the key anna may not apps:list")),
        ({"key": "anna", "command": "help", "app": ""}, None),
        ({"key": "paul", "command": "apps:list", "app": ""}, None),
    ],
    "before_git": [({}, None), ({"app": app(closed=True)}, Refused("the repository of sample is closed"))],
    "report": [({}, {"example-deploys": 0})],
    "installed": [({}, None), ({}, None)],
}


@pytest.fixture
def example(world, plugs, tmp_path, monkeypatch):
    """A function that installs the example of a hook as the plugin `example`, and the docker and date that it finds."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (("docker", DOCKER), ("date", "#!/bin/sh\necho 5\n")):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    world.ok("apps:create", "blog")
    api.edit_app("blog", lambda document: document.update(example={"lease": 1}))

    def install(hook: str) -> None:
        path = EXAMPLES[hook]
        shutil.rmtree(os.path.join(plugs.folder, "example"), ignore_errors=True)
        file = {"hooks_py": path.read_text()} if path.suffix == ".py" else {f"hooks__{hook}": path.read_text()}
        plugs.add("example", [hook], **file)

    return install


@pytest.fixture
def context(tmp_path):
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "index.html").write_text("<p>")
    return str(folder)


@pytest.mark.parametrize("hook", HOOKS)
def test_it_has_a_caller(hook):
    code = "\n".join(p.read_text() for folder in ("minipaas_lib", "plugins") for p in (HOUSE / folder).rglob("*.py"))
    called = any(f'{call}("{hook}"' in code for call in ("call", "first", "notify"))
    assert called or f'_engine("{hook}")' in code, f"nobody calls {hook}"


def test_every_hook_has_an_example_and_every_example_a_test():
    assert set(EXAMPLES) == set(HOOKS)
    assert set(EXPECTED) | {"scheduler", "router", "doctor"} == set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_page_shows_the_example(hook):
    page = (HOUSE / "docs/hooks.md").read_text()
    part = page.partition(f"### `{hook}(")[2].partition("### `")[0]
    assert EXAMPLES[hook].read_text().rstrip() in part


@pytest.mark.parametrize("hook", sorted(EXPECTED))
def test_the_example_does_what_it_says(example, context, hook, capsys):
    example(hook)
    arguments = samples.cases(hook, context)[0][1]
    for changes, expected in EXPECTED[hook]:
        capsys.readouterr()
        if isinstance(expected, Refused):
            with pytest.raises(errors.MinipaasError, match=expected):
                manager.call_one(hook, "example", **arguments | changes)
            continue
        answer = manager.call_one(hook, "example", **arguments | changes)
        said = capsys.readouterr()
        if isinstance(expected, Said):
            assert answer is None and expected in said.err + said.out
            assert expected or not said.err + said.out
        else:
            assert answer == expected


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_takes_whatever_the_kit_gives(example, context, hook):
    """Each case of the conformance kit is answered or refused with a word; nothing crashes."""
    example(hook)
    for number, (_, arguments) in enumerate(samples.cases(hook, context)):
        if hook == "before_build" and number:
            os.unlink(os.path.join(context, "REVISION"))
        try:
            manager.call_one(hook, "example", **arguments)
        except errors.PluginFailed:
            raise
        except errors.MinipaasError as error:
            assert error.message


def test_what_the_examples_leave_behind(example, context):
    folder = api.paths.plugin_data("example")
    example("installed")
    manager.call_one("installed", "example")
    assert os.path.isdir(folder + "/queue")
    os.makedirs(folder + "/old")
    example("app_renamed")
    for _ in range(2):
        manager.call_one("app_renamed", "example", app=app("new"), former="old")
    assert sorted(os.listdir(folder)) == ["new", "queue"]
    example("app_destroyed")
    for _ in range(2):
        manager.call_one("app_destroyed", "example", app=app("new"))
    assert os.listdir(folder) == ["queue"]
    example("before_build")
    manager.call_one("before_build", "example", app=app(), context=context, commit="c" * 40)
    assert open(context + "/REVISION").read() == "c" * 40 + "\n"
    example("after_deploy")
    for _ in range(2):
        manager.call_one("after_deploy", "example", app=app(), release=release(2), previous=None)
    example("report")
    assert manager.call_one("report", "example", app=app()) == {"example-deploys": 2}


def test_the_doctor_of_the_example(example):
    example("doctor")
    (found,) = manager.call_one("doctor", "example", app=None)
    assert (
        found.part == "/srv"
        and found.ok == os.path.isdir("/srv")
        and manager.call_one("doctor", "example", app=app()) is None
    )


@pytest.mark.parametrize("kind", ["scheduler", "router"])
def test_an_engine_around_another(example, monkeypatch, capsys, kind):
    inner = {"scheduler": memory.MemoryScheduler, "router": memory.MemoryRouter}[kind]()
    example(kind)
    monkeypatch.setattr(api, "call_one", lambda hook, plugin: inner)
    engine = manager.first(kind)
    if kind == "scheduler":
        engine.stop(engine.start(api.kernel.container_spec(release(2), "worker", 1)))
        assert "starting sample_v2.worker.1" in capsys.readouterr().err
    else:
        engine.apply(samples.route())
        assert "sample is routed: v2" in capsys.readouterr().err and inner.routes() == ["sample"]
