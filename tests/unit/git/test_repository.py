"""The git side with real git: pushes into an app's repository through its hook, and what stays of them."""

import os
import subprocess
import sys
import time

import pytest

from minipaas_lib import errors, paths
from minipaas_lib.git import git, repository, repository_copy, repository_in_use

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
HOOK_PROGRAM = f"""#!{sys.executable}
import os, signal, sys
sys.path.insert(0, {ROOT!r})
from minipaas_lib import errors
from minipaas_lib.git import ref_updates, repository
assert sys.argv[1] == "git:pre-receive"
app = sys.argv[2]
try:
    update = ref_updates.sort_updates(ref_updates.parse_updates(sys.stdin.read()), ["main", "master"], app).deploy
except errors.MinipaasError as error:
    sys.exit(f"{{error.message}} | {{error.hint}}")
number = int(os.environ["TEST_NUMBER"])
try:
    repository.keep_commit(app, update.new, number)
except errors.MinipaasError as error:
    sys.exit(f"{{error.message}} | {{error.hint}}")
repository.checkout(app, update.new, os.environ["TEST_TARGET"])
if os.environ["TEST_END"] == "kill":
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(os.environ["TEST_END"] == "reject")
"""


def sh(*command, cwd=None, check=True, env=None):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **(env or {})})
    assert not check or done.returncode == 0, done.stderr
    return done


class Laptop:
    """Somebody's clone, and pushes from it."""

    def __init__(self, folder, program):
        self.folder, self.program, self.number = folder, program, 0
        sh("git", "init", "-q", "-b", "main", str(folder))

    def git(self, *arguments, check=True):
        return sh("git", *arguments, cwd=self.folder, check=check)

    def commit(self, files, message="change"):
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD").stdout.strip()

    def push(self, *refs, end="accept", app="blog"):
        self.number += 1
        self.target = str(self.folder) + f".context-{self.number}"
        env = {
            "MINIPAAS_PROGRAM": str(self.program),
            "TEST_NUMBER": str(self.number),
            "TEST_TARGET": self.target,
            "TEST_END": end,
        }
        return sh("git", "push", paths.repository(app), *(refs or ["main"]), cwd=self.folder, check=False, env=env)


