"""What is the directory backend's own: files, rights, refusals of the disk, cost."""

import errno
import json
import os
import subprocess
import sys

import pytest

from minipaas_lib import errors
from minipaas_lib.store import directory, open_store
from minipaas_lib.store.contract import ABSENT, LockHolder
from minipaas_lib.store.directory import DirectoryStore

APP = "apps/blog/app.toml"
LAPTOP = LockHolder("git push", "laptop", "2026-01-02T12:01:07Z", "host", 123)


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(str(tmp_path / "state"), str(tmp_path / "locks"))


def everything(folder):
    for parent, folders, files in os.walk(folder):
        yield from (os.path.join(parent, name) for name in folders + files)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_reads_files_and_folders(store, tmp_path, umask):
    before = os.umask(umask)
    try:
        store.write(APP, "a")
        store.lock("apps/blog", LAPTOP).release()
        store.export(str(tmp_path / "copy"))
    finally:
        os.umask(before)
    for path in everything(tmp_path):
        assert os.stat(path).st_mode & 0o777 == (0o700 if os.path.isdir(path) else 0o600), path


def test_a_write_mends_the_rights_of_a_file_edited_by_hand(store, tmp_path):
    store.write(APP, "a")
    os.chmod(tmp_path / "state" / APP, 0o644)
    store.write(APP, "b")
    assert os.stat(tmp_path / "state" / APP).st_mode & 0o777 == 0o600


def test_what_is_not_a_document_is_not_seen(store, tmp_path):
    store.write(APP, "a")
    for name in (".app.toml.swp", "app.toml~", "#app.toml#", "_x", "a b", "x\n"):
        (tmp_path / "state" / "apps" / "blog" / name).write_text("")
    assert store.list() == [APP]
    assert store.children("apps/blog") == ["app.toml"]
    token = store.watch("apps")
    (tmp_path / "state" / "apps" / "blog" / ".app.toml.swp").write_text("more")
    assert store.watch("apps", token, timeout=0) is None
    store.delete(APP)
    assert store.children("") == []


def test_leftovers_of_a_killed_writer_are_unseen_and_cleaned(store, tmp_path):
    store.write(APP, "a")
    scratch = tmp_path / "state" / ".scratch"
    (scratch / "blog" / "releases").mkdir(parents=True)
    (scratch / "blog" / "releases" / "1.toml").write_text("half")
    (scratch / "app.toml").write_text("half")
    assert store.list() == [APP]
    assert store.children("") == ["apps"]
    store.write("apps/blog/live", "1")
    assert os.listdir(scratch) == []


