import errno
import json
import os
import shutil
import stat
import subprocess

import pytest

from minipaas_lib import api, errors
from minipaas_lib.store import documents, open_store
from plugins.ssh_keys import authorized_keys, hooks, public_key, users

ANNA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f anna@laptop"
BERT = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA"


@pytest.fixture
def file(world):
    return os.path.join(world.root, "ssh", "authorized_keys")


def text(file):
    with open(file, encoding="utf-8") as opened:
        return opened.read()


def test_add_list_remove(world, file):
    world.ok("ssh-keys:add", "anna", stdin=ANNA + "\n")
    world.ok("ssh-keys:add", "bert", "-", stdin=BERT, key="anna")

    def line(name, key):
        return f'restrict,pty,command="minipaas --key {name} {public_key.parse(key).fingerprint}" {key}\n'

    assert text(file) == line("anna", ANNA) + line("bert", BERT)
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert os.listdir(os.path.dirname(file)) == ["authorized_keys"]
    document = documents.read(open_store(), "users/bert.toml")
    assert (document["creator"], document["role"], document["keys"]) == ("anna", "admin", [BERT])
    listed = json.loads(world.ok("ssh-keys:list", "--format", "json"))
    assert [row["name"] for row in listed] == ["anna", "bert"]
    assert listed[0]["fingerprint"] in world.ok("ssh-keys:list", "anna") and listed[0]["comment"] == "anna@laptop"
    world.ok("ssh-keys:remove", "--fingerprint", listed[0]["fingerprint"])
    assert text(file) == line("bert", BERT)
    removed = world("ssh-keys:remove", "bert")
    assert removed.status == 0 and "no key is left" in removed.err
    assert text(file) == "" and open_store().children("users") == []


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen")
def test_openssh_reads_the_file(world, file):
    world.ok("ssh-keys:add", "anna", stdin=ANNA)
    world.ok("ssh-keys:add", "b.E_r@t-2", stdin=BERT)
    told = subprocess.run(["ssh-keygen", "-l", "-f", file], check=True, capture_output=True, text=True).stdout
    listed = json.loads(world.ok("ssh-keys:list", "--format", "json"))
    assert [line.split(" ")[1] for line in told.splitlines()] == [row["fingerprint"] for row in listed]


def test_a_file(world, file, tmp_path):
    (tmp_path / "anna.pub").write_text(ANNA)
    world.ok("ssh-keys:add", "anna", "anna.pub")
    assert "cannot be given by its name" in world.refused("ssh-keys:add", "bert", "anna.pub", key="anna")
    assert "cannot be read" in world.refused("ssh-keys:add", "bert", "nothing.pub")


def test_duplicates_are_refused_by_name(world):
    world.ok("ssh-keys:add", "anna", stdin=ANNA)
    assert "there is already a key named anna" in world.refused("ssh-keys:add", "anna", stdin=BERT)
    assert "under the name anna" in world.refused(
        "ssh-keys:add", "bert", stdin=ANNA.rsplit(" ", 1)[0] + " other comment"
    )


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a/b", "../x", "-x", "a;id", 'a"', "a\n", "root", "x" * 64, "\x1b", "a'b", "$x", "a\\", "bj\u00f6rn"],
)
def test_bad_names(world, file, name):
    world.refused("ssh-keys:add", name, stdin=ANNA)
    world.refused("ssh-keys:add", "--", name, stdin=ANNA)
    assert not os.path.exists(file)


@pytest.mark.parametrize(
    "key", ["", "hello", ANNA + "\n" + BERT, 'command="sh" ' + ANNA, b"\xff\xfe", ANNA + "x" * 20_000, "\0"]
)
def test_bad_keys(world, file, key):
    world.refused("ssh-keys:add", "anna", stdin=key)
    assert not os.path.exists(file)


def test_bad_calls(world):
    world.ok("ssh-keys:add", "anna", stdin=ANNA)
    world.refused("ssh-keys:add")
    world.refused("ssh-keys:remove")
    world.refused("ssh-keys:remove", "anna", "--fingerprint", "SHA256:x")
    world.refused("ssh-keys:remove", "--fingerprint", "SHA256:x")
    assert "did you mean anna?" in world.refused("ssh-keys:remove", "ana")
    world.refused("ssh-keys:list", "bert")


def test_a_persons_own_lines_stay(world, file):
    os.makedirs(os.path.dirname(file))
    with open(file, "wb") as opened:
        opened.write(b'# mine \xff\nssh-rsa AAAA me\nrestrict,command="minipaas --key gone" ssh-rsa AAAA\n')
    world.ok("ssh-keys:add", "anna", stdin=ANNA)
    world.ok("ssh-keys:remove", "anna")
    with open(file, "rb") as opened:
        assert opened.read() == b"# mine \xff\nssh-rsa AAAA me\n"