@pytest.fixture(autouse=True)
def world(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv(
        "GIT_CONFIG_NOSYSTEM", "1"
    )  # where git-lfs is installed, filters and hooks of its own are in there
    (tmp_path / "gitconfig").write_text(
        '[user]\nname = Anna\nemail = anna@example.org\n[protocol "file"]\nallow = always\n'
    )


@pytest.fixture
def laptop(tmp_path):
    program = tmp_path / "program"
    program.write_text(HOOK_PROGRAM)
    program.chmod(0o755)
    repository.create("blog")
    return Laptop(tmp_path / "laptop", program)


def in_repository(*arguments, check=True):
    return sh("git", f"--git-dir={paths.repository('blog')}", *arguments, check=check)


def release_refs():
    return in_repository("for-each-ref", "--format=%(refname)", "refs/minipaas").stdout.split()


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def test_create_twice_changes_nothing_and_puts_back_what_was_changed():
    folder = repository.create("blog")
    before = {name: os.stat(os.path.join(folder, name)).st_mtime_ns for name in ("config", "hooks/pre-receive", "HEAD")}
    assert repository.create("blog") == folder
    assert before == {name: os.stat(os.path.join(folder, name)).st_mtime_ns for name in before}
    with open(os.path.join(folder, "hooks", "pre-receive"), "w") as file:
        file.write("#!/bin/sh\nexit 0\n")
    repository.create("blog")
    assert b"git:pre-receive" in read(folder, "hooks/pre-receive")
    assert os.stat(os.path.join(folder, "hooks", "pre-receive")).st_mode & 0o777 == 0o700
    assert sorted(os.listdir(os.path.dirname(folder))) == ["blog.git"]


def test_create_goes_on_where_a_killed_one_stopped():
    leftover = paths.repository("blog") + f".new-{os.getpid()}"
    os.makedirs(leftover)
    repository.create("blog")
    assert not os.path.exists(leftover)
    assert in_repository("symbolic-ref", "HEAD").stdout == "refs/heads/main\n"


def test_an_accepted_push_is_whole_and_its_release_ref_is_hidden(laptop, tmp_path):
    commit = laptop.commit({"index.html": "one"})
    done = laptop.push()
    assert done.returncode == 0, done.stderr
    assert release_refs() == ["refs/minipaas/v1"]
    assert repository.head_commit("blog", ["master", "main"]) == commit
    assert read(laptop.target, "index.html") == b"one"
    sh("git", "clone", "-q", paths.repository("blog"), str(tmp_path / "clone"))
    assert read(tmp_path / "clone", "index.html") == b"one"
    assert "minipaas" not in sh("git", "ls-remote", paths.repository("blog")).stdout
    in_repository("fsck", "--strict", "--full")


@pytest.mark.parametrize("end", ["reject", "kill"])
def test_a_failed_push_keeps_the_release_commit_and_moves_no_branch(laptop, end):
    commit = laptop.commit({"index.html": "one", "a/b": "two"}, "first try")
    assert laptop.push(end=end).returncode != 0
    assert repository.head_commit("blog", ["main"]) is None
    assert release_refs() == ["refs/minipaas/v1"]
    in_repository("gc", "--quiet", "--prune=now")
    in_repository("fsck", "--strict", "--full")
    assert repository.subject("blog", commit) == "first try"
    assert laptop.push().returncode == 0
    assert repository.head_commit("blog", ["main"]) == commit
    assert release_refs() == ["refs/minipaas/v1", "refs/minipaas/v2"]


@pytest.mark.parametrize("end", ["accept", "reject"])
def test_a_large_pack_is_kept_quickly_and_once(laptop, end):
    laptop.commit({f"big-{n}": os.urandom(4 * 1024 * 1024) for n in range(5)})
    laptop.commit({f"small/{n}": str(n) for n in range(200)})
    done = laptop.push(end=end)
    assert (done.returncode == 0) == (end == "accept"), done.stderr
    assert len(read(laptop.target, "big-4")) == 4 * 1024 * 1024
    in_repository("fsck", "--full")
    packs = os.path.join(paths.repository("blog"), "objects", "pack")
    assert sorted(name.rpartition(".")[2] for name in os.listdir(packs) if not name.endswith(".rev")) == ["idx", "pack"]
    assert [name for name in os.listdir(os.path.dirname(packs)) if name.startswith(("tmp", "incoming"))] == []


def test_keep_commit_copies_where_there_are_no_hard_links(laptop, monkeypatch, tmp_path):
    commit = laptop.commit({"index.html": "one"})
    objects = os.path.join(repository.create("blog"), "objects")
    quarantine = os.path.join(objects, "tmp_objdir-incoming-x")
    sh("cp", "-r", str(laptop.folder / ".git" / "objects"), quarantine)
    monkeypatch.setenv("GIT_QUARANTINE_PATH", quarantine)
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", quarantine)
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(1, "no links here")))
    repository.keep_commit("blog", commit, 7)
    monkeypatch.delenv("GIT_OBJECT_DIRECTORY")
    sh("rm", "-rf", quarantine)
    assert release_refs() == ["refs/minipaas/v7"]
    in_repository("fsck", "--strict", "--full")


def test_keep_commit_without_a_quarantine_and_drop_release(laptop):
    commit = laptop.commit({"index.html": "one"})
    laptop.push()
    repository.keep_commit("blog", commit, 9)
    repository.keep_commit("blog", commit, 9)
    assert release_refs() == ["refs/minipaas/v1", "refs/minipaas/v9"]
    assert repository.kept_commits("blog") == {1: commit, 9: commit}
    repository.drop_release("blog", 9)
    repository.drop_release("blog", 9)
    assert release_refs() == ["refs/minipaas/v1"]


def test_what_is_known_of_a_commit(laptop):
    commit = laptop.commit({"index.html": "one"}, message="First \x1b[31mpage\n\nwhy")
    laptop.git("commit", "-q", "--amend", "--no-edit", "--author", "Eve \x1b[2J" + "x" * 300 + " <e@e.test>")
    commit = laptop.git("rev-parse", "HEAD").stdout.strip()
    assert not repository.has_commit("blog", commit) and repository.author("blog", commit) == ""
    laptop.push()
    assert repository.has_commit("blog", commit) and not repository.has_commit("blog", "")
    author = repository.author("blog", commit)
    assert author.startswith("Eve ") and author.isprintable() and len(author) == 200
    assert repository.subject("blog", commit).isprintable() and repository.kept_commits("nobody") == {}


