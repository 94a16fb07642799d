"""What a key may do over ssh: git and our commands, and nothing else."""

import subprocess

import pytest


def test_there_is_no_shell(host):
    refused = host.ssh(raw="", ok=False)
    assert refused.returncode not in (0, 255) and "no shell" in refused.stderr


@pytest.mark.parametrize(
    "line",
    [
        "apps:list; rm -rf /",
        "apps:list && id",
        "apps:list | id",
        "ls",
        "bash -c id",
        "$(id)",
        "`id`",
        "../bin/sh",
        "minipaas --key x",
    ],
)
def test_a_second_command_or_a_shell_word_is_refused_with_a_sentence(host, line):
    refused = host.ssh(raw=line, ok=False)
    assert refused.returncode in (1, 2), refused
    assert " !     " in refused.stderr and "Traceback" not in refused.stderr
    assert "uid=" not in refused.stdout


def test_quotes_that_do_not_match_get_a_sentence(host):
    refused = host.ssh(raw="config:set x 'A=1", ok=False)
    assert refused.returncode in (1, 2) and "quotes" in refused.stderr


def test_sftp_and_scp_are_refused(host, tmp_path):
    for legacy in ([], ["-O"]):
        done = subprocess.run(
            ["scp", *legacy, *host.ssh_command()[1:], "paas@127.0.0.1:/etc/passwd", str(tmp_path / "got")],
            capture_output=True,
            text=True,
            timeout=30,
        )
        # scp spells the port -P
        assert done.returncode != 0 and not (tmp_path / "got").exists()
    refused = host.ssh(raw="sftp-server", ok=False)
    assert refused.returncode == 1 and "no file transfer" in refused.stderr
    subsystem = subprocess.run(
        [*host.ssh_command("-s"), "paas@127.0.0.1", "sftp"], capture_output=True, text=True, timeout=30, input=""
    )
    assert subsystem.returncode != 0


def test_forwarding_is_refused(host):
    done = subprocess.run(
        [*host.ssh_command("-o", "ExitOnForwardFailure=yes", "-W", "127.0.0.1:80"), "paas@127.0.0.1"],
        capture_output=True,
        text=True,
        timeout=30,
        input="",
    )
    assert done.returncode != 0


@pytest.mark.parametrize("name", ["../etc", "a/b", "x.git/../y", "'; id; '", "-x", "", "A", "a b"])
def test_git_gets_only_plain_app_names(host, name):
    for verb in ("git-upload-pack", "git-receive-pack"):
        refused = host.ssh(raw=f"{verb} '{name}'", ok=False)
        assert refused.returncode in (1, 2), refused
        assert " !     " in refused.stderr and "Traceback" not in refused.stderr


def test_cloning_an_app_that_does_not_exist_says_so(host):
    refused = host.ssh(raw="git-upload-pack 'no-such-app'", ok=False)
    assert refused.returncode == 1 and "no-such-app" in refused.stderr


def test_a_wrong_command_suggests_the_near_one(host):
    refused = host.ssh("app:list", ok=False)
    assert refused.returncode == 2 and "apps:list" in refused.stderr


def test_a_stranger_gets_nowhere(host, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "id"], check=True)
    command = host.ssh_command()
    command[command.index("-i") + 1] = str(tmp_path / "id")
    assert subprocess.run([*command, "paas@127.0.0.1", "apps:list"], capture_output=True, timeout=30).returncode == 255


def test_a_key_that_is_removed_ends_with_what_it_has_open(host, app, repo, tmp_path):
    """Over a connection that stays open (ControlMaster), where sshd does not look at the key again."""
    repo.commit(Procfile="web: echo up; exec httpd -f -p $PORT -h /www\n")
    repo.push()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "id"], check=True)
    guest = f"guest-{app}"
    host.ssh("ssh-keys:add", guest, input=(tmp_path / "id.pub").read_text())
    command = host.ssh_command(
        "-o", "ControlMaster=auto", "-o", f"ControlPath={tmp_path}/mux", "-o", "ControlPersist=60"
    )
    command[command.index("-i") + 1] = str(tmp_path / "id")

    def guest_types(line):
        return subprocess.run(
            [*command, "paas@127.0.0.1", line], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )

    assert guest_types(f"apps:exists {app}").returncode == 0
    words = [*command, "paas@127.0.0.1", f"logs -t {app}"]
    follower = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert "up" in follower.stdout.readline()
        host.ssh("ssh-keys:remove", guest)
        for line in (f"apps:exists {app}", f"git-upload-pack '{app}'", f"git-receive-pack '{app}'"):
            refused = guest_types(line)
            assert (
                refused.returncode == 77 and f"the key {guest} is no longer allowed on this host" in refused.stderr
            ), refused
        _, said = follower.communicate(timeout=60)
        assert follower.returncode == 77 and f"the key {guest} is no longer allowed on this host" in said
    finally:
        follower.kill()
        subprocess.run([*command, "-O", "exit", "paas@127.0.0.1"], capture_output=True)


def test_a_key_file_of_another_editor(host, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", tmp_path / "id"], check=True)
    kind, encoded = (tmp_path / "id.pub").read_text().split()
    name = "editor-" + encoded[-8:].replace("/", "x").replace("+", "x")
    refused = host.ssh(raw=f"ssh-keys:add {name}", input=f"{kind} {encoded}", ok=False, encoding="utf-16")
    assert refused.returncode == 2 and "UTF-16" in refused.stderr
    host.ssh("ssh-keys:add", name, input=f"\ufeff# at home\r\n{kind}\t {encoded}\r\n")
    assert host.ssh("ssh-keys:list", name).returncode == 0
    assert not [
        line for line in host.ssh("doctor", ok=False).stdout.splitlines() if "ssh keys" in line and "BROKEN" in line
    ]
    host.ssh("ssh-keys:remove", name)
