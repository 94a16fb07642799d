"""doctor: what it looks at itself, and how it says what it found."""

import json
import os
from types import SimpleNamespace

import pytest

from minipaas_lib import api
from plugins.doctor import commands, host


@pytest.fixture
def healthy(world, fake, monkeypatch):
    """A host of which every plugin says that it is well, or what a test puts in."""
    findings = {
        None: [
            api.Finding("disk of /", True, "fine"),
            api.Finding("nginx: include", True, "fine"),
            api.Finding("docker", True, "fine"),
            api.Finding("store", True, "fine"),
        ]
    }

    def answers(hook, app):
        found = findings.get(app and app.name, [])
        if isinstance(found, Exception):
            raise found
        return [found]

    monkeypatch.setattr("minipaas_lib.api.call", answers, raising=False)
    return findings


def test_all_is_well(world, healthy):
    said = world.ok("doctor")
    assert [line.split()[1] for line in said.splitlines()] == ["docker", "nginx:", "store", "disk"]


def test_the_first_broken_link_is_named(world, healthy):
    healthy[None] += [
        api.Finding("sshd", False, "nothing listens", "start it"),
        api.Finding("nginx", False, "it is dead", "revive it"),
    ]
    result = world("doctor")
    assert result.status == 1
    assert "the first broken link is nginx: it is dead\n       revive it" in result.err
    assert "BROKEN  sshd" in result.out and "fix: start it" in result.out


def test_apps_come_last_and_one_by_one(world, healthy):
    world.ok("apps:create", "blog")
    world.ok("apps:create", "broken")
    with open(f"{world.root}/state/apps/broken/app.toml", "w") as file:
        file.write("= oops\n")
    healthy["blog"] = [
        api.Finding("app blog: route", True, "fine"),
        api.Finding("app blog: processes", False, "gone", "ps:restore blog"),
    ]
    result = world("doctor", "--format", "json")
    assert result.status == 1
    assert [finding["part"] for finding in json.loads(result.out)][-3:] == [
        "app blog: processes",
        "app blog: route",
        "app broken",
    ]


def test_a_plugin_that_fails_is_a_finding(world, healthy):
    healthy[None] = RuntimeError("oh")
    result = world("doctor")
    assert result.status == 1 and "it cannot be checked: RuntimeError: oh" in result.out


def test_a_broken_platform_document_is_found(world):
    with open(f"{world.root}/state/platform.toml", "w") as file:
        file.write("= oops\n")
    finding = host.store()
    assert not finding.ok and "platform.toml cannot be read, line 1" in finding.said
    assert commands.of_apps() == []


def test_the_store_is_written_to(world):
    assert host.store().ok
    os.rmdir(api.paths.work())
    with open(api.paths.work(), "w"):
        pass
    assert not host.store().ok


def test_the_store_of_a_cluster_is_in_etcd(world, monkeypatch):
    assert host.store().said == f"0 apps in {api.paths.state()}"
    monkeypatch.setattr(
        api.kernel.cluster, "settings", lambda: api.kernel.cluster.ClusterSettings(("http://192.0.2.1:2379",))
    )
    assert host.store().said == "0 apps in etcd (http://192.0.2.1:2379)"


def test_sshd(tmp_path, monkeypatch):
    table = "sl local_address rem_address st\n 0: 00000000:0016 00000000:0000 0A 0\n 1: 0100007F:08AE 0:0 01 0\n"
    assert host.listening_ports(table, "") == {22}
    assert api.kernel.address.ssh_ports(str(tmp_path)) == [22]
    (tmp_path / "sshd_config").write_text("#Port 1\nPort 2222\n")
    (tmp_path / "sshd_config.d").mkdir()
    (tmp_path / "sshd_config.d" / "a.conf").write_text("port 2223\n")
    assert api.kernel.address.ssh_ports(str(tmp_path)) == [2222, 2223]
    monkeypatch.setattr(api.kernel.address, "ssh_ports", lambda: [2222, 2223])
    monkeypatch.setattr(host, "_text", lambda path, read=host._text: table if path.startswith("/proc") else read(path))
    assert host.sshd().said == "nothing listens on port 2222"


def test_authorized_keys(tmp_path):
    home, owner = str(tmp_path), os.getuid()
    os.chmod(home, 0o755)
    assert "missing" in host.authorized_keys(home, owner).said
    keys = tmp_path / ".ssh" / "authorized_keys"
    keys.parent.mkdir(mode=0o700)
    keys.write_text('restrict,command="minipaas --key anna" ssh-ed25519 AAAA anna\n')
    os.chmod(keys, 0o600)
    assert host.authorized_keys(home, owner).said.startswith("1 key ")
    os.chmod(keys.parent, 0o770)
    finding = host.authorized_keys(home, owner)
    assert not finding.ok and "sshd ignores it" in finding.said and "chmod" in finding.fix


def test_git_shell():
    assert "bash" in host.git_shell("/bin/bash").said and not host.git_shell("/bin/bash").ok


def test_program(tmp_path, monkeypatch):
    program = tmp_path / "minipaas"
    monkeypatch.setenv("MINIPAAS_PROGRAM", str(program))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "is a broken link" in host.program().said
    program.write_text("")
    program.chmod(0o644)
    assert "cannot be run" in host.program().said or os.geteuid() == 0
    program.chmod(0o755)
    assert host.program().ok
    other = tmp_path / "other"
    other.mkdir()
    (other / "minipaas").write_text("")
    (other / "minipaas").chmod(0o755)
    monkeypatch.setenv("PATH", f"{other}:{tmp_path}")
    assert "before" in host.program().said


@pytest.mark.parametrize(
    ("free", "blocks", "inodes", "ok"),
    [(5000, 10000, 900, True), (10, 10000, 900, False), (5000, 10000, 1, False), (100, 1000, 900, True)],
)
def test_disk(free, blocks, inodes, ok):
    status = SimpleNamespace(f_bavail=free, f_blocks=blocks, f_frsize=1 << 20, f_files=1000, f_favail=inodes)
    assert host.disk("/", status).ok is ok


@pytest.mark.parametrize(
    ("barriers", "ok", "said", "fix"),
    [
        ([], True, "is open on port", ""),
        ([(80, True, "", "ufw")], False, "the firewall (ufw) lets nobody in on port 80", "as root: open 80"),
        ([(22, False, "ipv4", "nftables")], True, "lets only some in on port 22 over IPv4", ""),
    ],
)
def test_a_firewall_that_lets_nobody_in_is_broken(monkeypatch, barriers, ok, said, fix):
    made = [api.kernel.firewall.Barrier(*barrier, f"open {barrier[0]}") for barrier in barriers]
    monkeypatch.setattr(api.kernel.firewall, "barriers", lambda ports: made)
    finding = host.firewall()
    assert (finding.ok, finding.fix) == (ok, fix) and said in finding.said


def test_rules_that_cannot_be_read_are_no_fault(monkeypatch):
    def refuse(ports):
        raise api.kernel.firewall.Unreadable("only root may read the rules")

    monkeypatch.setattr(api.kernel.firewall, "barriers", refuse)
    finding = host.firewall()
    assert finding.ok and "sudo minipaas doctor" in finding.said
