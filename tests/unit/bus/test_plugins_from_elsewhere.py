"""Order, loading, mistakes and the index of plugins that are not ours."""

import os
import sys

import pytest

from minipaas_lib import api, dispatch, errors
from minipaas_lib.bus import catalog, index, installed, manager, values
from minipaas_lib.model.app import App

APP = App("blog", {})
PYTHON = (
    "from minipaas_lib import api\n\n\n@api.hookimpl{mark}\ndef after_deploy(app):\n    api.output.info('{name}')\n"
)


def tell():
    manager.notify("after_deploy", app=APP, release=None, previous=None)


def test_both_kinds_run_by_name_but_for_first_and_last(plugs, capsys):
    def shell(name, toml=""):
        plugs.add(name, ["after_deploy"], toml, index_it=False, hooks__after_deploy=f"#!/bin/sh\necho {name}\n")

    def python(name, mark=""):
        plugs.add(name, ["after_deploy"], index_it=False, hooks_py=PYTHON.format(name=name, mark=mark))

    shell("y_first", 'tryfirst = ["after_deploy"]\n')
    python("z_first", "(tryfirst=True)")
    python("a_last", "(trylast=True)")
    shell("b_last", 'trylast = ["after_deploy"]\n')
    shell("c")
    python("d")
    shell("e")
    plugs.use()
    tell()
    assert capsys.readouterr().err.split() == ["y_first", "z_first", "c", "d", "e", "a_last", "b_last"]


def test_the_order_does_not_hang_on_which_hook_came_first(plugs, capsys):
    both = PYTHON.format(name="b", mark="") + "\n\n@api.hookimpl\ndef installed():\n    pass\n"
    plugs.add("b", ["after_deploy", "installed"], index_it=False, hooks_py=both)
    plugs.add("a", ["after_deploy"], index_it=False, hooks_py=PYTHON.format(name="a", mark=""))
    plugs.add("c", ["after_deploy"], hooks_py=PYTHON.format(name="c", mark=""))
    manager.call_one("installed", "b")
    tell()
    assert capsys.readouterr().err.split() == ["a", "b", "c"]


def test_the_trace_tells_every_call(plugs, capsys, monkeypatch):
    monkeypatch.setenv("MINIPAAS_TRACE_HOOKS", "1")
    plugs.add("one", ["after_deploy"], index_it=False, hooks__after_deploy="#!/bin/sh\n")
    plugs.add("two", ["after_deploy"], hooks_py=PYTHON.format(name="x", mark=""))
    tell()
    said = capsys.readouterr().err
    assert (
        "hook after_deploy: one answered nothing in " in said
        and "hook after_deploy: two answered nothing in " in said
        and " ms" in said
    )


def test_the_trace_hides_values_of_an_environment(plugs, capsys, monkeypatch):
    monkeypatch.setenv("MINIPAAS_TRACE_HOOKS", "1")
    plugs.add("one", ["release_environment"], hooks__release_environment='#!/bin/sh\necho \'{"A": "secret"}\'\n')
    manager.call("release_environment", app=APP, build=None, commit="")
    assert "variables" in (said := capsys.readouterr().err) and "secret" not in said


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_module\n", "cannot be loaded for before_release: ModuleNotFoundError"),
        ("raise SystemExit(0)\n", "SystemExit"),
        ("x = 1\n", "before_release"),
        (
            "from minipaas_lib import api\n@api.hookimpl\ndef before_release(app, version): pass\n",
            "before_release(app, version) wants version, which this hook does not have; "
            "the hook is before_release(app, release)",
        ),
        ("def before_release(app): pass\n", "not marked @api.hookimpl"),
        (
            "from minipaas_lib import api\n@api.hookimpl\ndef before_release(app): raise SystemExit(0)\n",
            "failed in before_release: SystemExit",
        ),
        ("from minipaas_lib import api\n@api.hookimpl\ndef before_release(app): 1 / 0\n", "ZeroDivisionError"),
        ("from minipaas_lib import api\n@api.hookimpl(wrapper=True)\ndef before_release(app): yield\n", "wrapper"),
    ],
)
def test_a_plugin_that_cannot_be_used_fails_the_call_with_its_name(plugs, code, said):
    plugs.add("one", ["before_release"], hooks_py=code)
    with pytest.raises(errors.PluginFailed) as failed:
        manager.call("before_release", app=APP, release=None)
    assert failed.value.message.startswith("plugin one ") and said in failed.value.message


def test_a_refusal_in_python_is_as_worded(plugs):
    plugs.add(
        "one",
        ["before_release"],
        hooks_py=(
            "from minipaas_lib import api\n"
            "@api.hookimpl\n"
            "def before_release(app):\n"
            "    raise api.errors.UsageError('not on a Friday', 'wait')\n"
        ),
    )
    with pytest.raises(errors.UsageError) as refused:
        manager.call("before_release", app=APP, release=None)
    assert (refused.value.message, refused.value.hint) == ("not on a Friday", "wait")


def test_values_in_python_are_checked_too(plugs):
    plugs.add(
        "one",
        ["container_options"],
        hooks_py=(
            "from minipaas_lib import api\n@api.hookimpl\ndef container_options(app):\n    return {'memory': '1g'}\n"
        ),
    )
    with pytest.raises(errors.PluginFailed, match="plugin one failed in container_options"):
        manager.call("container_options", app=APP, process_type="web")