def test_two_commits_of_one_second_and_one_size_unpack_to_their_own_content_with_new_times(laptop):
    first = laptop.commit({"page": "aaaa"})
    second = laptop.commit({"page": "bbbb"})
    laptop.push(f"{first}:refs/heads/main")
    one = laptop.target
    laptop.push()
    assert (read(one, "page"), read(laptop.target, "page")) == (b"aaaa", b"bbbb")
    times = [os.stat(os.path.join(folder, "page")).st_mtime_ns for folder in (one, laptop.target)]
    assert times[0] < times[1]
    assert abs(times[1] / 1e9 - time.time()) < 60
    assert repository.commits_between("blog", first, second) == [(second, "change")]
    assert len(repository.commits_between("blog", "", second)) == 2


def test_files_of_a_context_can_be_read_by_everybody_and_nothing_else_is_left(laptop, tmp_path):
    laptop.commit({"run.sh": "#!/bin/sh\n", "a/page": "x"})
    laptop.git("update-index", "--chmod=+x", "run.sh")
    laptop.git("commit", "-q", "-m", "executable")
    commit = laptop.git("rev-parse", "HEAD").stdout.strip()
    laptop.push()
    former = os.umask(0o077)
    try:
        repository.checkout("blog", commit, str(tmp_path / "context"))
    finally:
        os.umask(former)
    modes = {name: os.stat(tmp_path / "context" / name).st_mode & 0o777 for name in (".", "run.sh", "a", "a/page")}
    assert modes == {".": 0o755, "run.sh": 0o755, "a": 0o755, "a/page": 0o644}
    assert sorted(os.listdir(tmp_path / "context")) == ["a", "run.sh"]
    assert not os.path.exists(tmp_path / "context.index")


def test_set_head_decides_what_a_clone_checks_out(laptop, tmp_path):
    laptop.commit({"page": "x"})
    laptop.push("main:master")
    repository.set_head("blog", "master")
    sh("git", "clone", "-q", paths.repository("blog"), str(tmp_path / "clone"))
    assert os.listdir(tmp_path / "clone") != [".git"]


def test_the_branch_follows_the_live_commit_where_a_push_died(laptop):
    first = laptop.commit({"page": "x"})
    laptop.push(end="kill")
    repository.follow("blog", first, "production")
    assert repository.head_commit("blog", ["production"]) == first and head() == "ref: refs/heads/production"
    repository.follow("blog", "")
    in_repository("pack-refs", "--all")
    repository.follow("blog", first)
    assert not os.path.exists(os.path.join(paths.repository("blog"), "refs/heads/production")), "it needed no change"
    in_repository("fsck", "--strict", "--full")


def test_the_branch_is_left_to_a_push_that_goes_on(laptop, monkeypatch):
    first = laptop.commit({"page": "x"})
    laptop.push(end="kill")
    monkeypatch.setattr(repository_in_use, "receiving", lambda folder: True)
    repository.follow("blog", first, "main")
    assert repository.head_commit("blog", ["main"]) is None


def test_a_repository_that_is_gone_is_no_error(world, capsys):
    repository.follow("blog", "c" * 40)
    repository.tidy("blog")
    assert capsys.readouterr().err == ""


def test_a_branch_that_cannot_be_moved_is_reported(laptop, capsys):
    repository.follow("blog", "c" * 40)
    assert "the repository of blog is behind" in capsys.readouterr().err


STALE = [
    "refs/heads/main.lock",
    "HEAD.lock",
    "packed-refs.lock",
    "objects/tmp_objdir-incoming-AbCdEf/pack/x",
    "config.new-12",
    "hooks/pre-receive.new-7",
    "shallow_AbCdEf",
]


def test_what_killed_git_processes_left_is_removed(laptop, monkeypatch):
    laptop.commit({"page": "x"})
    laptop.push()
    before = files()
    for name in STALE:
        path = os.path.join(paths.repository("blog"), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "w").close()
    with monkeypatch.context() as patch:
        patch.setattr(repository_in_use, "receiving", lambda folder: True)
        repository.tidy("blog")
        assert files() > before, "while a push goes on nothing is touched"
    repository.tidy("blog")
    assert files() == before


