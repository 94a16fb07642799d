"""Which files a warning names, when, and what it never does: fail or hold up a deploy."""

import re
import shlex
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api, errors
from plugins.local_data import hooks, paths, warning


@pytest.mark.parametrize(
    ("files", "volumes", "places"),
    [
        (["/app/db.sqlite3", "/app/db.sqlite3-journal"], [], ["/app/db.sqlite3"]),
        (["/app/public/uploads/a.jpg", "/app/public/uploads/b/c.jpg"], [], ["/app/public/uploads"]),
        (
            ["/data/x", "/app/app.DB", "/var/lib/redis/dump.rdb", "/var/lib/mysql/a/b"],
            [],
            ["/app/app.DB", "/data", "/var/lib/mysql", "/var/lib/redis/dump.rdb"],
        ),
        (["/app/media/db.sqlite", "/app/media/x"], [], ["/app/media"]),
        ([], ["/data", "/var/lib/postgresql/data", "/var/cache/nginx", "/tmp"], ["/data", "/var/lib/postgresql/data"]),
        (
            [
                "/app/tmp/uploads/x",
                "/app/log/data/x",
                "/app/node_modules/x/test.db",
                "/root/.npm/a.db",
                "/tmp/a.sqlite",
                "/run/app.pid",
                "/app/__pycache__/x",
                "/var/lib/apt/lists/x",
                "/var/lib/nginx/body/1",
                "/app/uploads",
                "/data",
                "/etc/resolv.conf",
                "/app/storage/framework/views/x.php",
                "/var/lib/x",
                "relative.db",
                "",
                "/",
            ],
            [],
            [],
        ),
        (["/db.sqlite3-wal"], [], ["/db.sqlite3"]),
    ],
)
def test_what_looks_like_data(files, volumes, places):
    assert paths.data(tuple(files), tuple(volumes)) == places


@given(st.lists(st.text(st.sampled_from("/a.db\x1b\n~data uploads-wal"), max_size=30)), st.lists(st.text(max_size=10)))
def test_any_paths_are_read(files, volumes):
    for place in paths.data(tuple(files), tuple(volumes)):
        assert place in volumes or any(file.startswith(place) for file in files)
    for line in warning.lines("blog", "v1", [("blog_v1.web.1", path) for path in files]):
        assert "\x1b" not in line and "\n" not in line


def test_the_lines_can_be_typed_as_they_stand():
    found = [
        ("blog_v3.web.1", "/app/my uploads"),
        ("blog_v3.worker.1", "/app/my uploads"),
        ("blog_v3.web.1", "/x\n.db"),
        *[("blog_v3.web.1", f"/{n}.db") for n in range(9)],
    ]
    lines = warning.lines("blog", "v3", found)
    commands = [line.strip() for line in lines if line.startswith("    docker cp ")]
    assert shlex.split(commands[0]) == ["docker", "cp", "blog_v3.web.1:/app/my uploads", "."] and len(commands) == 4
    assert "/x\\n.db" in lines[0] and lines[0].endswith("/2.db and 6 more")


class Scheduler:
    """Says what the processes have written."""

    def __init__(self, real, answer):
        self.real, self.answer, self.asked = real, answer, []

    def __getattr__(self, name):
        return getattr(self.real, name)

    def written(self, process, timeout):
        self.asked.append(process.name)
        answer = self.answer
        if callable(answer):
            return answer()
        return answer


@pytest.fixture
def deployed(world, fake, monkeypatch):
    """A function (answer) -> Scheduler; `blog` runs v1."""
    world.ok("apps:create", "blog")
    release = api.Release("blog", 1, "sha256:1", "t", "t", formation={"web": 2, "worker": 1}, processes=1)

    def ask(answer):
        made = Scheduler(fake.scheduler if hasattr(fake, "scheduler") else api.scheduler(), answer)
        made.processes = lambda app=None: [
            api.Process(f"blog_v1.{kind}.{index}", "blog", 1, kind, index, state="running")
            for kind, index in (("web", 1), ("web", 2), ("worker", 1))
        ]
        monkeypatch.setattr(api, "scheduler", lambda: made)
        return made

    ask.release = release
    return ask


