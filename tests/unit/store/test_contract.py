"""The contract of minipaas_lib/store/contract.py, for every backend in conftest.BACKENDS."""

import contextlib
import os
import random
import signal
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.store import documents
from minipaas_lib.store.contract import ABSENT, EXPIRING, LONGEST, LockHolder

APP = "apps/blog/app.toml"
LAPTOP = LockHolder("git push", "laptop", "2026-01-02T12:01:07Z", "host", 123)
TABLET = LockHolder("ps:scale blog", "tablet", "2026-01-02T12:02:00Z", "host", 124)

within_a_test = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


# Documents


def test_a_document_comes_back_as_written(store):
    revision = store.write(APP, "a = 1\r\n# \u00fc \U0001f600\n")
    assert store.read(APP) == ("a = 1\r\n# \u00fc \U0001f600\n", revision)
    assert store.exists(APP)


@within_a_test
@given(st.text())
def test_any_text_comes_back(store, text):
    try:
        text.encode()
    except UnicodeEncodeError:
        with pytest.raises(errors.UsageError):
            store.write(APP, text)
        return
    revision = store.write(APP, text)
    assert store.read(APP) == (text, revision)


def test_a_long_document_comes_back(store):
    text = "0123456789abcdef" * 30_000
    store.write(APP, text)
    assert store.read(APP).text == text


def test_a_text_that_ends_like_a_mark_comes_back(store):
    for text in ("#~ 0123456789abcdef", "a = 1\n#~ 0123456789abcdef", "#~ 0123456789abcde", "#~ "):
        store.write(APP, text)
        assert store.read(APP).text == text


def test_the_longest_document_comes_back_and_a_longer_one_is_refused(store):
    text = "ü;% &=+\n" * (LONGEST // 9)
    store.write(APP, text)
    assert store.read(APP).text == text
    with pytest.raises(errors.UsageError, match="too long"):
        store.write(APP, "x" * (LONGEST + 1))
    assert store.read(APP).text == text


def test_what_is_not_there(store):
    for path in (APP, "apps", "x"):
        with pytest.raises(errors.NotFound):
            store.read(path)
        with pytest.raises(errors.NotFound):
            store.delete(path)
        assert not store.exists(path)
        assert store.children(path) == []
        assert store.list(path) == []
        store.delete_tree(path)
    assert store.list() == store.children("") == []


def test_a_folder_is_not_a_document(store):
    store.write(APP, "")
    for path in ("apps", "apps/blog"):
        with pytest.raises(errors.NotFound):
            store.read(path)
        with pytest.raises(errors.NotFound):
            store.delete(path)
        with pytest.raises(errors.UsageError):
            store.write(path, "")
        assert not store.exists(path)
    for path in (APP + "/x", APP + "/x/y"):
        with pytest.raises(errors.UsageError):
            store.write(path, "")
        with pytest.raises(errors.NotFound):
            store.read(path)
        assert not store.exists(path)
    assert store.list() == [APP]


def test_a_revision_changes_with_the_content(store):
    revisions = [store.write(APP, text) for text in ("a", "b", "", "c")]
    assert len(set(revisions)) == 4
    assert ABSENT not in revisions


def test_compare_and_swap(store):
    with pytest.raises(errors.Conflict):
        store.write(APP, "lost", "nonsense")
    assert store.list() == []
    first = store.write(APP, "first", ABSENT)
    with pytest.raises(errors.Conflict):
        store.write(APP, "lost", ABSENT)
    second = store.write(APP, "second", first)
    for lost in (lambda: store.write(APP, "lost", first), lambda: store.delete(APP, first)):
        with pytest.raises(errors.Conflict):
            lost()
    assert store.read(APP) == ("second", second)
    store.delete(APP, second)
    store.write(APP, "third", ABSENT)
    assert store.write(APP, "fourth") == store.read(APP).revision


def test_lists_are_sorted_and_complete(store):
    paths = ["apps/a-b/app.toml", "apps/a/app.toml", "apps/a/live", "apps/a/releases/10.toml", "apps/a/releases/9.toml"]
    for path in reversed([*paths, "users/x.toml"]):
        store.write(path, "")
    assert store.list() == sorted([*paths, "users/x.toml"])
    assert store.list("apps") == sorted(paths)
    assert store.list("apps/a") == sorted(path for path in paths if path.startswith("apps/a/"))
    assert store.children("") == ["apps", "users"]
    assert store.children("apps") == ["a", "a-b"]
    assert store.children("apps/a") == ["app.toml", "live", "releases"]
    assert store.children(APP) == []


def test_delete_leaves_no_empty_folders(store):
    store.write("apps/a/releases/1.toml", "")
    store.write("apps/b/app.toml", "")
    store.delete("apps/a/releases/1.toml")
    assert store.children("apps") == ["b"]
    store.delete("apps/b/app.toml")
    assert store.children("") == []


def test_delete_tree_takes_what_is_below_and_nothing_else(store):
    for path in ("apps/blog/app.toml", "apps/blog/releases/1.toml", "apps/blog2/app.toml", "apps/blo"):
        store.write(path, "")
    store.delete_tree("apps/blog")
    assert store.list() == ["apps/blo", "apps/blog2/app.toml"]
    store.delete_tree("apps/blo")
    assert store.exists("apps/blo")
    with pytest.raises(errors.UsageError):
        store.delete_tree("")


@pytest.mark.parametrize(
    "path",
    ["/x", "x/", "a//b", ".", "..", "../x", "a/../b", "a/./b", ".x", "_x", "-x", "x\n", "a\nb", "x\0", "a b", "ü", "*"]
    + ["a/" + "b" * 300, "a" * 300, "$x", "a;b", "a%b", "a\\b", "\ud800"],
)
def test_what_is_not_a_path_is_refused(store, path):
    for call in (
        lambda: store.read(path),
        lambda: store.write(path, ""),
        lambda: store.delete(path),
        lambda: store.delete_tree(path),
        lambda: store.exists(path),
        lambda: store.children(path),
        lambda: store.list(path),
        lambda: store.watch(path),
        lambda: store.lock(path, LAPTOP),
        lambda: store.lock_holder(path),
    ):
        with pytest.raises(errors.UsageError) as caught:
            call()
        assert caught.value.message.isprintable()
    assert store.list() == []


segment = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._@:+-]{0,8}", fullmatch=True)


