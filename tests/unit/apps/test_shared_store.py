"""Where other hosts share the store: the last step is in it, and who lost a lock goes no further."""

import os
import signal
import sys

import pytest

from minipaas_lib import errors, paths
from minipaas_lib.deploy import drain, drain_worker
from minipaas_lib.journal import held, journal, locks
from minipaas_lib.records import apps, trashed
from minipaas_lib.store import layout, open_store


@pytest.fixture
def blog(world, fake, monkeypatch):
    monkeypatch.setattr(type(open_store()), "shared", True)
    world.ok("apps:create", "blog")
    fake.deploy("blog", {"web": "serve"})
    return fake


def test_the_last_step_is_a_document_while_a_command_goes_on(blog):
    assert not open_store().exists(layout.step("blog"))  # the deploy is over
    journal.begin("blog", "stop")
    assert journal.last_step("blog") == ""
    with journal.step("blog", "do something"):
        assert journal.last_step("blog") == "do something"
    with journal.step("blog", "do more"):
        pass
    assert journal.last_step("blog") == "do more" and os.listdir(paths.work()) == []
    journal.end("blog")
    assert journal.last_step("blog") == "" and not open_store().exists(layout.step("blog"))


def test_a_step_is_not_kept_in_the_trash(world, blog):
    world.ok("apps:destroy", "blog", "--force")
    (entry,) = trashed.entries()
    world.ok("apps:restore", entry["id"])
    assert not open_store().exists(layout.step("blog")) and apps.load("blog")


class Lost:
    """A lock that another host may have by now."""

    def check(self):
        raise errors.Unavailable("the lock on blog was lost", "repeat the command")


def test_without_its_lock_a_command_ends_as_if_killed(blog, tmp_path):
    child = os.fork()
    if not child:
        os.dup2(os.open(tmp_path / "said", os.O_CREAT | os.O_WRONLY), 2)
        sys.stderr = open(2, "w", closefd=False)
        try:
            held.locks.append(Lost())
            with journal.step("blog", "make it live"):
                open_store().write("apps/blog/live", "2")
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert open_store().read("apps/blog/live").text == "1\n"
    said = (tmp_path / "said").read_text()
    assert " !     the lock on blog was lost" in said and "repeat the command" in said


def test_who_lets_old_processes_go_stops_without_its_lock(blog, monkeypatch):
    drain.add("blog", blog.scheduler.processes("blog"))
    lock = open_store().lock("retire/blog", locks.holder())
    monkeypatch.setattr(type(lock), "check", Lost.check)
    monkeypatch.setattr(drain_worker, "PATIENCE", -1)
    lock.release()
    with pytest.raises(errors.Unavailable):
        drain_worker.run("blog")
    assert drain.waiting("blog")