@pytest.mark.parametrize("kind", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace", "mkdir", "rename"])
def test_a_refusing_disk_leaves_the_old_document(store, monkeypatch, call, kind):
    store.write(APP, "old")
    real = {name: getattr(os, name) for name in ("open", "write", "fsync", "replace", "mkdir", "rename")}

    def refuse(path, *arguments, **options):
        if call in ("open", "mkdir", "rename") and ".writers" in str(path):
            return real[call](path, *arguments, **options)
        raise OSError(kind, os.strerror(kind))

    monkeypatch.setattr(os, call, refuse)
    for attempt in (
        lambda: store.write(APP, "new"),
        lambda: store.write("apps/new/releases/1.toml", "new", ABSENT),
        lambda: store.delete(APP),
    ):
        try:
            attempt()
        except errors.Unavailable as error:
            assert error.message.startswith(("cannot write apps/", "cannot delete apps/", "cannot read apps/"))
            assert error.hint
            assert os.strerror(kind)[1:] in error.message
        except errors.NotFound:  # the delete came through: it does not use the call that refuses
            pass
    monkeypatch.undo()
    for path in store.list():
        assert store.read(path).text in ("old", "new")
    store.write(APP, "after")
    assert store.read(APP).text == "after"


def test_a_full_disk_is_said_as_such(store, monkeypatch):
    store.write(APP, "old")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(errors.Unavailable) as caught:
        store.write(APP, "new")
    assert caught.value.message == "cannot write apps/blog/app.toml: no space left on device"
    assert "df -h" in caught.value.hint
    assert store.read(APP).text == "old"
    store.delete(APP)  # room can be made through us


def test_a_copy_that_does_not_fit_leaves_nothing(store, monkeypatch, tmp_path):
    store.write(APP, "old")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(errors.Unavailable) as caught:
        store.export(str(tmp_path / "copy"))
    assert caught.value.message == "cannot copy the store: no space left on device"
    assert sorted(os.listdir(tmp_path)) == ["locks", "state"]


def test_a_lock_can_be_had_on_a_full_disk(store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        held = store.lock("blog", LAPTOP)
    with pytest.raises(errors.Locked) as caught:
        store.lock("blog", LAPTOP)
    assert caught.value.message == "blog is locked by another command"
    held.release()


def test_a_stuck_writer_is_waited_for_within_a_limit(store, monkeypatch, tmp_path):
    store.write(APP, "old")
    monkeypatch.setattr(directory, "_WRITE_LIMIT", 0.2)
    from minipaas_lib.store import file_lock

    with file_lock.briefly(str(tmp_path / "locks" / ".writers.lock"), 1), pytest.raises(errors.Unavailable) as caught:
        store.write(APP, "new")
    assert caught.value.message.startswith("cannot write apps/blog/app.toml: another process has been writing")
    assert store.read(APP).text == "old"


def test_a_document_that_is_not_text_is_named_with_its_line(store, tmp_path):
    store.write(APP, "")
    (tmp_path / "state" / APP).write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(errors.BadConfig) as caught:
        store.read(APP)
    assert caught.value.message == "apps/blog/app.toml is not UTF-8 (line 2)"
    assert str(tmp_path / "state" / APP) in caught.value.hint
    assert store.list() == [APP]


def test_a_stranger_in_a_lock_file_does_no_harm(store, tmp_path):
    store.lock("blog", LAPTOP).release()
    for junk in (b"\xff\xfe", b"[]", b"{}", b'{"pid": "x"}', json.dumps(dict(LAPTOP._asdict(), pid=[])).encode()):
        (tmp_path / "locks" / "blog.lock").write_bytes(junk)
        assert store.lock_holder("blog") is None
        store.lock("blog", LAPTOP).release()


def test_names_of_locks_do_not_meet(store):
    with store.lock("a/b", LAPTOP), store.lock("a-b", LAPTOP), store.lock("a:b", LAPTOP), store.lock("a", LAPTOP):
        assert [store.lock_holder(name) for name in ("a/b", "a-b", "a:b", "a")] == [LAPTOP] * 4


def test_a_program_started_under_a_lock_does_not_hold_it(store):
    held = store.lock("blog", LAPTOP)
    child = subprocess.Popen(["sleep", "30"], close_fds=False)
    try:
        os.close(held._descriptor)  # as a death would
        assert child.poll() is None and store.lock_holder("blog") is None
        store.lock("blog", LAPTOP).release()
    finally:
        child.kill()
        child.wait()


def test_children_reads_one_folder_once(store, monkeypatch):
    for number in range(20):
        store.write(f"apps/app{number}/app.toml", "")
    calls, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: calls.append(path) or scandir(path))
    monkeypatch.setattr(os, "stat", None)
    assert len(store.children("apps")) == 20
    assert len(calls) == 1


def test_the_store_of_a_host(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path))
    first = open_store()
    assert first is open_store()
    first.write(APP, "")
    assert (tmp_path / "state" / APP).exists()
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path / "other"))
    assert open_store() is not first


def test_a_read_loads_little(tmp_path):
    program = (
        "import sys; before = set(sys.modules); from minipaas_lib.store import open_store; store = open_store(); "
        "store.exists('x'); store.children('apps'); print(*set(sys.modules) - before)"
    )
    environment = dict(os.environ, MINIPAAS_ROOT=str(tmp_path))
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    heavy = {"hashlib", "json", "tomlkit", "tomllib", "shutil", "tempfile", "subprocess", "pathlib", "inspect"}
    assert heavy & set(ran.stdout.split()) == set()
