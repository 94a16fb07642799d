import os
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib.toolkit import process_identity
from plugins.scheduler_docker import owner


def test_a_process_is_told_from_its_successors():
    mine = owner.me()
    boot, pid, began, _ = mine.split(":")
    assert int(pid) == os.getpid() and owner.alive(mine)
    assert not owner.alive(f"{boot}:{pid}:{int(began) + 1}"), "the same number, another process"
    assert not owner.alive(f"00000000:{pid}:{began}"), "before the last boot"
    child = subprocess.Popen(["sleep", "60"])
    name = f"{boot}:{child.pid}:{process_identity.began(child.pid)}"
    assert owner.alive(name)
    child.kill()
    child.wait()
    assert not owner.alive(name)


def test_what_another_host_waits_for_is_left_to_it(monkeypatch):
    monkeypatch.setattr(owner, "_host", lambda: "aaaaaaaa")
    assert owner.alive("00000000:17:4711:bbbbbbbb"), "another head of the same cluster"
    assert not owner.alive("00000000:17:4711:aaaaaaaa"), "this one before it was booted again"
    monkeypatch.setattr(owner, "_host", lambda: "")
    assert not owner.alive("00000000:17:4711:bbbbbbbb")


@given(st.text())
def test_anything_else_is_nobody(text):
    assert not owner.alive(text) or text == owner.me()