def files() -> set[str]:
    return {os.path.join(place, name) for place, _, names in os.walk(paths.repository("blog")) for name in names}


def head() -> str:
    with open(os.path.join(paths.repository("blog"), "HEAD")) as file:
        return file.read().strip()


def test_a_push_that_goes_on_is_seen(laptop, tmp_path):
    """By its command line and the folder it works in, whoever's child it is; a clone is none."""
    folder = paths.repository("blog")
    assert not repository_in_use.receiving(folder)
    for words, seen in (
        (["git", "receive-pack", folder], True),
        (["git", "receive-pack", "."], True),
        (["git", "upload-pack", "."], False),
    ):
        process = subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            process.stdout.read(4)
            assert repository_in_use.receiving(folder) == seen
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()


def tree(entries):
    """A tree object in the app's repository, its raw entries as given: (mode, name, hash)."""
    raw = b"".join(f"{mode} {name}".encode() + b"\0" + bytes.fromhex(sha) for mode, name, sha in entries)
    return write_object("tree", raw)


def write_object(kind, raw):
    command = [
        "git",
        f"--git-dir={paths.repository('blog')}",
        "hash-object",
        "-w",
        "-t",
        kind,
        "--literally",
        "--stdin",
    ]
    return subprocess.run(command, input=raw, capture_output=True, check=True).stdout.decode().strip()


def commit_of(tree_hash):
    who = "Mallory <m@example.org> 1700000000 +0000"
    return write_object("commit", f"tree {tree_hash}\nauthor {who}\ncommitter {who}\n\nevil\n".encode())


@pytest.mark.parametrize("name", [".git", ".GIT", "..", ".", "../out", "/tmp/out", "git~1", "a/../../out", ".git "])
def test_no_tree_writes_outside_its_context(tmp_path, name):
    repository.create("blog")
    blob, outside = write_object("blob", b"evil"), os.path.exists("/tmp/out")
    for entries in ([("100644", name, blob)], [("40000", name, tree([("100644", "config", blob)]))]):
        target = tmp_path / f"context-{len(entries[0][0])}"
        before = sorted(os.listdir(tmp_path))
        try:
            repository.checkout("blog", commit_of(tree(entries)), str(target))
        except errors.MinipaasError:
            pass
        assert set(os.listdir(tmp_path)) - set(before) <= {target.name}
        assert not (target / ".git").exists()
        assert os.path.exists("/tmp/out") == outside


def test_a_link_and_a_folder_of_one_name_do_not_write_through_the_link(tmp_path):
    repository.create("blog")
    (tmp_path / "outside").mkdir()
    link = write_object("blob", str(tmp_path / "outside").encode())
    inner = tree([("100644", "stolen", write_object("blob", b"evil"))])
    for entries in ([("120000", "a", link), ("40000", "a", inner)], [("40000", "a", inner), ("120000", "a", link)]):
        target = tmp_path / "context"
        try:
            repository.checkout("blog", commit_of(tree(entries)), str(target))
        except errors.MinipaasError:
            pass
        assert os.listdir(tmp_path / "outside") == []
        sh("rm", "-rf", str(target))


def test_a_push_of_a_hostile_tree_is_refused(laptop, tmp_path):
    laptop.commit({"page": "x"})
    raw = b"100644 .git\0" + bytes.fromhex(laptop.git("hash-object", "-w", "page").stdout.strip())
    evil = (
        subprocess.run(
            ["git", "hash-object", "-w", "-t", "tree", "--literally", "--stdin"],
            input=raw,
            cwd=laptop.folder,
            capture_output=True,
            check=True,
        )
        .stdout.decode()
        .strip()
    )
    commit = laptop.git("commit-tree", "-m", "evil", evil).stdout.strip()
    done = laptop.push(f"{commit}:refs/heads/main")
    assert done.returncode != 0 and "hasDotgit" in done.stderr
    assert release_refs() == []