def test_its_own_modules_and_vendored_ones(plugs):
    plugs.add("one", ["report"], own___init__py="", vendor__its_library_py="", index_it=False)
    folder = os.path.join(plugs.folder, "one")
    for path, text in {
        "__init__.py": "",
        "words.py": "WORD = 'own'\n",
        "vendor/one_library.py": "WORD = 'vendored'\n",
        "hooks.py": "from minipaas_lib import api\n"
        "from minipaas_plugins.one import words\n"
        "from . import words as same\n"
        "import one_library\n\n"
        "@api.hookimpl\n"
        "def report(app):\n"
        "    return {'own': words.WORD, 'same': same.WORD, 'vendored': one_library.WORD}\n",
    }.items():
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        with open(os.path.join(folder, path), "w") as file:
            file.write(text)
    plugs.use()
    try:
        assert manager.call_one("report", "one", app=APP) == {"own": "own", "same": "own", "vendored": "vendored"}
    finally:
        sys.path.remove(os.path.join(folder, "vendor"))


def test_an_engine_must_have_all_methods(plugs):
    plugs.add(
        "one",
        ["router"],
        hooks_py="from minipaas_lib import api\n@api.hookimpl(tryfirst=True)\ndef router():\n    return object()\n",
    )
    with pytest.raises(errors.PluginFailed, match="lacks apply, remove"):
        manager.first("router")


def test_every_hook_with_a_value_has_a_check():
    from minipaas_lib.bus import hookspecs

    for name, spec in vars(hookspecs).items():
        if hasattr(spec, "minipaas_spec"):
            assert ("eturn" in spec.__doc__) == (name in values.CHECKS), (
                f"{name}: add a check of what it returns to bus/values.py"
            )


# the index


def test_no_index_file_is_no_plugins(world):
    assert index.installed() == {}


def test_a_disabled_plugin_is_not_in_the_index(plugs):
    folder = plugs.add("one", ["report"], hooks__report="#!/bin/sh\n")
    assert "one" in index.load().plugins and "one" in index.load().hooks["report"]
    open(os.path.join(folder, ".disabled"), "w").close()
    plugs.use()
    assert "one" not in index.load().plugins and "one" not in index.load().hooks["report"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"minipaas plugins 1 other-1\n\x00",
        catalog.header(),
        catalog.header() + b"{\xff\x00",
        os.urandom(300),
    ],
)
def test_a_broken_index_is_made_good_from_the_plugins(plugs, content):
    plugs.add("one", ["report"], hooks__report="#!/bin/sh\n")
    with open(os.path.join(plugs.folder, "index"), "wb") as file:
        file.write(content)
    index.forget()
    assert "one" in index.load().installed


def test_a_broken_plugin_does_not_hide_the_others(plugs, capsys):
    plugs.add("one", ["report"], index_it=False, hooks__report="#!/bin/sh\n")
    with open(os.path.join(plugs.folder, "one", "plugin.toml"), "w") as file:
        file.write("]")
    plugs.add("two", ["report"], hooks__report="#!/bin/sh\n")
    assert (
        set(index.load().installed) == {"two"}
        and "plugin one is skipped: plugin.toml: it cannot be read" in capsys.readouterr().err
    )


def test_what_is_ours_stays_ours():
    ours = {"apps": {"api": 1, "commands": {"apps:list": "List the apps"}}}
    theirs = {
        "apps": {"api": 1, "commands": {}},
        "other": {"api": 1, "commands": {"apps:list": "x", "other:x": "y"}},
        "future": {"api": 2, "hooks": ["report"]},
    }
    made = catalog.build(ours, theirs)
    assert made.commands["apps:list"].plugin == "apps" and made.commands["other:x"].plugin == "other"
    assert set(made.installed) == {"other"} and not made.hooks


def test_a_command_can_ask_for_gevent(plugs):
    plugs.add("one", [], '[commands]\n"one:x" = { help = "x", gevent = ["-f"] }\n', commands_py="")
    assert dispatch.needs_gevent(["one:x", "blog", "-f"]) and not dispatch.needs_gevent(["one:x", "blog"])


def test_only_ours_can_stay_root(plugs):
    assert index.stays_root("plugin:install") and not index.stays_root("apps:list") and not index.stays_root("x:y")


# the table


def test_a_table_of_its_own(plugs, world):
    plugs.add("one", ["report"], hooks__report="#!/bin/sh\n")
    world.ok("apps:create", "blog")
    table = api.plugin_table("one", "blog")
    table.set(url="https://x", count=3)
    table.unset("count", "absent")
    assert table.read() == {"url": "https://x"} and api.app("blog").table("one") == {"url": "https://x"}
    api.plugin_table("one").set(all=True)
    assert api.kernel.platform()["one"] == {"all": True}
    table.unset("url")
    assert "one" not in api.app("blog").document


@pytest.mark.parametrize("name", ["config", "domains", "two", "../x", ""])
def test_no_other_table(plugs, name):
    plugs.add("one", ["report"], hooks__report="#!/bin/sh\n")
    with pytest.raises(errors.Denied):
        api.plugin_table(name)


def test_the_installed_record_of_a_stranger_is_empty(plugs):
    plugs.add("one", ["report"], hooks__report="#!/bin/sh\n")
    assert installed.record("one") == {} and installed.names() == ["one"]
