"""The store while members of etcd are stopped, paused, killed or unheard, and its locks while their holders are."""

import contextlib
import json
import os
import random
import signal
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest

from minipaas_lib import errors
from minipaas_lib.store import documents, etcd_lock
from minipaas_lib.store.contract import ABSENT, LockHolder
from minipaas_lib.store.etcd import EtcdStore
from tests.cluster.lossy import Lossy

APP = "apps/blog/app.toml"
LAPTOP = LockHolder("git push", "laptop", "2026-01-02T12:01:07Z", "host", 123)
TABLET = LockHolder("ps:scale blog", "tablet", "2026-01-02T12:02:00Z", "host", 124)
AT_ONCE = 15.0  # seconds, on a busy machine, for what takes at most etcd_cluster.LIMIT + RESOLVE
SENTENCE = "sites keep serving"


def counts(store_of, seconds: float):
    """Increment a counter for a time; exit with how many were told to have been done, as a file says."""

    def run(path: str) -> None:
        store, done, unknown = store_of(), 0, 0
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                documents.edit(store, "counter.toml", lambda document: document.update(n=document["n"] + 1))
                done += 1
            except errors.Unavailable as error:
                unknown += "was written" in error.message
        with open(path, "w", encoding="utf-8") as file:
            json.dump([done, unknown], file)

    return run


def tally(processes: list[int], paths: list) -> tuple[int, int]:
    for process in processes:
        assert os.waitpid(process, 0)[1] == 0
    results = [json.loads(path.read_text()) for path in paths]
    return sum(done for done, _ in results), sum(unknown for _, unknown in results)


# Lost answers


def test_no_update_is_lost_or_doubled_when_answers_are(cluster, store, fork, tmp_path):
    seed = random.randrange(10**6)
    print("seed", seed)
    store.write("counter.toml", "n = 0\n")
    with contextlib.ExitStack() as stack:
        relays = [stack.enter_context(Lossy(url, 0.25, seed + n)) for n, url in enumerate(cluster.urls)]
        urls = tuple(relay.url for relay in relays)
        paths = [tmp_path / f"done{n}" for n in range(3)]
        run = counts(lambda: EtcdStore(urls), 6.0)
        processes = [fork(run, str(path)) for path in paths]
        done, unknown = tally(processes, paths)
        assert sum(relay.lost for relay in relays) > 10
    print(done, "done,", unknown, "unknown")
    assert done > 5
    assert done <= documents.read(store, "counter.toml")["n"] <= done + unknown


def test_documents_are_created_and_removed_once_when_answers_are_lost(cluster, store):
    seed = random.randrange(10**6)
    print("seed", seed)
    with contextlib.ExitStack() as stack:
        relays = [stack.enter_context(Lossy(url, 0.3, seed + n)) for n, url in enumerate(cluster.urls)]
        lossy = EtcdStore(tuple(relay.url for relay in relays))
        for number in range(25):
            path = f"apps/blog/releases/{number}.toml"
            revision = lossy.write(path, "first", ABSENT)
            assert store.read(path) == ("first", revision)
            with pytest.raises(errors.Conflict):
                lossy.write(path, "second", ABSENT)
            revision = lossy.write(path, "second", revision)
            assert lossy.read(path) == ("second", revision)
            lossy.delete(path, revision)
            with pytest.raises(errors.NotFound):
                lossy.delete(path)
            assert lossy.list() == store.list() == []
            with lossy.lock("blog", LAPTOP), pytest.raises(errors.Locked):
                lossy.lock("blog", TABLET)
        lossy.write(APP, "")
        lossy.write("users/x.toml", "")
        lossy.delete_tree("apps")
        assert store.list() == ["users/x.toml"]
        assert sum(relay.lost for relay in relays) > 20


