"""The ledger of builds, cancelling from outside, and what pruning must leave."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api, errors
from minipaas_lib.deploy import build, in_progress, receive
from minipaas_lib.journal import journal, locks
from minipaas_lib.model.release import FAILED, RELEASED, Release
from minipaas_lib.records import releases
from plugins.builds import docker, ledger, pruning, tail

IMAGE = "sha256:" + "1" * 64


@pytest.fixture
def blog(world, monkeypatch):
    world.ok("apps:create", "blog")
    world.said, world.ran = {}, []

    def run(*words):
        world.ran.append(words)
        return subprocess.CompletedProcess(words, *world.said.get(words[0] + " " + words[1], (0, "", "")))

    monkeypatch.setattr(docker, "run", run)
    return world


def write(number, **about):
    given = {
        "image": IMAGE,
        "created": "2026-01-02T03:04:05Z",
        "commit": "c" * 40,
        "builder": "dockerfile",
        "status": RELEASED,
        "build_seconds": 2.5,
        "key": "anna",
    }
    releases.write(Release("blog", number, **(given | about)))


@pytest.fixture
def past(blog):
    write(1)
    write(2, build_seconds=0.0, reason="scale: web=2")
    write(3, image="", status=FAILED, failure="the build failed at RUN x: exit code 1", builder="", build_seconds=1.0)
    write(4, image="", status=FAILED, failure="cancelled before traffic moved", build_seconds=0.0)
    write(
        6,
        image="",
        status=FAILED,
        failure="its process was killed",
        builder="",
        build_seconds=0.0,
        reason="scale: web=3",
    )
    write(5, image=IMAGE.replace("1", "2"), status=FAILED, failure="web.1 stopped at once with exit code 1")
    blog.said["image inspect"] = (1, f"{IMAGE} 5000000\n", "No such image")
    return blog


def test_the_list_is_of_builds_only(past):
    rows = json.loads(past.ok("builds:list", "blog", "--format", "json"))
    assert [(row["number"], row["status"], row["size"]) for row in rows] == [
        (5, "succeeded", None),
        (4, "cancelled", None),
        (3, "failed", None),
        (1, "succeeded", 5000000),
    ]
    assert rows[3] == {
        "number": 1,
        "status": "succeeded",
        "builder": "dockerfile",
        "commit": "c" * 40,
        "seconds": 2.5,
        "size": 5000000,
        "when": "2026-01-02T03:04:05Z",
        "who": "anna",
    }
    lines = past.ok("builds:list", "blog", "-n", "2").splitlines()
    assert lines[0].split() == ["NUMBER", "STATUS", "BUILDER", "COMMIT", "SECONDS", "SIZE", "WHEN", "WHO"] and [
        line.split()[0] for line in lines[1:]
    ] == ["v5", "v4"]


def test_an_app_without_a_build_says_so(blog):
    assert (
        "no build yet" in blog("builds:list", "blog").err
        and blog.ok("builds:list", "blog", "--format", "json").strip() == "[]"
    )
    assert "no build yet" in blog.refused("builds:output", "blog")
    for words in (["builds:list"], ["builds:info"], ["builds:output"], ["builds:cancel"]):
        blog.refused(*words, "nobody", *(["v1"] if "info" in words[0] else []))


def test_info_of_one(past):
    found = json.loads(past.ok("builds:info", "blog", "v1", "--format", "json"))
    assert found["size"] == 5000000 and found["image"] == IMAGE and found["output"] is False
    assert "exit code 1" in past.ok("builds:info", "blog", "3")
    assert "v2 of blog was not built: it runs the build of v1" in past.refused("builds:info", "blog", "v2")
    past.refused("builds:info", "blog", "v9")
    past.refused("builds:info", "blog", "../1")


def test_output_is_printed_tamed(past):
    os.makedirs(api.paths.output("blog"))
    with open(ledger.output_path("blog", 5), "w", encoding="utf-8") as file:
        file.write("one\n\x1b[2Jtwo\nno end")
    assert past.ok("builds:output", "blog") == "one\n\\x1b[2Jtwo\nno end\n"
    assert past.ok("builds:output", "blog", "v5", "--follow") == "one\n\\x1b[2Jtwo\nno end\n"
    assert "the output of v1 of blog is not kept" in past.refused("builds:output", "blog", "v1")
    past.refused("builds:output", "blog", "v9")


MAKER = """
import sys, time
from minipaas_lib.journal import cancellation, journal, locks
from minipaas_lib.records import releases
from minipaas_lib import errors
how = sys.argv[1]
with locks.app_lock("blog"), cancellation.cancellable():
    number = releases.next_number("blog")
    journal.begin("blog", "rollout", release=number, previous=0, commit="c" * 40, reason="git push")
    with journal.step("blog", "build the image"):
        if how == "final":
            cancellation.no_way_back()
        try:
            print("ready", flush=True)  # from here on a cancel may come
            time.sleep(6 if how == "final" else 60)
        except errors.Cancelled as error:
            from minipaas_lib.model.release import Release
            failed = {"status": "failed", "failure": error.message, "commit": "c" * 40, "build_seconds": 0.1}
            releases.write(Release("blog", number, **failed))
    journal.end("blog")