@within_a_test
@given(st.lists(segment, min_size=1, max_size=5).map("/".join))
def test_any_path_can_be_used(store, path):
    store.write(path, path)
    assert store.list() == [path]
    assert store.read(path).text == path
    assert store.children("") == [path.split("/")[0]]
    with store.lock(path, LAPTOP):
        assert store.lock_holder(path) == LAPTOP
    store.delete(path)
    assert store.children("") == []


@within_a_test
@given(st.text(max_size=8))
def test_no_text_leaves_the_tree(store, tmp_path, text):
    before = sorted(os.listdir(tmp_path))
    try:
        store.write(text, "x")
    except errors.UsageError:
        return
    assert store.list() == [text]
    store.delete(text)
    assert set(os.listdir(tmp_path)) - set(before) <= {"state", "locks"}


def test_export_copies_every_document(store, tmp_path):
    store.write(APP, "# ü\n")
    store.write("platform.toml", "schema = 1\n")
    folder = str(tmp_path / "copy")
    store.export(folder)
    assert (tmp_path / "copy" / APP).read_bytes() == "# ü\n".encode()
    assert sorted(os.listdir(folder)) == ["apps", "platform.toml"]
    with pytest.raises(errors.Unavailable):
        store.export(folder)
    assert sorted(os.listdir(folder)) == ["apps", "platform.toml"]


def test_export_leaves_signs_of_life_out(store, tmp_path):
    store.write("services/blog/web.1", "x", ttl=60)
    store.write(APP, "")
    store.export(str(tmp_path / "copy"))
    assert os.listdir(tmp_path / "copy") == ["apps"]


def test_location_tells_where_to_mend(store):
    assert store.location(APP).endswith(APP)


def test_all_of_a_folder_is_read_at_once(store):
    for path in (APP, "apps/blog/releases/1.toml", "apps/a/app.toml", "users/x.toml"):
        store.write(path, path)
    assert store.read_all("apps").documents == {path: store.read(path) for path in store.list("apps")}
    assert list(store.read_all().documents) == store.list()
    assert store.read_all("none").documents == store.read_all(APP).documents == {}


