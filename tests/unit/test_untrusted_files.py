import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.untrusted_files import is_folder, read_file


@pytest.fixture
def context(tmp_path):
    folder = tmp_path / "context"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "file").write_bytes(b"deep")
    (folder / "Procfile").write_bytes(b"web: x\n")
    (tmp_path / "secret").write_text("secret")
    return folder


def test_reads_regular_files(context):
    assert read_file(str(context), "Procfile", 7) == b"web: x\n"
    assert read_file(str(context), "a/b/file", 100) == b"deep"
    assert read_file(str(context), "none", 100) is None
    assert read_file(str(context), "none/file", 100) is None
    assert read_file(str(context), "Procfile/file", 100) is None
    assert read_file(str(context), "x" * 300, 100) is None


def test_says_how_large_is_too_large(context):
    with pytest.raises(errors.InvalidFile, match="Procfile has 7 bytes; the limit is 6"):
        read_file(str(context), "Procfile", 6)


@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "Procfile", "nowhere", "a"])
def test_follows_no_link(context, target):
    (context / "link").symlink_to(target)
    with pytest.raises(errors.InvalidFile, match="link is a symbolic link, which is not followed"):
        read_file(str(context), "link", 100)
    with pytest.raises(errors.InvalidFile, match="symbolic link"):
        read_file(str(context), "link/b/file", 100)
    assert not is_folder(str(context), "link")


@pytest.mark.parametrize("name", ["", ".", "..", "../secret", "a/../../secret", "/etc/passwd", "a//b", "a/", "x\0y"])
def test_does_not_leave_the_context(context, name):
    with pytest.raises(errors.InvalidFile, match="not a path inside the repository"):
        read_file(str(context), name, 100)


def test_refuses_what_is_no_file(context):
    os.mkfifo(context / "pipe")
    for name in ("pipe", "a"):
        with pytest.raises(errors.InvalidFile, match="is not a file"):
            read_file(str(context), name, 100)
    assert is_folder(str(context), "a/b") and not is_folder(str(context), "Procfile")


@given(st.text())
def test_answers_any_name(tmp_path_factory, name):
    folder = tmp_path_factory.getbasetemp() / "empty"
    folder.mkdir(exist_ok=True)
    try:
        assert read_file(str(folder), name, 10) is None
    except errors.InvalidFile:
        pass
