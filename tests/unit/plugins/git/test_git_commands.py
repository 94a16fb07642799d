"""git:* on the command line, and the command of the repositories' hook."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors, paths
from minipaas_lib.git import git, repository
from minipaas_lib.push import pre_receive
from minipaas_lib.records import apps
from plugins.git import hooks, settings

OLD, NEW = "0" * 40, "a" * 40


@pytest.fixture
def blog(world):
    world.ok("apps:create", "blog")
    return world


def test_set_and_report(blog):
    assert blog.ok("git:report", "blog", "--git-deploy-branch") == "main or master\n"
    blog.ok("git:set", "blog", "deploy-branch", "feature/x")
    assert blog.ok("git:report", "blog", "--git-deploy-branch") == "feature/x\n"
    blog.ok("git:set", "blog", "deploy-branch")
    assert blog.ok("git:report", "blog", "--git-deploy-branch") == "main or master\n"


@pytest.mark.parametrize(("there", "wanted"), [("main", "main/x"), ("main/x", "main"), ("a/b", "a/b/c")])
def test_a_branch_that_git_cannot_have_beside_another_is_refused(blog, there, wanted):
    folder = repository.create("blog")
    tree = git.run([f"--git-dir={folder}", "hash-object", "-t", "tree", "-w", "/dev/null"]).decode().strip()
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    commit = git.run([f"--git-dir={folder}", *identity, "commit-tree", tree, "-m", "x"]).decode().strip()
    git.run([f"--git-dir={folder}", "update-ref", f"refs/heads/{there}", commit])
    refused = blog.refused("git:set", "blog", "deploy-branch", wanted)
    assert f"git cannot have a branch {wanted} beside the branch {there}" in refused
    blog.ok("git:set", "blog", "deploy-branch", there)
    blog.ok("git:set", "blog", "deploy-branch", "mainline")


def test_the_app_finds_its_commit(blog, fake):
    assert fake.deploy("blog", commit="c0ffee").config == {"GIT_REV": "c0ffee"}
    blog.ok("git:set", "blog", "rev-env-var", "COMMIT")
    assert fake.deploy("blog", commit="c0ffee").config == {"COMMIT": "c0ffee"}
    blog.ok("git:set", "blog", "rev-env-var")
    assert fake.deploy("blog", commit="c0ffee").config == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("deploy-branch", "a b"),
        ("deploy-branch", "-x"),
        ("deploy-branch", "a..b"),
        ("deploy-branch", "refs/heads/x"),
        ("deploy-branch", "x.lock"),
        ("deploy-branch", "main\n"),
        ("rev-env-var", "1A"),
        ("rev-env-var", "MINIPAAS_X"),
        ("x", "y"),
    ],
)
def test_refused(blog, key, value):
    blog.refused("git:set", "blog", key, value)


@given(st.text(max_size=20))
def test_a_branch_is_one_for_git_too(text):
    try:
        name = settings.branch_name(text)
    except errors.UsageError:
        return
    assert repository.git.succeeds(["check-ref-format", "refs/heads/" + name])


def test_pre_receive_is_not_for_people(blog):
    assert "git push paas@<host>:blog main" in blog.refused("git:pre-receive", "blog")


@pytest.fixture
def pushed(blog, monkeypatch):
    """What was given to the pipeline by a push."""
    monkeypatch.setenv("GIT_DIR", ".")
    given_to: list = []
    repository.create("blog")
    monkeypatch.setattr("minipaas_lib.api.kernel.receive", lambda *arguments: given_to.append(arguments), raising=False)
    return given_to


def head() -> str:
    with open(os.path.join(paths.repository("blog"), "HEAD")) as file:
        return file.read().strip()


def test_pre_receive(blog, pushed):
    updates = f"{OLD} {NEW} refs/heads/master\n"
    blog.ok("git:pre-receive", "blog", stdin=updates)
    assert pushed == [("blog", updates, ["main", "master"])]
    blog.ok("git:set", "blog", "deploy-branch", "live")
    blog.ok("git:pre-receive", "blog", stdin=f"{OLD} {NEW} refs/heads/live\n")
    assert pushed[1][2] == ["live"]


def test_a_list_of_updates_is_looked_at_to_its_end_or_refused(blog, pushed, monkeypatch):
    tags = "".join(f"{OLD} {NEW} refs/tags/{'v' * 60}{n}\n" for n in range(12_000))  # more than 1 MiB
    assert len(tags) > 1 << 20
    monkeypatch.setattr("minipaas_lib.api.kernel.receive", pre_receive.pre_receive)
    monkeypatch.setattr(pre_receive, "_deploy", lambda name, update, kept, first: None)
    head = f"{OLD} {NEW} refs/heads/main\n"
    for late in ("refs/heads/evil", "refs/notes/x", "refs/heads/caf\udce9"):
        data = (head + tags + f"{OLD} {NEW} {late}\n").encode("utf-8", "surrogateescape")
        result = blog("git:pre-receive", "blog", stdin=data)
        assert result.status == 0 and ("is not deployed by blog" in result.err or "is not a branch" in result.err), (
            result.err
        )
        with open(os.path.join(paths.repository("blog"), f"refused-{os.getppid()}"), "rb") as file:
            assert file.read() == late.encode("utf-8", "surrogateescape") + b"\n"
    monkeypatch.setattr("plugins.git.commands.INPUT_LIMIT", 1 << 20)
    assert "has too many references" in blog("git:pre-receive", "blog", stdin=head + tags).err


def test_a_reference_in_a_thousand_folders_is_refused(blog, pushed, monkeypatch):
    monkeypatch.setattr("minipaas_lib.api.kernel.receive", pre_receive.pre_receive)
    found = blog(
        "git:pre-receive", "blog", stdin=f"{OLD} {NEW} refs/heads/main\n{OLD} {NEW} refs/tags/{'a/' * 1000}x\n"
    )
    assert found.status == 2 and "has a name that is too long" in found.err


def test_a_push_that_fails_fails(blog, pushed, monkeypatch):
    monkeypatch.setattr("minipaas_lib.api.kernel.receive", pre_receive.pre_receive)
    result = blog("git:pre-receive", "blog", stdin=f"{OLD} {NEW} refs/heads/dev\n")
    assert result.status == 1 and "'dev' is not deployed by blog: it deploys main or master" in result.err
    assert head() == "ref: refs/heads/main"


def test_a_new_version_rewrites_the_hooks(blog):
    hooks.installed()
    assert not os.path.exists(paths.repository("blog")), "an app has its repository from its first push on"
    hook = os.path.join(repository.create("blog"), "hooks", "pre-receive")
    with open(hook, "w") as file:
        file.write("of an older version")
    hooks.installed()
    with open(hook, "rb") as file:
        assert file.read() == paths.resource("hooks/pre-receive")
    assert apps.names() == ["blog"]