def test_what_is_read_at_once_can_be_watched_from_there(store):
    store.write(APP, "a")
    for prefix in ("apps", "none", ""):
        token = store.read_all(prefix).token
        assert store.watch(prefix, token, timeout=0) is None
        store.write(f"{prefix or 'apps'}/x", prefix)
        assert store.watch(prefix, token, timeout=5) not in (None, token)


# Signs of life


@pytest.mark.parametrize("top", EXPIRING)
def test_a_sign_of_life_expires_with_its_folders(store, until, top):
    path = f"{top}/blog/web.1"
    revision = store.write(path, "address", ttl=1)
    assert store.read(path) == ("address", revision) and store.exists(path)
    assert store.list() == [path] and store.children(f"{top}/blog") == ["web.1"] and store.children("") == [top]
    assert list(store.read_all(top).documents) == [path]
    token = store.watch(top)
    until(lambda: not store.exists(path))
    assert store.list() == store.list(top) == []
    assert store.children("") == store.children(top) == store.children(f"{top}/blog") == []
    assert store.read_all().documents == {}
    for call in (store.read, store.delete, lambda path: store.renew(path, 5)):
        with pytest.raises(errors.NotFound):
            call(path)
    assert store.watch(top, token, timeout=5) not in (None, token)
    store.write(path, "again", ABSENT, ttl=60)
    assert store.read(path).text == "again"


def test_a_sign_of_life_is_renewed_without_a_word(store):
    path = "services/blog/web.1"
    store.write(path, "address", ttl=2)
    token = store.watch("services")
    for _ in range(4):
        time.sleep(0.8)
        revision = store.renew(path, 2)
    assert store.read(path) == ("address", revision)
    assert store.watch("services", token, timeout=0.2) is None
    assert store.write(path, "elsewhere", revision, ttl=60) == store.read(path).revision
    assert store.watch("services", token, timeout=5) not in (None, token)


def test_signs_of_life_are_compared_and_swapped(store):
    path = "routers/node1"
    first = store.write(path, "1", ABSENT, ttl=60)
    with pytest.raises(errors.Conflict):
        store.write(path, "lost", ABSENT, ttl=60)
    store.write(path, "2", first, ttl=60)
    with pytest.raises(errors.Conflict):
        store.delete(path, first)
    store.delete(path)
    assert store.children("") == []


def test_only_signs_of_life_expire(store):
    for call in (
        lambda: store.write(APP, "", ttl=5),
        lambda: store.renew(APP, 5),
        lambda: store.write("services/x", ""),
        lambda: store.write("services/x", "", ttl=0),
        lambda: store.write("services/x", "", ttl=-1),
        lambda: store.write("services/x", "", ttl=float("nan")),
        lambda: store.write("services/x", "", ttl=float("inf")),
    ):
        with pytest.raises(errors.UsageError):
            call()
    assert store.list() == []


# Many writers


def test_no_increment_of_many_processes_is_lost(opener, fork):
    opener().write("counter.toml", "n = 0  # how many\n")

    def increment():
        for _ in range(15):
            documents.edit(opener(), "counter.toml", lambda document: document.update(n=document["n"] + 1))

    processes = [fork(increment) for _ in range(6)]
    assert [os.waitpid(process, 0)[1] for process in processes] == [0] * 6
    assert opener().read("counter.toml").text == "n = 90  # how many\n"


def test_one_of_many_creates_a_document(opener, fork, tmp_path):
    gate = str(tmp_path / "gate")

    def create():
        store = opener()
        while not os.path.exists(gate):
            pass
        try:
            store.write(APP, str(os.getpid()), ABSENT)
        except errors.Conflict:
            os._exit(7)

    processes = [fork(create) for _ in range(6)]
    open(gate, "w").close()
    codes = {process: os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes}
    assert sorted(codes.values()) == [0, 7, 7, 7, 7, 7]
    assert codes[int(opener().read(APP).text)] == 0