def test_a_write_overtaken_before_its_answer_was_lost_is_told_as_done(cluster, store, monkeypatch):
    """Ours is written, its answer lost, and another writer goes on from it before we look."""
    first = store.write(APP, "first")
    other = EtcdStore(cluster.urls)
    asked = type(store.cluster.members()[0]).ask
    overtaken = []

    def ask(self, method, key, *rest, **params):
        answer = asked(self, method, key, *rest, **params)
        if method == "PUT" and "ours" in params["value"] and not overtaken:
            overtaken.append(other.write(APP, "theirs", str(answer.modified_index)))
            from minipaas_lib.store import etcd_client

            raise etcd_client.Unanswered("timed out")
        return answer

    monkeypatch.setattr(type(store.cluster.members()[0]), "ask", ask)
    revision = store.write(APP, "ours", first)
    assert overtaken and int(first) < int(revision) < int(overtaken[0])
    assert store.read(APP) == ("theirs", overtaken[0])


def test_the_same_text_of_another_writer_is_not_taken_for_ours(cluster, store, monkeypatch):
    """Nothing of ours arrives, and another writer puts the very same text there: that is a conflict."""
    first = store.write(APP, "n = 1")
    other = EtcdStore(cluster.urls)
    asked, lost = type(store.cluster.members()[0]).ask, []

    def ask(self, method, key, *rest, **params):
        if method == "PUT" and not lost:
            lost.append(True)
            other.write(APP, "n = 2", first)
            from minipaas_lib.store import etcd_client

            raise etcd_client.Unanswered("timed out")
        return asked(self, method, key, *rest, **params)

    monkeypatch.setattr(type(store.cluster.members()[0]), "ask", ask)
    with pytest.raises(errors.Conflict):
        store.write(APP, "n = 2", first)


# Members


@pytest.mark.parametrize("how", ["stop", "kill", "pause"])
@pytest.mark.parametrize("who", ["leader", "follower"])
def test_nothing_changes_without_one_member(cluster, opener, who, how):
    store = opener()
    store.write(APP, "before")
    token = store.watch("apps")
    member = cluster.leader() if who == "leader" else cluster.followers()[0]
    getattr(member, how)()
    for _ in range(3):
        started = time.monotonic()
        assert store.write(APP, "after") == store.read(APP).revision
        with store.lock("blog", LAPTOP) as lock:
            lock.check()
        assert time.monotonic() - started < 3 * AT_ONCE
    assert store.watch("apps", token, timeout=5) not in (None, token)
    fresh = opener()
    assert fresh.read(APP).text == "after" and fresh.children("apps") == ["blog"]


def test_no_update_is_lost_while_members_are_paused_and_killed(cluster, opener, fork, tmp_path):
    seed = random.randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    opener().write("counter.toml", "n = 0\n")
    paths = [tmp_path / f"done{n}" for n in range(3)]
    processes = [fork(counts(opener, 16.0), str(path)) for path in paths]
    for _ in range(3):
        time.sleep(chance.uniform(0.5, 1.5))
        member = cluster.leader() if chance.random() < 0.6 else chance.choice(cluster.members)
        if chance.random() < 0.5:
            member.pause()
            time.sleep(chance.uniform(1.0, 3.0))
            member.resume()
        else:
            member.kill()
            time.sleep(chance.uniform(0.5, 2.0))
            member.start()
    done, unknown = tally(processes, paths)
    cluster.mend()
    print(done, "done,", unknown, "unknown")
    assert done > 10
    assert done <= documents.read(opener(), "counter.toml")["n"] <= done + unknown


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_without_a_quorum_everything_is_refused_soon_and_goes_on_after(cluster, opener, how):
    store = opener()
    revision = store.write(APP, "before")
    for member in cluster.followers():
        getattr(member, how)()
    calls = [
        lambda: store.read(APP),
        lambda: store.write(APP, "lost"),
        lambda: store.lock("apps/blog", LAPTOP),
        lambda: store.list(),
        lambda: store.delete(APP),
        lambda: store.delete_tree("apps"),
        lambda: store.lock_holder("apps/blog"),
    ]
    for number, call in enumerate(calls):
        started = time.monotonic()
        with pytest.raises(errors.Unavailable) as caught:
            call()
        assert time.monotonic() - started < (AT_ONCE if number == 0 else 5.0)  # what was found out is remembered
        assert caught.value.message.endswith(SENTENCE), caught.value.message
    started = time.monotonic()
    with pytest.raises(errors.Unavailable) as caught:  # by one who does not know yet
        opener().write(APP, "lost", revision)
    assert time.monotonic() - started < AT_ONCE
    assert "etcd has no quorum at " in caught.value.message
    cluster.mend()
    time.sleep(1)
    assert store.read(APP).text in ("before", "lost")  # the last one said itself that it might yet be written
    store.write(APP, "after")
    with store.lock("apps/blog", LAPTOP):
        assert store.list() == [APP]


