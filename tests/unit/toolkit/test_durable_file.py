"""Files that are whole at any moment."""

import os
import stat

import pytest

from minipaas_lib.toolkit import durable_file

CALLS = ["open", "fchmod", "fsync", "replace"]


@pytest.mark.parametrize("mode", [0o600, 0o644])
@pytest.mark.parametrize("content", ["text\n", b"bytes\x00", "", "not \udcff unicode"])
def test_it_is_written_with_its_mode_and_nothing_is_left_beside_it(tmp_path, content, mode):
    path = tmp_path / "file"
    for _ in range(2):
        durable_file.write(str(path), content, mode)
        expected = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
        assert path.read_bytes() == expected and stat.S_IMODE(path.stat().st_mode) == mode
        assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("call", CALLS)
def test_where_a_call_fails_the_old_content_is_whole(tmp_path, monkeypatch, call):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OSError, match="No space left"):
            durable_file.write(str(path), "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("call", CALLS)
def test_where_it_is_killed_the_old_content_is_whole_and_the_next_writer_goes_on(tmp_path, call):
    path = tmp_path / "file"
    path.write_text("old")
    pid = os.fork()
    if not pid:
        setattr(os, call, lambda *_, **__: os._exit(9))
        durable_file.write(str(path), "new")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert path.read_text() == "old"
    durable_file.write(str(path), "newer")
    assert path.read_text() == "newer"
    assert all(durable_file.is_unfinished(name) for name in os.listdir(tmp_path) if name != "file")


def test_a_link_is_replaced_and_what_it_leads_to_is_not_touched(tmp_path):
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / "file").symlink_to("elsewhere")
    durable_file.write(str(tmp_path / "file"), "ours")
    assert (tmp_path / "elsewhere").read_text() == "theirs" and (tmp_path / "file").read_text() == "ours"
    assert not (tmp_path / "file").is_symlink()


def test_what_is_planted_under_the_name_of_the_new_file_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / f"file.new-{os.getpid()}").symlink_to("elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        durable_file.write(str(tmp_path / "file"), "ours")
    assert (tmp_path / "elsewhere").read_text() == "theirs"


def test_names_are_on_the_disk_before_it_returns(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(durable_file, "sync_folder", lambda folder: seen.append((folder, os.listdir(folder))))
    durable_file.write(str(tmp_path / "file"), "x")
    durable_file.remove(str(tmp_path / "file"))
    durable_file.remove(str(tmp_path / "file"))
    assert seen == [(str(tmp_path), ["file"]), (str(tmp_path), []), (str(tmp_path), [])]


@pytest.mark.parametrize(
    "name", ["blog.conf", "blog.new.conf", "packed-refs.new", "new-12", "blog.new-x", "b.new-1.conf"]
)
def test_a_name_of_something_else_is_no_unfinished_file(name):
    assert not durable_file.is_unfinished(name)
    assert durable_file.is_unfinished(name + ".new-4711") and durable_file.is_unfinished(name + ".4711.new")
