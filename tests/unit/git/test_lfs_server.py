"""Git LFS over ssh alone: what the server answers, and that nothing is believed of what a client sends."""

import hashlib
import io
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import cli, paths, ssh_entry
from minipaas_lib.git import lfs, lfs_server, repository, repository_copy
from minipaas_lib.records import apps

CONTENT = b"0000" + bytes(range(256)) * 500
OID = hashlib.sha256(CONTENT).hexdigest()


def line(text: str) -> bytes:
    return packet(text.encode() + b"\n")


def packet(content: bytes) -> bytes:
    return b"%04x" % (len(content) + 4) + content


def put(content: bytes, oid: str = "", size: int | None = None) -> bytes:
    pieces = [packet(content[start : start + 30_000]) for start in range(0, len(content), 30_000)]
    size = len(content) if size is None else size
    return (
        line(f"put-object {oid or hashlib.sha256(content).hexdigest()}")
        + line(f"size={size}")
        + b"0001"
        + b"".join(pieces)
        + b"0000"
    )


def ask(operation: str, *requests: bytes, folder: str = "", limit: int = 1 << 20) -> bytes:
    """What the server says to the requests, behind its greeting."""
    writer = io.BytesIO()
    lfs_server.Session(folder, operation, limit, io.BytesIO(b"".join(requests)), writer).run()
    greeting = line("version=1") + b"0000"
    assert writer.getvalue().startswith(greeting)
    return writer.getvalue().removeprefix(greeting)


@pytest.fixture
def folder(world):
    apps.write("blog")
    return repository.create("blog")


def objects(folder: str) -> list[str]:
    return [name for _, _, names in os.walk(os.path.join(folder, "lfs")) for name in names]


OK = line("status 200") + b"0000"
QUIT = line("quit") + b"0000"


def test_an_object_is_sent_looked_at_and_had_again(folder):
    batch = (
        line("batch")
        + line("transfer=ssh")
        + line("hash-algo=sha256")
        + b"0001"
        + line(f"{OID} {len(CONTENT)}")
        + b"0000"
    )
    said = ask("upload", line("version 1") + b"0000", batch, put(CONTENT), batch, put(CONTENT), folder=folder)
    wanted = line("status 200") + b"0001" + line(f"{OID} {len(CONTENT)} upload") + b"0000"
    there = line("status 200") + b"0001" + line(f"{OID} {len(CONTENT)} noop") + b"0000"
    assert said == OK + wanted + OK + there + OK and objects(folder) == [OID]
    verify = line(f"verify-object {OID}") + line(f"size={len(CONTENT)}") + b"0000"
    assert (
        ask("upload", verify, line("list-lock") + b"0000", QUIT, verify, folder=folder)
        == OK + line("status 200") + b"0001" + b"0000" + OK
    )
    said = ask("download", batch, line(f"get-object {OID}") + b"0000", folder=folder)
    assert said.startswith(line("status 200") + b"0001" + line(f"{OID} {len(CONTENT)} download") + b"0000")
    head = line("status 200") + line(f"size={len(CONTENT)}") + b"0001"
    assert head in said and CONTENT[:32768] in said and CONTENT[-100:] + b"0000" in said


def status(said: bytes) -> int:
    return int(said[4:].split(b"\n")[0].removeprefix(b"status "))


@pytest.mark.parametrize(
    ("request_", "number"),
    [
        (put(CONTENT, oid="0" * 64), 400),
        (put(CONTENT, size=len(CONTENT) - 1), 400),
        (put(CONTENT, size=len(CONTENT) + 1), 400),
        (put(b"x" * 100, size=1 << 30), 413),
        (put(CONTENT, oid="../../../../tmp/x"), 400),
        (put(CONTENT, oid=OID.upper()), 400),
        (line(f"put-object {OID}") + b"0000", 400),
        (line(f"get-object {OID}") + b"0000", 501),
        (line("lock") + line("path=x") + b"0000", 501),
        (line(f"verify-object {OID} 5") + b"0000", 404),
        (line("version 2") + b"0000", 400),
        (line("batch") + line("hash-algo=md5") + b"0001" + line("x 1") + b"0000", 409),
        (line("batch") + b"0001" + line("x") + b"0000", 400),
    ],
)
def test_what_is_not_right_is_refused_and_the_connection_goes_on(folder, request_, number):
    said = ask("upload", request_, QUIT, folder=folder)
    assert status(said) == number and said.endswith(OK) and objects(folder) == []


