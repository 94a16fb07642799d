"""Whether a process is still the one that was meant."""

import os
import subprocess

from minipaas_lib.toolkit import process_identity


def test_a_process_keeps_its_beginning_and_another_has_another():
    mine = process_identity.began(os.getpid())
    assert mine.isdigit() and process_identity.began(os.getpid()) == mine
    with subprocess.Popen(["/bin/sleep", "60"]) as child:
        theirs = process_identity.began(child.pid)
        assert int(theirs) >= int(mine)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert process_identity.began(child.pid) == "", "dead, though nobody has asked for its status yet"
    assert process_identity.began(child.pid) == ""


def test_a_name_with_brackets_and_spaces_misleads_nobody(tmp_path):
    program = tmp_path / "a) S 1 2 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"]) as child:
        assert process_identity.began(child.pid).isdigit()
        child.kill()


def test_the_boot_is_that_of_the_machine():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        assert process_identity.boot() == file.read().strip() != ""