"""


@pytest.fixture
def maker(blog):
    """Starts a process that makes a release, and waits until it is at it."""
    started = []

    def start(how="build"):
        house = os.path.dirname(os.path.dirname(os.path.abspath(errors.__file__)))
        process = subprocess.Popen(
            [sys.executable, "-c", MAKER, how],
            env=os.environ | {"PYTHONPATH": house},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_running_build_is_shown_followed_and_cancelled(blog, maker):
    process = maker()
    (row,) = json.loads(blog.ok("builds:list", "blog", "--format", "json"))
    assert (row["number"], row["status"], row["commit"], row["who"]) == (1, "building", "c" * 40, "root")
    found = json.loads(blog.ok("builds:info", "blog", "1", "--format", "json"))
    assert found["status"] == "building" and found["step"] == "build the image"
    result = blog("builds:cancel", "blog")
    assert result.status == 0 and "v1 of blog is cancelled; nothing was live before" in result.err
    assert process.wait(10) == 0 and in_progress.find("blog") is None
    assert json.loads(blog.ok("builds:list", "blog", "--format", "json"))[0]["status"] == "cancelled"
    assert "blog is not being built" in blog.refused("builds:cancel", "blog")


def test_past_the_switch_it_is_too_late(blog, maker):
    process = maker("final")
    assert "too late" in blog.refused("builds:cancel", "blog")
    assert process.poll() is None


def test_no_process_is_signalled_that_is_not_the_holder(blog, maker, monkeypatch):
    maker()
    found = in_progress.find("blog")
    sent = []
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *given: sent.append(given))
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        reused = found.holder._replace(pid=stranger.pid)
        with pytest.raises(errors.UsageError, match="no longer being deployed"):
            in_progress.cancel(in_progress.Underway("blog", found.number, reused))
    finally:
        stranger.kill()
        stranger.wait()
    with pytest.raises(errors.UsageError, match="no longer being deployed"):  # the process is gone
        in_progress.cancel(in_progress.Underway("blog", found.number, reused))
    with pytest.raises(errors.UsageError, match="no longer being deployed"):  # the holder makes another release by now
        in_progress.cancel(in_progress.Underway("blog", found.number + 1, found.holder))
    with pytest.raises(errors.Unavailable, match="by the host elsewhere"):
        in_progress.cancel(in_progress.Underway("blog", found.number, found.holder._replace(host="elsewhere")))
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(errors.Denied):
        in_progress.cancel(found)
    assert sent == []


def test_one_that_does_not_end_is_told(blog, maker, monkeypatch):
    maker()
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *given: None)
    with pytest.raises(errors.Unavailable, match="has not ended after 0.3 seconds"):
        in_progress.cancel(in_progress.find("blog"), patience=0.3)


def test_a_dead_process_and_other_work_are_no_build(blog, maker):
    process = maker()
    process.kill()
    process.wait()
    assert journal.read("blog") and in_progress.find("blog") is None
    (row,) = [*json.loads(blog.ok("builds:list", "blog", "--format", "json")), None][:1]
    assert row is None
    with locks.name_lock("shop"):
        assert in_progress.find("shop") is None


def test_a_failed_build_remembers_its_builder_and_how_long_it_took(blog, monkeypatch):
    def fail(app, number, commit, reason):
        journal.add("blog", builder="static")
        time.sleep(0.15)
        raise errors.BuildFailed("no", "try again")

    monkeypatch.setattr(receive.repository, "keep_commit", lambda *given: None)
    monkeypatch.setattr(
        receive, "build_release", lambda app, live, number, commit, reason: fail(app, number, commit, reason)
    )
    monkeypatch.setattr(receive.active_engines, "check_route", lambda route=None: None)
    with locks.app_lock("blog"), pytest.raises(errors.BuildFailed):
        receive.deploy_commit("blog", "c" * 40, "git push")
    (row,) = json.loads(blog.ok("builds:list", "blog", "--format", "json"))
    assert row["builder"] == "static" and row["seconds"] >= 0.1 and row["status"] == "failed"
    build.journal.add("blog", builder="x")
    assert journal.read("blog") == {}, "nothing is begun by a note"


def test_who_makes_a_release_makes_it_until_its_last_word(blog):
    with locks.app_lock("blog"):
        journal.begin("blog", "rollout", release=1, previous=0, commit="c" * 40, reason="git push")
        maker = tail.who_makes("blog", 1)
        assert maker == api.kernel.lock_holder("blog") and tail.who_makes("blog", 2) is None
        journal.end("blog")  # all is put right, and what was wrong is still to be said
        assert tail.who_makes("blog", 1, maker) == maker and tail.who_makes("blog", 1) is None
    assert tail.who_makes("blog", 1, maker) is None


def test_no_image_of_any_release_goes(blog, monkeypatch):
    blog.ok("apps:create", "shop")
    write(1)
    write(2, image=IMAGE.replace("1", "2"))
    releases.write(Release("shop", 1, image=IMAGE.replace("1", "3")))
    asked = {}
    monkeypatch.setattr(api, "call", lambda hook, **given: asked.update(given) or [["minipaas/blog:v9"]])
    loose = [IMAGE.replace("1", str(n)) for n in range(1, 6)]
    blog.said["images --quiet"] = (0, "\n".join(loose), "")
    assert blog("builds:prune", "blog").status == 0
    assert asked["kept"] == set(loose[:3]) and asked["newest"] == 2
    assert [words[2] for words in blog.ran if words[:2] == ("image", "rm")] == loose[3:]
    assert not any("--force" in words for words in blog.ran if words[0] == "image")


def test_a_build_that_is_going_on_is_left_alone(blog, maker):
    maker()
    assert blog("builds:prune", "blog").status == 75
    blog.said["builder prune"] = (0, "ID\nTotal:\t1.5MB\n", "")
    result = blog("builds:prune", "--all", "--keep-cache", "2g")
    assert result.status == 0 and "blog is skipped" in result.err and "1.5MB of build cache" in result.err
    assert ("builder", "prune", "--force", "--all", "--keep-storage", str(2 << 30)) in blog.ran and not any(
        words[0] == "images" for words in blog.ran
    )


@pytest.mark.parametrize(
    "words", [[], ["blog", "--all"], ["blog", "--keep-cache", "1g"], ["--all", "--keep-cache", "much"], ["nobody"]]
)
def test_what_to_prune_must_be_said(blog, words):
    blog.refused("builds:prune", *words)


@given(st.text())
def test_a_size_is_a_size(text):
    try:
        assert pruning.parse_size(text) >= 0
    except errors.UsageError:
        pass


@given(st.text())
def test_any_moment_can_be_counted_from(text):
    assert ledger.since(text) >= 0