def test_the_disk_and_all_objects_of_an_app_have_a_limit(folder, monkeypatch):
    small = [bytes([number]) * 100 for number in range(6)]
    said = ask("upload", *map(put, small), folder=folder, limit=100)
    assert said.startswith(OK * 5) and status(said.removeprefix(OK * 5)) == 507 and len(objects(folder)) == 5
    head = put(b"y" * 100)[:-50]  # one that is still on its way counts too
    parts = os.path.join(folder, "lfs", "parts")
    os.remove(lfs.object_path(folder, hashlib.sha256(small[0]).hexdigest()))
    with open(os.path.join(parts, "1-a"), "wb") as file:
        file.truncate(100)
    assert status(ask("upload", head + b"y" * 46 + b"0000", folder=folder, limit=100)) == 507
    monkeypatch.setattr(lfs_server, "_ROOM", 1 << 60)
    assert b"no room" in ask("upload", put(CONTENT), folder=folder)


@pytest.mark.parametrize("cut", [3, 80, 150, 40_000, -5])
def test_a_connection_that_breaks_off_leaves_nothing(folder, cut):
    with pytest.raises(lfs_server.Broken):
        ask("upload", put(CONTENT)[:cut], folder=folder)
    assert objects(folder) == []


def test_an_app_that_is_destroyed_meanwhile_leaves_its_name_free(folder):
    class Slow(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > len(CONTENT) // 2 and not hasattr(self, "late"):
                self.late = True
                repository.remove("blog")
            return super().read(size)

    writer = io.BytesIO()
    lfs_server.Session(folder, "upload", 1 << 20, Slow(put(CONTENT) + QUIT), writer).run()
    assert b"status 507" in writer.getvalue() and not os.path.exists(folder)
    assert repository.create("blog") == folder


def test_a_request_of_long_lines_ends_the_connection(folder):
    with pytest.raises(lfs_server.Broken, match="more than 1000 bytes"):
        ask("upload", line("batch") + b"0001" + packet(b"x" * 1001) + b"0000", folder=folder)


def test_what_a_killed_connection_left_goes_once_it_is_old(folder):
    parts = os.path.join(folder, "lfs", "parts")
    os.makedirs(parts)
    for name, age in (("old", 7200), ("new", 10)):
        with open(os.path.join(parts, name), "wb"):
            pass
        os.utime(os.path.join(parts, name), (time.time() - age,) * 2)
    assert ask("upload", put(CONTENT), folder=folder) == OK
    assert sorted(objects(folder)) == sorted([OID, "new"])


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from([b"0000", b"0001", line("batch"), line("quit"), put(b"x"), line(f"get-object {OID}")]),
        )
    )
)
def test_anything_is_answered_or_the_connection_ends(tmp_path_factory, pieces):
    for operation in ("upload", "download"):
        try:
            ask(operation, *pieces, folder=str(tmp_path_factory.getbasetemp()))
        except lfs_server.Broken:
            pass


def test_objects_go_along_with_a_copy_of_the_repository(folder):
    ask("upload", put(CONTENT), folder=folder)
    repository_copy.copy("blog", "journal")
    with open(lfs.object_path(paths.repository("journal"), OID), "rb") as file:
        assert file.read() == CONTENT


def test_who_may_push_may_send_and_nobody_gets_http(folder, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(
        "minipaas_lib.bus.manager.call", lambda hook, **about: asked.append((about["command"], about["app"])) or []
    )
    for words in (["git-lfs-transfer", "/blog.git", "upload"], ["git-lfs-transfer", "blog", "download"]):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(QUIT)))
        assert cli.guard(lambda words=words: ssh_entry.lfs("anna", words)) == 0
    assert asked == [("git-receive-pack", "blog"), ("git-upload-pack", "blog")]
    for words, said in (
        (["git-lfs-authenticate", "blog", "upload"], "Git LFS is served over ssh only"),
        (["git-lfs-transfer", "blog", "lock"], '"lock" is not a Git LFS operation'),
        (["git-lfs-transfer", "../blog", "upload"], "app"),
        (["git-lfs-transfer", "nosuch", "upload"], "there is no app"),
        (["git-lfs-transfer"], "app"),
    ):
        capsys.readouterr()
        assert cli.guard(lambda words=words: ssh_entry.lfs("anna", words)) in (1, 2)
        assert said in capsys.readouterr().err