def test_the_next_command_does_not_wait_for_a_leader_again(cluster, tmp_path):
    """Nobody types on while each command takes six seconds to be refused; and nothing is kept from who comes after."""
    memory = str(tmp_path / "cache" / "etcd")
    EtcdStore(tuple(cluster.urls), memory=memory).write(APP, "before")
    for member in cluster.followers():
        member.pause()
    spent = []
    for _ in range(3):
        started = time.monotonic()
        with pytest.raises(errors.Unavailable, match="has no quorum"):
            EtcdStore(tuple(cluster.urls), memory=memory).read(APP)
        spent.append(time.monotonic() - started)
    assert spent[0] < AT_ONCE and max(spent[1:]) < 4, spent
    cluster.mend()
    time.sleep(1)
    assert EtcdStore(tuple(cluster.urls), memory=memory).read(APP).text == "before"
    assert not os.path.exists(memory + ".lost")


def test_one_who_reads_without_a_quorum_still_reads_and_watches(cluster, opener):
    store = opener(quorum=False)
    opener().write(APP, "before")
    cluster.wait()
    time.sleep(0.5)
    token = store.read_all("apps").token
    for member in cluster.followers():
        member.kill()
    assert store.read(APP).text == "before"
    assert store.children("apps") == ["blog"]
    assert store.watch("apps", token, timeout=1) is None


def test_nobody_answers_at_all(tmp_path):
    from tests.cluster.etcd import free_ports

    urls = tuple(f"http://127.0.0.1:{port}" for port in free_ports(3))
    started = time.monotonic()
    with pytest.raises(errors.Unavailable) as caught:
        EtcdStore(urls).read(APP)
    assert time.monotonic() - started < 5
    assert caught.value.message == (
        "etcd does not answer at " + ", ".join(f"{url} (connection refused)" for url in sorted(urls)) + f": {SENTENCE}"
    )
    assert caught.value.exit_code == 1 and caught.value.hint