@pytest.mark.parametrize(
    "refs, said",
    [
        (
            ["HEAD:refs/heads/dev"],
            "'dev' is not deployed by blog: it deploys main or master | git push <remote> dev:main",
        ),
        (["HEAD:refs/tags/v1"], 'the tag "v1" was pushed'),
        (["HEAD:refs/heads/dev", "HEAD:refs/heads/x"], "2 references were pushed (dev, x)"),
        (["HEAD:refs/notes/x"], "is not a branch"),
    ],
)
def test_pushes_that_are_refused_change_nothing(laptop, refs, said):
    laptop.commit({"page": "x"})
    done = laptop.push(*refs)
    assert done.returncode != 0 and said in done.stderr, done.stderr
    assert in_repository("for-each-ref").stdout == ""
    assert in_repository("count-objects").stdout.startswith("0 objects")


def test_a_deployed_branch_is_not_deleted_and_hidden_refs_are_not_pushed(laptop):
    laptop.commit({"page": "x"})
    laptop.push()
    done = laptop.push(":main")
    assert done.returncode != 0 and "cannot be deleted" in done.stderr
    assert laptop.push("HEAD:refs/minipaas/v9").returncode != 0
    assert release_refs() == ["refs/minipaas/v1"]
    assert repository.head_commit("blog", ["main"])


def test_a_tag_pushed_as_the_branch_is_refused_before_it_is_deployed(laptop):
    laptop.commit({"page": "x"})
    laptop.git("tag", "-a", "-m", "one", "1.0")
    done = laptop.push("1.0:refs/heads/main")  # git itself refuses it only after the hook
    assert done.returncode != 0 and "is a tag, not a commit | git push <remote> <name>^{commit}:main" in done.stderr
    assert in_repository("for-each-ref").stdout == ""
    assert in_repository("count-objects").stdout.startswith("0 objects")


def test_a_branch_may_come_with_tags(laptop):
    laptop.commit({"page": "x"})
    laptop.git("tag", "-a", "-m", "one", "1.0")
    assert laptop.push("main", "1.0").returncode == 0
    assert in_repository("tag").stdout == "1.0\n"


def test_a_shallow_clone_may_push_only_what_has_its_history_here(laptop, tmp_path):
    laptop.commit({"page": "x"})
    laptop.commit({"page": "y"})
    sh("git", "clone", "-q", "--depth=1", f"file://{laptop.folder}", str(tmp_path / "shallow"))
    whole, laptop.folder = laptop.folder, tmp_path / "shallow"
    done = laptop.push()
    assert done.returncode != 0 and "git fetch --unshallow" in done.stderr
    assert release_refs() == []
    laptop.folder = whole
    laptop.push()
    laptop.folder = tmp_path / "shallow"
    laptop.commit({"page": "z"})
    assert laptop.push().returncode == 0
    in_repository("fsck", "--full")


def test_the_hook_variables_of_git_do_not_reach_other_repositories(laptop, monkeypatch):
    commit = laptop.commit({"page": "x"})
    laptop.push()
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", "/nonexistent")
    assert repository.head_commit("blog", ["main"]) == commit


def test_a_hostile_subject_is_printed_harmlessly(laptop):
    commit = laptop.commit({"page": "x"}, "hello \x1b[31m red \x07 \u202e end")
    laptop.push()
    assert repository.subject("blog", commit) == "hello \\x1b[31m red \\x07 \\u202e end"
    assert repository.subject("blog", "0" * 40) == ""


def test_a_missing_git_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(errors.Unavailable, match="git is not installed"):
        git.run(["version"])


def test_a_tag_in_a_thousand_folders_stops_neither_the_next_command_nor_a_clone(world, tmp_path):
    """git takes such a name; what looks through the folder of refs must not call itself for each level."""
    repository.create("blog")
    commit = commit_of(tree([]))
    deep = "refs/tags/" + "a/" * 1200 + "x"
    try:
        in_repository("update-ref", deep, commit)
        lock = os.path.join(paths.repository("blog"), deep + ".lock")
        open(lock, "w").close()
        repository.tidy("blog")
        assert not os.path.exists(lock)
        repository_copy.copy("blog", "copy")
        assert git.run([f"--git-dir={paths.repository('copy')}", "rev-parse", deep]).decode().strip() == commit
    finally:  # pytest itself could not remove them
        for app in ("blog", "copy"):
            repository.remove(app)
            assert not os.path.exists(paths.repository(app))
