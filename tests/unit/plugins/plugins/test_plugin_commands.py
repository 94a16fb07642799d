"""plugin:*: install, update, undo, disable, from every source, and nothing hostile."""

import io
import json
import os
import subprocess
import tarfile

import pytest

from minipaas_lib import paths

TOML = (
    "api = 1\n"
    'name = "greeter"\n'
    'version = "{version}"\n'
    'summary = "Greet"\n'
    'hooks = ["report"]\n\n'
    "[commands]\n"
    '"greeter:say" = "Say it"\n'
)
REPORT = '#!/bin/sh\necho \'{"greeter-version": "%s"}\'\n'
GIT = {
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@t",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@t",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


def write(folder, version="1", toml=TOML, say='#!/bin/sh\necho said "$@" >"$MINIPAAS_PLUGIN_DATA/said"\nexit 7\n'):
    for path, text in {
        "plugin.toml": toml.format(version=version),
        "hooks/report": REPORT % version,
        "commands/greeter:say": say,
    }.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(0o755 if text.startswith("#!") else 0o644)
    return str(folder)


def git(folder, *words):
    done = subprocess.run(["git", *words], cwd=folder, env=os.environ | GIT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def version(world):
    return json.loads(world.ok("plugin:info", "greeter", "--format", "json"))["version"]


def state(world, name="greeter"):
    return {row["name"]: row["state"] for row in json.loads(world.ok("plugin:list", "--format", "json"))}.get(name)


@pytest.fixture
def greeter(tmp_path):
    return write(tmp_path / "greeter")


def test_install_use_and_uninstall(world, plugs, greeter):
    result = world("plugin:install", greeter)
    assert result.status == 0 and "hooks: report" in result.err and "commands: greeter:say" in result.err
    world.ok("apps:create", "blog")
    assert "Greeter version:" in world.ok("report", "blog")
    assert world("greeter:say", "to", "me", "--now").status == 7
    assert open(os.path.join(paths.plugin_data("greeter"), "said")).read() == "said to me --now\n"
    assert state(world) == "enabled"
    world.ok("plugin:uninstall", "greeter")
    assert state(world) is None and "Greeter" not in world.ok("report", "blog")
    assert world("greeter:say").status == 2
    world.ok("plugin:undo", "greeter")
    assert state(world) == "enabled"
    world.ok("plugin:undo", "greeter")
    assert state(world) is None


def test_update_keeps_the_version_before_for_undo(world, plugs, tmp_path, greeter):
    world.ok("plugin:install", greeter)
    assert "up to date" in world("plugin:update", "greeter").err
    write(tmp_path / "greeter", "2")
    world.ok("plugin:update", "greeter")
    assert version(world) == "2"
    world.ok("plugin:undo", "greeter")
    assert version(world) == "1"
    world.ok("plugin:undo", "greeter")
    assert version(world) == "2"


def test_an_update_that_cannot_be_used_changes_nothing(world, plugs, tmp_path, greeter):
    world.ok("plugin:install", greeter)
    write(tmp_path / "greeter", "2", TOML.replace('"report"', '"reports"'))
    assert "there is no hook" in world.refused("plugin:update", "greeter")
    assert version(world) == "1"
    assert not [name for name in os.listdir(paths.plugins()) if name.startswith(".staging")]


def test_a_commit_of_git_is_pinned(world, plugs, tmp_path):
    folder = tmp_path / "greeter"
    write(folder)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    git(folder, "tag", "v1")
    first = git(folder, "rev-parse", "HEAD")
    write(folder, "2")
    git(folder, "commit", "-qam", "two")
    second = git(folder, "rev-parse", "HEAD")
    world.ok("plugin:install", f"file://{folder}", "--committish", "v1")
    info = json.loads(world.ok("plugin:info", "greeter", "--format", "json"))
    assert (info["commit"], info["version"], info["committish"]) == (first, "1", "v1")
    assert "up to date" in world("plugin:update", "greeter").err
    world.ok("plugin:update", "greeter", "--committish", "main")
    assert (
        json.loads(world.ok("plugin:info", "greeter", "--format", "json"))["commit"] == second and version(world) == "2"
    )
    assert "has no" in world.refused("plugin:update", "greeter", "--committish", "--upload-pack=x")
    assert "git clone failed" in world.refused("plugin:install", f"file://{tmp_path}/nothing", "--name", "other")


def test_the_folder_must_stay_where_it_is(world, plugs, greeter):
    for mode in (0o777, 0o770):
        os.chmod(paths.root(), mode)
        refused = world("plugin:install", greeter)
        assert refused.status == 78 and "only root can change or move" in refused.err
    os.chmod(paths.root(), 0o1771)
    world.ok("plugin:install", greeter)


@pytest.mark.parametrize("source", ["--help-me", "ext::sh -c id", "-u x", "https://a b", "no/such/place", ""])
def test_no_source(world, plugs, source):
    assert world("plugin:install", "--", source).status != 0 and not os.path.exists(
        os.path.join(paths.plugins(), "index")
    )


def archive(path, members, mode="w:gz", prefix=""):
    with tarfile.open(path, mode) as tar:
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                content.name = prefix + name
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(prefix + name)
            info.size, info.mode = len(content), 0o755 if content.startswith(b"#!") else 0o644
            tar.addfile(info, io.BytesIO(content))
    return str(path)


GOOD = [
    ("plugin.toml", TOML.format(version="1").encode()),
    ("hooks/report", (REPORT % "1").encode()),
    ("commands/greeter:say", b"#!/bin/sh\n"),
]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("prefix", ["", "./", "greeter-1.0/"])
def test_a_tar(world, plugs, tmp_path, mode, prefix):
    world.ok("plugin:install", archive(tmp_path / "p.tar", GOOD, mode, prefix))
    assert version(world) == "1" and os.access(os.path.join(paths.plugins(), "greeter/hooks/report"), os.X_OK)


def special(kind, target=""):
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


HOSTILE = {
    "symlink": [("hooks/x", special(tarfile.SYMTYPE, "/etc/passwd"))],
    "hard link": [("hooks/x", special(tarfile.LNKTYPE, "plugin.toml"))],
    "device": [("dev", special(tarfile.CHRTYPE))],
    "fifo": [("fifo", special(tarfile.FIFOTYPE))],
    "up": [("../../evil", b"x")],
    "inner up": [("hooks/../../evil", b"x")],
    "absolute": [("/tmp/evil-plugin", b"x")],
    "newline": [("a\nb", b"x")],
    "escape": [("a\033[2Jb", b"x")],
    "twice": [("plugin.toml", b"x")],
    "file as folder": [("plugin.toml/x", b"x")],
    "deep": [("/".join("d" * 30), b"x")],
    "many": [(f"f{number}", b"") for number in range(6000)],
    "large": [(f"f{number}", b"\0" * (10 << 20)) for number in range(7)],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_tar_is_refused_and_leaves_nothing(world, plugs, tmp_path, what):
    path, outside = archive(tmp_path / "p.tar.gz", [*GOOD, *HOSTILE[what]]), os.path.exists("/tmp/evil-plugin")
    world.refused("plugin:install", path)
    assert os.path.exists("/tmp/evil-plugin") == outside and not os.path.exists(tmp_path / "evil")
    assert sorted(os.listdir(paths.plugins())) == [".lock"]


def test_a_header_that_lies_and_a_cut_tar(world, plugs, tmp_path):
    path = archive(tmp_path / "p.tar", GOOD, "w")
    data = open(path, "rb").read()
    for cut in (0, 10, 511, 600, 1100):
        open(path, "wb").write(data[:cut])
        world.refused("plugin:install", path)
    assert sorted(os.listdir(paths.plugins())) == [".lock"]


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("place", [12, 60, 120])
def test_a_damaged_archive_is_refused_in_our_words(world, plugs, tmp_path, mode, place):
    path = archive(tmp_path / "p.tar", GOOD, mode)
    data = bytearray(open(path, "rb").read())
    data[place : place + 8] = b"\xff" * 8
    open(path, "wb").write(data)
    world.refused("plugin:install", path)


def test_a_folder_with_a_link_is_refused(world, plugs, tmp_path, greeter):
    os.symlink("/etc/shadow", tmp_path / "greeter/hooks/shadow")
    assert "symbolic link" in world.refused("plugin:install", greeter)


def test_files_are_for_paas_to_read(world, plugs, greeter):
    os.chmod(os.path.join(greeter, "plugin.toml"), 0o600)
    world.ok("plugin:install", greeter)
    folder = os.path.join(paths.plugins(), "greeter")
    assert os.stat(folder).st_mode & 0o777 == 0o755 and os.stat(folder + "/plugin.toml").st_mode & 0o777 == 0o644
    assert (
        os.stat(folder + "/hooks/report").st_mode & 0o777 == 0o755
        and os.stat(paths.plugins() + "/index").st_mode & 0o777 == 0o644
    )


def test_another_name(world, plugs, greeter):
    world.ok("plugin:install", greeter, "--name", "hello")
    assert state(world, "hello") == "enabled"
    for name in ("apps", "config", "No", "../x"):
        world.refused("plugin:install", greeter, "--name", name)
    assert "the command greeter:say belongs to plugin hello" in world.refused("plugin:install", greeter)


def test_twice(world, plugs, greeter):
    world.ok("plugin:install", greeter)
    assert "plugin:update greeter" in world.refused("plugin:install", greeter)


def test_a_python_plugin_with_a_wrong_argument_is_refused_when_it_is_installed(world, plugs, tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "plugin.toml").write_text('api = 1\nname = "p"\nversion = "1"\nsummary = "s"\nhooks = ["after_deploy"]\n')
    (folder / "hooks.py").write_text(
        "from minipaas_lib import api\n@api.hookimpl\ndef after_deploy(app, releas): pass\n"
    )
    said = world.refused("plugin:install", str(folder))
    assert (
        "plugin p: after_deploy(app, releas) wants releas, which this hook does not have; "
        "the hook is after_deploy(app, release, previous)"
    ) in said


def test_disable_needs_nothing_of_the_plugin(world, plugs, tmp_path, greeter):
    world.ok("plugin:install", greeter)
    folder = os.path.join(paths.plugins(), "greeter")
    for breaking in ("chmod -x hooks/report", "echo ] > plugin.toml", "rm plugin.toml"):
        subprocess.run(["sh", "-c", breaking], cwd=folder, check=True)
        with open(os.path.join(paths.plugins(), "index"), "wb") as file:
            file.write(b"broken")
        world.ok("plugin:disable", "greeter")
        assert state(world) == "disabled" and "apps" in world.ok("plugin:list")
        os.unlink(os.path.join(folder, ".disabled"))


def test_no_authorize_hook_stops_disable(world, plugs):
    plugs.add("no", ["authorize"], hooks__authorize="#!/bin/sh\necho never >&2; exit 1\n")
    assert world("apps:list").status == 77
    world.ok("plugin:disable", "no")
    world.ok("apps:list")
    world("plugin:enable", "no")
    assert world("apps:list").status == 77


@pytest.mark.parametrize(
    "command",
    [
        "plugin:install",
        "plugin:update",
        "plugin:uninstall",
        "plugin:enable",
        "plugin:disable",
        "plugin:undo",
        "plugin:new",
        "plugin:test",
        "plugin:trigger",
    ],
)
def test_not_over_ssh(world, plugs, command):
    result = world(command, "x", key="anna")
    assert result.status == 77 and "not over ssh" in result.err


def test_unknown_and_built_in_names(world, plugs):
    assert "no plugin" in world.refused("plugin:disable", "greter")
    assert "part of minipaas itself" in world.refused("plugin:disable", "apps")
    assert world("plugin:info", "../../etc").status == 1
    assert "built in" in world.ok("plugin:info", "apps")


def test_doctor_names_a_broken_plugin(world, plugs):
    folder = plugs.add("one", ["report"], hooks__report="#!/bin/sh\n")
    os.chmod(os.path.join(folder, "hooks/report"), 0o644)
    from plugins.plugins import hooks

    (finding,) = hooks.doctor(None)
    assert finding.part == "plugin one" and not finding.ok and "cannot be run" in finding.said


def test_trigger(world, plugs):
    plugs.add(
        "one",
        ["report", "config_changed"],
        hooks__report="#!/bin/sh\necho '{\"a\": 1}'\n",
        hooks__config_changed="#!/bin/sh\ncat\n",
    )
    world.ok("apps:create", "blog")
    assert json.loads(world.ok("plugin:trigger", "report", "--app", "blog", "--plugin", "one")) == {"one": {"a": 1}}
    result = world("plugin:trigger", "config_changed", "--plugin", "one", 'names=["A"]')
    assert result.status == 0 and json.loads(result.err) == {"app": None, "names": ["A"]}
    assert "live" in world.refused("plugin:trigger", "after_deploy", "--app", "blog")
    assert "report needs an app" in world.refused("plugin:trigger", "report")
    assert "no hook" in world.refused("plugin:trigger", "nothing")
    assert 'has no argument "x"' in world.refused("plugin:trigger", "report", "--app", "blog", "x=1")


def test_state_is_for_programs_only(world, plugs):
    assert world("plugin:state", "get").status == 77
    assert world("plugin:state", "get", key="anna").status == 77