def deploy(deployed, number=2, app=None):
    import dataclasses

    hooks.before_deploy(
        app or api.app("blog"), dataclasses.replace(deployed.release, number=number, processes=number), deployed.release
    )


def test_it_is_said_once_and_again_for_what_is_new(deployed, capsys):
    made = deployed(api.Written(("/app/db.sqlite3",), ()))
    deploy(deployed)
    said = capsys.readouterr().err
    assert "v1 of blog has written what looks like data" in said and "docker cp blog_v1.web.1:/app/db.sqlite3 ." in said
    assert made.asked == ["blog_v1.web.1", "blog_v1.worker.1"]
    deploy(deployed)
    assert capsys.readouterr().err == ""
    deployed(api.Written(("/app/db.sqlite3",), ("/data",)))
    deploy(deployed)
    said = capsys.readouterr().err
    assert "docker cp blog_v1.web.1:/data ." in said and "db.sqlite3" not in said


def test_a_clone_is_warned_of_its_own_files(deployed, capsys):
    deployed(api.Written((), ("/data",)))
    deploy(deployed)
    capsys.readouterr()
    api.kernel.documents.write(
        api.kernel.store(),
        warning.document("copy"),
        dict(api.kernel.documents.read(api.kernel.store(), warning.document("blog"))),
    )
    deploy(deployed, app=api.App("copy", {"created": "later"}))
    assert "of copy has written" in capsys.readouterr().err


def test_what_a_renamed_app_has_written_is_in_processes_of_its_old_name(deployed, capsys):
    made = deployed(api.Written((), ("/data",)))
    known = made.processes
    made.processes = lambda app: known(app) if app == "blog" else []
    deploy(deployed, app=api.App("journal", {"created": "t"}))
    said = capsys.readouterr().err
    assert "v1 of journal has written" in said and "docker cp blog_v1.web.1:/data ." in said


@pytest.mark.parametrize(
    "answer",
    [
        lambda: 1 / 0,
        lambda: (_ for _ in ()).throw(errors.Unavailable("docker is away")),
        lambda: time.sleep(3) or api.Written((), ("/data",)),
        api.Written(("/app/x.py",), ()),
    ],
)
def test_what_cannot_be_told_in_time_is_not_told(deployed, capsys, monkeypatch, answer):
    monkeypatch.setattr(warning, "PATIENCE", 0.2)
    deployed(answer)
    began = time.monotonic()
    deploy(deployed)
    assert capsys.readouterr().err == "" and time.monotonic() - began < 1


def test_nobody_is_asked_where_nothing_is_replaced(deployed, capsys):
    made = deployed(api.Written((), ("/data",)))
    hooks.before_deploy(api.app("blog"), deployed.release, None)
    import dataclasses

    hooks.before_deploy(
        api.app("blog"), dataclasses.replace(deployed.release, number=2), deployed.release
    )  # keeps the processes of v1
    assert made.asked == [] and capsys.readouterr().err == ""


def test_a_document_that_was_broken_by_hand_fails_no_deploy_and_a_hang_up_does(deployed, monkeypatch):
    deployed(api.Written((), ("/data",)))
    api.kernel.documents.write(
        api.kernel.store(), warning.document("blog"), {"created": api.app("blog").created, "warned": 5}
    )
    deploy(deployed)

    def hang_up(*_):
        raise errors.Cancelled("cancelled before traffic moved")

    monkeypatch.setattr(warning, "_known", hang_up)
    with pytest.raises(errors.Cancelled):
        deploy(deployed)


def test_a_scheduler_that_cannot_tell_is_fine(deployed, capsys, fake):
    deployed(api.Written((), ("/data",)))
    del Scheduler.written
    try:
        deploy(deployed)
    finally:
        Scheduler.written = lambda self, process, timeout: self.answer
    assert not re.search("written", capsys.readouterr().err)
