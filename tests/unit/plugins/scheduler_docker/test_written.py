"""Docker's words of what a container has written."""

import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.scheduler_docker import written

CHANGES = [
    {"Path": "/app", "Kind": 0},
    {"Path": "/app/db.sqlite3", "Kind": 1},
    {"Path": "/app/gone", "Kind": 2},
    {"Path": "/etc/},{", "Kind": 0},
]


def test_changes_whole_none_and_cut_short():
    data = json.dumps(CHANGES).encode()
    assert written.read_changes(data) == ["/app", "/app/db.sqlite3", "/etc/},{"]
    assert written.read_changes(b"null\n") == [] and written.read_changes(b"") == []
    assert written.read_changes(data[: data.index(b"/etc")]) == ["/app", "/app/db.sqlite3"]


@given(st.integers(0, 200))
def test_a_list_that_is_cut_anywhere_is_read(length):
    data = json.dumps(CHANGES).encode()
    assert set(written.read_changes(data[:length])) <= {"/app", "/app/db.sqlite3", "/etc/},{"}


def archive(*entries):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind, mtime, size in entries:
            about = tarfile.TarInfo(name)
            about.type, about.mtime, about.size = kind, mtime, size
            tar.addfile(about, io.BytesIO(b"x" * size) if size else None)
    return buffer.getvalue()


def test_a_volume_is_written_when_a_file_in_it_is_younger_than_the_container():
    old, new = ("data/a", tarfile.REGTYPE, 100, 5), ("data/b", tarfile.REGTYPE, 300, 5000)
    folder = ("data/", tarfile.DIRTYPE, 300, 0)
    assert not written.holds_newer(archive(folder, old), 200) and written.holds_newer(archive(folder, old, new), 200)
    assert written.holds_newer(archive(folder, old, new)[:2600], 200), "the beginning of a large file says it"
    assert not written.holds_newer(b"", 200) and not written.holds_newer(b"x" * 5000, 200)


@pytest.mark.parametrize("text", ["2026-01-02T03:04:05.123456789Z", "2026-01-02T03:04:05Z"])
def test_dockers_time(text):
    assert written.began(text) == 1767323045.0