def test_readers_see_whole_documents_while_folders_come_and_go(opener, fork, until):
    def churn():
        store = opener()
        while True:
            store.write("apps/a/b/c", "x" * 5000)
            store.delete_tree("apps/a")
            store.write("apps/a/d", "x" * 5000)
            with contextlib.suppress(errors.NotFound):  # the other one was first
                store.delete("apps/a/d")

    writers = [fork(churn) for _ in range(2)]
    store = opener()
    until(lambda: store.exists("apps/a/b/c"))
    deadline, seen = time.monotonic() + 1.0, 0
    while time.monotonic() < deadline:
        assert set(store.list()) <= {"apps/a/b/c", "apps/a/d"}
        try:
            assert store.read("apps/a/b/c").text == "x" * 5000
            seen += 1
        except errors.NotFound:
            pass
    assert seen
    for writer in writers:
        assert os.waitpid(writer, os.WNOHANG) == (0, 0)  # none of them failed


def test_a_killed_writer_leaves_the_old_or_the_new_document(opener, fork, until):
    seed = random.randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    texts = {letter * 20_000 for letter in "ab"}

    def write():
        store = opener()
        while True:
            for text in texts:
                store.write(APP, text)
                store.write("apps/new/releases/1.toml", text)
                store.delete_tree("apps/new")

    store = opener()
    store.write(APP, next(iter(texts)))
    for _ in range(40):
        writer = fork(write)
        time.sleep(chance.random() * 0.03)
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        assert store.read(APP).text in texts
        assert set(store.list()) <= {APP, "apps/new/releases/1.toml"}
        assert set(store.children("apps")) == {path.split("/")[1] for path in store.list()}
        if store.exists("apps/new/releases/1.toml"):
            assert store.read("apps/new/releases/1.toml").text in texts
    started = time.monotonic()
    store.write(APP, "after")  # nobody is locked out by the dead
    assert time.monotonic() - started < 5
    store.delete_tree("apps/new")
    assert store.list() == [APP]


# Watching


def test_a_watch_without_token_returns_at_once(store):
    token = store.watch("apps")
    assert isinstance(token, str)
    assert store.watch("apps", token, timeout=0) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.write("apps/blog/app.toml", "b"),
        lambda store: store.write("apps/blog/releases/1.toml", "b"),
        lambda store: store.write("apps/other/app.toml", "a"),
        lambda store: store.delete("apps/blog/app.toml"),
        lambda store: store.delete_tree("apps/blog"),
    ],
)
def test_a_watch_sees_every_kind_of_change(store, change):
    store.write(APP, "a")
    token = store.watch("apps")
    elsewhere = store.watch("users")
    change(store)
    newer = store.watch("apps", token, timeout=5)
    assert newer not in (None, token)
    assert store.watch("apps", newer, timeout=0) is None
    assert store.watch("users", elsewhere, timeout=0.3) is None


def test_a_watch_wakes_up(opener):
    store = opener()
    token = store.watch("apps")
    timer = threading.Timer(0.3, lambda: opener().write(APP, "a"))
    timer.start()
    started = time.monotonic()
    assert store.watch("apps", token, timeout=10) not in (None, token)
    assert 0.2 < time.monotonic() - started < 5
    timer.join()


def test_one_document_can_be_watched(store):
    store.write("apps/blog/live", "1")
    token = store.watch("apps/blog/live")
    store.write("apps/blog/app.toml", "")
    assert store.watch("apps/blog/live", token, timeout=0.3) is None
    store.write("apps/blog/live", "2")
    assert store.watch("apps/blog/live", token, timeout=5) not in (None, token)


def test_a_watch_ends_in_time(store):
    token = store.watch("apps")
    started = time.monotonic()
    assert store.watch("apps", token, timeout=0.5) is None
    assert 0.4 < time.monotonic() - started < 2


# Locks


