"""In which phase of a push something failed, as the push says it."""

import pytest

from minipaas_lib import errors
from minipaas_lib.bus import manager
from minipaas_lib.deploy import build, receive
from minipaas_lib.journal import journal, locks
from minipaas_lib.model.release import Build

BEFORE, DURING, AFTER = (
    "v1 failed before anything was built;",
    "v1 failed while building;",
    "v1 failed after the build;",
)


@pytest.fixture
def push(world, fake, monkeypatch, capsys):
    """Push a commit with a Procfile; `fails` names what fails. Returns what was said."""
    world.ok("apps:create", "blog")
    monkeypatch.setattr(receive.repository, "author", lambda *given: "ann")
    real_first, real_call = manager.first, manager.call

    def push(fails: str, procfile: bytes = b"web: serve\n") -> str:
        def may_fail(name, result):
            if name == fails:
                raise errors.BuildFailed(f"{name} is refused")
            return result

        monkeypatch.setattr(receive.repository, "keep_commit", lambda *given: may_fail("keep_commit", None))
        monkeypatch.setattr(receive.repository, "checkout", lambda *given: may_fail("checkout", None))
        monkeypatch.setattr(
            receive.repository, "read_file", lambda context, name, limit: procfile if name == "Procfile" else None
        )
        answers = {
            "detect_builder": "fake: it is one",
            "build_image": Build("sha256:1", "fake", {}),
            "source_folder": None,
        }

        def first(hook, **given):
            return may_fail(hook, answers[hook]) if hook in answers else real_first(hook, **given)

        def call(hook, **given):
            may_fail(hook, None)
            return real_call(hook, **given)

        monkeypatch.setattr(manager, "first", first)
        monkeypatch.setattr(manager, "call", call)
        capsys.readouterr()
        with locks.app_lock("blog"), pytest.raises(errors.MinipaasError):
            receive.deploy_commit("blog", "c" * 40, "git push")
        assert journal.read("blog") == {} and fake.scheduler.names() == []
        return capsys.readouterr().err

    return push


@pytest.mark.parametrize(
    ("fails", "phase"),
    [
        ("keep_commit", BEFORE),
        ("checkout", BEFORE),
        ("source_folder", BEFORE),
        ("detect_builder", BEFORE),
        ("before_build", BEFORE),
        ("build_image", DURING),
        ("after_build", AFTER),
        ("route_context", AFTER),
        ("before_release", AFTER),
    ],
)
def test_only_what_fails_in_the_build_failed_while_building(push, fails, phase):
    assert phase in push(fails)


def test_a_file_of_the_repository_is_refused_before_the_build(push):
    assert BEFORE in push("", procfile=b"no colon here\n")
    assert build.BEFORE in BEFORE