@contextlib.contextmanager
def dead_endpoint(kind: str):
    """The address of a server that takes no connections (its queue is full) or takes them and is silent."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0 if kind == "full" else 50)
        for _ in range(3 if kind == "full" else 0):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["full", "silent"])
def test_a_dead_endpoint_costs_two_seconds_once(cluster, tmp_path, kind):
    memory = str(tmp_path / "cache" / "etcd")
    with dead_endpoint(kind) as dead:
        urls = (dead, *cluster.urls)
        store = EtcdStore(urls, memory=memory)
        started = time.monotonic()
        store.list()
        first = time.monotonic() - started
        started = time.monotonic()
        store.write(APP, "")
        assert 1.0 < first < 5.0 and time.monotonic() - started < 1.5
        started = time.monotonic()
        assert EtcdStore(urls, memory=memory).list() == [APP]  # the next process asks another first
        assert time.monotonic() - started < 1.5


def test_every_member_tells_how_it_is(cluster, store):
    states = store.cluster.states()
    assert [state.url for state in states] == sorted(cluster.urls)
    assert all(state.serves and state.version.startswith("3.") and not state.reason for state in states)
    assert [state.url for state in states if state.leads] == [cluster.leader().url]
    one, other = cluster.followers()
    one.kill()
    other.pause()
    by_url = {state.url: state for state in store.cluster.states()}
    assert by_url[one.url][1:] == ("", False, False, "connection refused")
    assert by_url[other.url][1:] == ("", False, False, "timed out")
    (last,) = (by_url[member.url] for member in cluster.members if member not in (one, other))
    assert last.version and not last.serves and last.reason


# Locks


def test_a_claim_whose_answer_was_lost_locks_nobody_of_the_same_process_out(opener, monkeypatch):
    store = opener()
    swap = store.cluster.swap

    def unheard(*args, **kwargs):
        swap(*args, **kwargs)
        raise errors.Unavailable("etcd has no quorum")

    with monkeypatch.context() as patch:
        patch.setattr(store.cluster, "swap", unheard)
        with pytest.raises(errors.Unavailable):
            store.lock("apps/blog", LAPTOP)
    assert store.lock_holder("apps/blog") is None
    store.lock("apps/blog", LAPTOP).release()


def test_a_lock_of_another_host_is_free_after_its_time(opener, fork, until, monkeypatch):
    def hold():
        monkeypatch.setattr(etcd_lock, "_process", lambda pid: ["another boot", 1, pid, "1"])
        opener().lock("apps/blog", LAPTOP, ttl=3)
        signal.pause()

    holder = fork(hold)
    until(lambda: opener().lock_holder("apps/blog") == LAPTOP)
    time.sleep(4)  # kept alive beyond its time
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    with pytest.raises(errors.Locked, match="laptop"):
        opener().lock("apps/blog", TABLET)
    started = time.monotonic()
    opener().lock("apps/blog", TABLET, wait=20).release()
    assert 0.5 < time.monotonic() - started < 10


def test_a_lock_of_a_dead_process_of_this_host_is_free_at_once(opener, fork, until):
    def hold():
        opener().lock("apps/blog", LAPTOP)
        signal.pause()

    holder = fork(hold)
    until(lambda: opener().lock_holder("apps/blog") == LAPTOP)
    with pytest.raises(errors.Locked):
        opener().lock("apps/blog", TABLET)
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    started = time.monotonic()
    opener().lock("apps/blog", TABLET).release()
    assert time.monotonic() - started < 3


def test_a_holder_that_was_stopped_finds_its_lock_lost(opener, fork, until, tmp_path):
    said, go = tmp_path / "said", tmp_path / "go"

    def hold():
        lock = opener().lock("apps/blog", LAPTOP, ttl=1)
        lock.check()
        while not go.exists():
            time.sleep(0.01)
        try:
            lock.check()
            said.write_text("still mine")
        except errors.Unavailable as error:
            said.write_text(error.message)
        lock.release()
        signal.pause()

    holder = fork(hold)
    until(lambda: opener().lock_holder("apps/blog") == LAPTOP)
    os.kill(holder, signal.SIGSTOP)
    with opener().lock("apps/blog", TABLET, wait=10):
        go.write_text("")
        os.kill(holder, signal.SIGCONT)
        until(lambda: said.exists() and said.read_text())
        assert said.read_text() == "the lock on blog was lost: etcd did not hear from this command for 1 s"
        time.sleep(0.3)
        assert opener().lock_holder("apps/blog") == TABLET  # its release took nothing from the new holder


def test_a_lock_outlives_its_leader(cluster, opener):
    with opener().lock("apps/blog", LAPTOP, ttl=6) as lock:
        cluster.leader().kill()
        deadline = time.monotonic() + 9
        while time.monotonic() < deadline:
            lock.check()
            time.sleep(0.2)
        assert opener().lock_holder("apps/blog") == LAPTOP


# Watching


def noise(cluster, count: int) -> None:
    for number in range(count):
        url = f"{cluster.urls[number % 3]}/v2/keys/noise/{number % 7}"
        put(url, "x")


def put(url: str, value: str) -> None:
    """Write a key without our own client."""
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    request = urllib.request.Request(url, f"value={value}".encode(), head, method="PUT")
    urllib.request.urlopen(request, timeout=10).close()


def test_a_watch_goes_on_where_etcd_has_forgotten(cluster, opener):
    store = opener()
    store.write(APP, "a")
    token = store.watch("apps")
    noise(cluster, 1100)
    assert cleared(cluster, token)
    newer = store.watch("apps", token, timeout=5)
    assert newer not in (None, token)
    assert store.watch("apps", newer, timeout=0) is None
    store.write(APP, "b")
    assert store.watch("apps", newer, timeout=5) not in (None, newer)


def cleared(cluster, token: str) -> bool:
    """Whether etcd itself has forgotten what came after the token."""
    try:
        url = f"{cluster.urls[0]}/v2/keys/minipaas/apps?wait=true&recursive=true&waitIndex={int(token) + 1}"
        urllib.request.urlopen(url, timeout=3).read()
    except urllib.error.HTTPError as error:
        return json.load(error)["errorCode"] == 401
    except TimeoutError:
        return False
    return False


def test_what_happens_elsewhere_wakes_nobody(cluster, opener):
    store = opener()
    store.write(APP, "a")
    token = store.watch("apps")
    for _ in range(3):
        noise(cluster, 500)
        assert store.watch("apps", token, timeout=0.2) is None
    assert cleared(cluster, token)
    store.write(APP, "b")
    assert store.watch("apps", token, timeout=5) not in (None, token)


def test_a_burst_is_told_as_one(cluster, opener):
    store = opener()
    token = store.watch("apps")
    for number in range(20):
        store.write(f"apps/a{number}/app.toml", "")
    newer = store.watch("apps", token, timeout=5)
    assert store.watch("apps", newer, timeout=0) is None


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_a_watch_outlives_the_member_it_listens_to(cluster, opener, monkeypatch, how):
    from minipaas_lib.store import etcd_cluster

    monkeypatch.setattr(etcd_cluster, "POLL", 2.0)
    store = opener()
    token = store.watch("apps")
    member = next(member for member in cluster.members if member.url == store.cluster.members()[0].url)
    disturb = threading.Timer(0.5, getattr(member, how))
    disturb.start()
    write = threading.Timer(2.0, lambda: EtcdStore(cluster.urls).write(APP, "a"))
    write.start()
    started = time.monotonic()
    assert store.watch("apps", token, timeout=60) not in (None, token)
    assert 1.5 < time.monotonic() - started < 30
    disturb.join()
    write.join()


def test_what_expires_is_told(opener):
    store = opener()
    store.write("services/blog/web.1", "x", ttl=1)
    token = store.read_all("services").token
    started = time.monotonic()
    assert store.watch("services", token, timeout=10) not in (None, token)
    assert time.monotonic() - started < 8
    assert store.read_all("services").documents == {}
    assert store.reached(store.watch("services"), token)


# What is there by hand


def test_what_others_put_there_harms_nothing(cluster, store):
    for key, value in (("apps/blog/app.toml", "a = 1"), ("apps/.hidden", "x"), ("apps/a b/c", "x"), ("_x", "x")):
        put(f"{cluster.urls[0]}/v2/keys/minipaas/{key.replace(' ', '%20')}", value)
    assert store.list() == [APP] and store.children("apps") == ["blog"]
    text, revision = store.read(APP)
    assert text == "a = 1"
    assert store.write(APP, "a = 2", revision) == store.read(APP).revision
    store.delete(APP)
    assert store.children("") == []


def test_other_keys_of_etcd_are_left_alone(cluster, store):
    noise(cluster, 1)
    store.write(APP, "")
    store.delete_tree("apps")
    assert urllib.request.urlopen(f"{cluster.urls[0]}/v2/keys/noise/0", timeout=10).status == 200