def test_a_second_comer_is_told_who(opener):
    with opener().lock("apps/blog", LAPTOP):
        started = time.monotonic()
        with pytest.raises(errors.Locked) as caught:
            opener().lock("apps/blog", TABLET)
        assert time.monotonic() - started < 0.5
        assert caught.value.message == (
            "blog is locked by 'git push' (key laptop, since 2026-01-02 12:01:07 UTC, pid 123 on host)"
        )
        assert caught.value.hint == "wait for it to finish, or add --wait"
        assert caught.value.exit_code == 75
        assert opener().lock_holder("apps/blog") == LAPTOP
        opener().lock("apps/other", TABLET).release()
    assert opener().lock_holder("apps/blog") is None
    with (
        opener().lock("apps/blog", LAPTOP._replace(host=os.uname().nodename)),
        pytest.raises(errors.Locked, match=r"pid 123\)$"),
    ):
        opener().lock("apps/blog", TABLET)
    opener().lock("apps/blog", TABLET).release()


def test_a_lock_of_today_says_the_hour_only(store):
    holder = LockHolder.here("ps:scale blog", "laptop")
    with store.lock("blog", holder), pytest.raises(errors.Locked) as caught:
        store.lock("blog", holder)
    clock = holder.since[11:19]
    assert caught.value.message.endswith(f"(key laptop, since {clock} UTC, pid {os.getpid()})")


def test_a_holder_cannot_write_on_another_terminal(store):
    holder = LAPTOP._replace(command="\x1b[2J" + "x" * 500 + "\n", key="a\nb")
    with store.lock("blog", holder), pytest.raises(errors.Locked) as caught:
        store.lock("blog", TABLET)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 250


def test_release_is_idempotent_and_frees_one_lock_only(store):
    first = store.lock("blog", LAPTOP)
    first.release()
    with store.lock("blog", TABLET):
        first.release()
        with pytest.raises(errors.Locked):
            store.lock("blog", LAPTOP)
    assert store.lock_holder("never") is None


def test_a_held_lock_is_checked(opener):
    with opener().lock("blog", LAPTOP, ttl=1) as held:
        for _ in range(5):
            held.check()
            time.sleep(0.5)
        assert opener().lock_holder("blog") == LAPTOP


def test_an_error_within_frees_the_lock(store):
    with pytest.raises(ZeroDivisionError), store.lock("blog", LAPTOP):
        _ = 1 / 0
    store.lock("blog", TABLET).release()


def test_a_lock_is_waited_for(opener):
    held = opener().lock("blog", LAPTOP)
    timer = threading.Timer(0.4, held.release)
    timer.start()
    started = time.monotonic()
    opener().lock("blog", TABLET, wait=10).release()
    assert 0.3 < time.monotonic() - started < 3
    timer.join()


def test_waiting_for_a_lock_ends(opener):
    with opener().lock("blog", LAPTOP):
        started = time.monotonic()
        with pytest.raises(errors.Locked):
            opener().lock("blog", TABLET, wait=0.4)
        assert 0.3 < time.monotonic() - started < 2


def test_one_process_at_a_time_holds_a_lock(opener, fork, tmp_path):
    inside = str(tmp_path / "inside")

    def enter():
        for _ in range(5):
            with opener().lock("blog", LAPTOP, wait=30):
                os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
                time.sleep(0.005)
                os.unlink(inside)

    processes = [fork(enter) for _ in range(5)]
    assert [os.waitpid(process, 0)[1] for process in processes] == [0] * 5


def test_the_lock_of_a_killed_holder_becomes_free(opener, fork, until):
    def hold():
        opener().lock("blog", LAPTOP, ttl=1.0)
        signal.pause()

    holder = fork(hold)
    until(lambda: opener().lock_holder("blog") == LAPTOP)
    with pytest.raises(errors.Locked):
        opener().lock("blog", TABLET)
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    until(lambda: opener().lock_holder("blog") is None)
    opener().lock("blog", TABLET, wait=5).release()


def test_a_child_lets_go_without_freeing(opener, fork):
    held = opener().lock("blog", LAPTOP)
    for leave in (held.close_in_child, held.release):
        assert os.waitpid(fork(leave), 0)[1] == 0
        assert opener().lock_holder("blog") == LAPTOP
        with pytest.raises(errors.Locked):
            opener().lock("blog", TABLET)
    held.release()
    opener().lock("blog", TABLET).release()


def test_a_parent_frees_what_a_child_forgot(opener, fork):
    held = opener().lock("blog", LAPTOP)
    fork(signal.pause)
    held.release()
    assert opener().lock_holder("blog") is None
    opener().lock("blog", TABLET).release()
