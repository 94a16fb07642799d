"""What is done to every app goes on past one that fails, names it, and tells in the end: no app stops the others."""

import pytest

from minipaas_lib import api, errors
from minipaas_lib.apps import lifecycle, recovery
from minipaas_lib.bus import index
from minipaas_lib.deploy import build_artifacts
from minipaas_lib.journal import journal, locks
from minipaas_lib.records import apps, releases, trashed
from minipaas_lib.store import open_store

BROKEN = "x = [\n"


@pytest.fixture
def three(world, fake):
    """Three live apps; what is done to the one in the middle is the test's."""
    for name in ("aaa", "mmm", "zzz"):
        world.ok("apps:create", name)
        fake.deploy(name)
    return fake


def break_document(name="mmm"):
    open_store().write(f"apps/{name}/app.toml", BROKEN)


REPORTS = sorted(name for name in index.load().commands if name.endswith(":report"))


@pytest.mark.parametrize("command", [*(name for name in REPORTS if name not in ("cluster:report",)), "report"])
def test_a_report_of_all_apps(world, three, command):
    whole = world(command)
    if "aaa" not in whole.out:  # a report of the host
        return
    break_document()
    found = world(command)
    assert found.status == 1 and "mmm" in found.err and "aaa" in found.out and "zzz" in found.out
    assert "mmm" not in found.out


@pytest.mark.parametrize(
    ("words", "done"),
    [
        (("ps:restart", "--all"), "v2"),
        (("ps:stop", "--all"), "stopped"),
        (("config:set", "--global", "A=1"), "v2"),
        (("domains:add-global", "example.org"), "v2"),
        (("ps:restore",), "all processes are running"),
    ],
)
@pytest.mark.parametrize("fault", ["a document that is broken", "a fault of ours"])
def test_a_command_for_all_apps(world, three, monkeypatch, words, done, fault):
    if fault == "a document that is broken":
        break_document()
    else:
        lock = locks.bare_lock

        def fail(name, wait):
            if name == "mmm":
                raise RecursionError("maximum recursion depth exceeded")
            return lock(name, wait)

        monkeypatch.setattr(locks, "bare_lock", fail)
    found = world(*words)
    assert found.status == 1 and "mmm: " in found.err, found.err
    for name in ("aaa", "zzz"):
        assert any(name in line and done in line for line in (found.err + found.out).splitlines()), (name, found.err)
    assert "Traceback" not in found.err


@pytest.mark.parametrize("command", [("ps:restore",), ("doctor", "--fix")])
def test_what_cannot_be_put_right_of_one_app_is_put_right_of_the_others(world, three, monkeypatch, command):
    for name in ("aaa", "mmm", "zzz"):
        journal.begin(name, "stop")
    stop = recovery.stop
    monkeypatch.setattr(recovery, "stop", lambda name, record: 1 / 0 if name == "mmm" else stop(name, record))
    found = world(*command)
    assert found.status == 1 and "mmm: ZeroDivisionError" in found.err
    assert not journal.read("aaa") and not journal.read("zzz") and journal.read("mmm")


def test_doctor_looks_at_the_others(world, three):
    break_document()
    open_store().write("apps/zzz/live", "9" * 5000)
    found = world("doctor")
    assert found.status == 1
    for words in ("BROKEN  app mmm", "BROKEN  app zzz", "app aaa: processes"):
        assert words in found.out, found.out


def test_the_installation_goes_on_past_a_plugin_and_an_app(world, three, monkeypatch):
    called = []

    def call(hook, plugin, **arguments):
        called.append(plugin)
        if plugin == "git":
            raise errors.Unavailable("the repository of mmm cannot be written: Read-only file system", "doctor")

    monkeypatch.setattr(api, "call_one", call)
    found = world("install:finish")
    assert found.status == 1 and "git: the repository of mmm" in found.err
    assert called == index.load().hooks["installed"] and len(called) > called.index("git") + 1


def test_the_repositories_of_the_others_are_renewed(world, three, monkeypatch):
    renewed = []
    for name in ("aaa", "mmm", "zzz"):
        api.repository.create(name)

    def create(name):
        if name == "mmm":
            raise OSError(30, "Read-only file system")
        renewed.append(name)

    monkeypatch.setattr(api.repository, "create", create)
    found = world("git:set", "--global", "max-size", "1g")
    assert found.status == 1 and "mmm: OSError" in found.err and "1 of 3 apps failed: mmm" in found.err
    assert renewed == ["aaa", "zzz"]


def test_one_that_goes_meanwhile_is_no_failure_and_a_hangup_ends_all(world, three):
    seen = []

    def work(name):
        seen.append(name)
        if name == "aaa":
            open_store().delete("apps/aaa/app.toml")
            raise errors.NotFound("there is no app aaa")
        if name == "zzz":
            raise errors.Cancelled("the client has hung up")

    failed = []
    with pytest.raises(errors.Cancelled):
        apps.of_each(work, failed)
    assert seen == ["aaa", "mmm", "zzz"] and failed == []


def test_a_broken_document_in_the_trash_keeps_no_other_there(world, three, monkeypatch, capsys):
    for name in ("aaa", "mmm"):
        world.ok("apps:destroy", name, "--force")
    open_store().write("trash/aaa.1.toml", BROKEN)
    monkeypatch.setattr(trashed, "KEPT", -1)
    assert lifecycle.recover_all() == ["removed mmm.1 from the trash"]
    assert "aaa.1" in capsys.readouterr().err
    open_store().write("trash/aaa.1.toml", 'app = "aaa"\ndestroyed = "yesterday"\nby = 1\n')
    assert lifecycle.recover_all() == []


def test_images_of_an_app_with_a_broken_document_stay_and_the_others_are_pruned(world, three):
    mine, text = "sha256:" + "a" * 64, open_store().read("apps/mmm/releases/1.toml").text
    open_store().write("apps/mmm/releases/1.toml", text.replace("sha256:1", mine) + BROKEN)
    assert build_artifacts.images_in_use("aaa") == {"sha256:1", mine}
    with pytest.raises(errors.BadConfig):
        releases.all_of("mmm")


def test_what_failed_is_named_with_its_app_and_kind(three, capsys):
    assert apps.has_failed("mmm", errors.BadConfig("broken", "mend it"))
    assert apps.has_failed("mmm", KeyError("x"))
    said = capsys.readouterr().err
    assert "mmm: broken" in said and "mend it" in said and "mmm: KeyError: 'x'" in said