def test_only_admins(world):
    world.ok("ssh-keys:add", "anna", stdin=ANNA)
    documents.edit(open_store(), "users/anna.toml", lambda document: document.update(role="viewer"))
    for who in ("anna", "nobody"):
        assert world("ssh-keys:add", "bert", stdin=BERT, key=who).status == 77
        assert world("ssh-keys:remove", "anna", key=who).status == 77


def test_the_file_is_made_anew_from_the_store(world, file):
    world.ok("ssh-keys:add", "anna", stdin=ANNA)
    before = text(file)
    os.remove(file)
    assert [finding.ok for finding in hooks.doctor(None)] == [False]
    hooks.installed()
    assert text(file) == before and [finding.ok for finding in hooks.doctor(None)] == [True]
    written = os.stat(file)
    hooks.installed()
    assert os.stat(file).st_ino == written.st_ino
    assert hooks.doctor(api.App("blog")) is None


def test_a_full_disk_leaves_no_half_key(world, file, monkeypatch):
    world.ok("ssh-keys:add", "anna", stdin=ANNA)
    before = text(file)

    def full(keys):
        if len(keys) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(authorized_keys, "write", full)
    assert "No space left" in world.refused("ssh-keys:add", "bert", stdin=BERT)
    assert text(file) == before


def test_a_broken_document_locks_nobody_else_out(world, file):
    world.ok("ssh-keys:add", "anna", stdin=ANNA)
    open_store().write("users/bert.toml", "keys = [\n")
    open_store().write("users/carl.toml", 'keys = ["nonsense"]\n')
    listed = world("ssh-keys:list")
    assert listed.status == 0 and "anna" in listed.out and "users/bert.toml cannot be read, line" in listed.err
    assert "users/carl.toml has a key that cannot be used" in listed.err
    world.ok("ssh-keys:remove", "bert")
    assert "--key anna" in text(file)
    assert world("ssh-keys:add", "carl", stdin=BERT).status == 2


def test_where_the_file_is(monkeypatch):
    monkeypatch.setenv("MINIPAAS_ROOT", "/scratch")
    monkeypatch.setenv("MINIPAAS_AUTHORIZED_KEYS", "/elsewhere/keys")
    assert authorized_keys.location() == "/elsewhere/keys"
    monkeypatch.delenv("MINIPAAS_ROOT")
    monkeypatch.setattr(api.paths, "PAAS_USER", "root")
    assert authorized_keys.location() == "/root/.ssh/authorized_keys"
    monkeypatch.setattr(api.paths, "PAAS_USER", "no-such-user")
    with pytest.raises(errors.BadConfig):
        authorized_keys.location()


def test_users_are_sorted_by_name(world):
    world.ok("ssh-keys:add", "bert", stdin=BERT)
    world.ok("ssh-keys:add", "anna", stdin=ANNA)
    assert [user.name for user in users.all_users()] == ["anna", "bert"]


def test_doctor_compares_what_sshd_lets_in_and_not_the_order(world, file):
    world.ok("ssh-keys:add", "bert", stdin=BERT)
    world.ok("ssh-keys:add", "anna", stdin=ANNA)
    assert [finding.ok for finding in hooks.doctor(None)] == [True]
    with open(file, "a", encoding="utf-8") as opened:
        opened.write("\n# a person's own\n\n")
    with open(file, encoding="utf-8") as opened:
        lines = opened.readlines()
    with open(file, "w", encoding="utf-8") as opened:
        opened.writelines(reversed(lines))
    assert [finding.ok for finding in hooks.doctor(None)] == [True]
    with open(file, "w", encoding="utf-8") as opened:
        opened.writelines(line for line in lines if "--key anna" not in line)
    assert [finding.ok for finding in hooks.doctor(None)] == [False]
    with open(file, "w", encoding="utf-8") as opened:
        opened.writelines([*lines, lines[0].replace("anna", "gone")])
    assert [finding.ok for finding in hooks.doctor(None)] == [False]


def test_before_an_upgrade_switches_the_program_lines_are_as_the_one_before_reads_them(
    world, file, monkeypatch, tmp_path
):
    world.ok("ssh-keys:add", "anna", stdin=ANNA)
    link, (former, own) = tmp_path / "minipaas", [tmp_path / name for name in ("former.pyz", "own.pyz")]
    for program in (former, own):
        program.write_text("")
    monkeypatch.setattr(api.paths, "program", lambda: str(link))
    monkeypatch.setattr(api.paths, "source", lambda: str(own))
    link.symlink_to(former)
    hooks.installed()
    assert text(file) == f'restrict,pty,command="minipaas --key anna" {ANNA}\n'
    link.unlink()
    link.symlink_to(own)
    hooks.installed()
    assert "--key anna SHA256:" in text(file)
