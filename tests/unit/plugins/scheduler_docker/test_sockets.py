import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.scheduler_docker import sockets

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the samples are of a little-endian machine")

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B00007F:96DD 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 13507 1
   1: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 13508 1
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 13509 1
   3: 0B00FB0A:0050 0100FB0A:A9A8 06 00000000:00000000 00:00000000 00000000     0        0 0 1
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000
   1: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000
   2: 0000000000000000FFFF00000100007F:1F92 00000000000000000000000000000000:0000 0A 00000000:00000000
"""


def test_tcp_without_dockers_resolver_and_connections():
    assert sockets.parse(TCP) == [("127.0.0.1", 5000), ("0.0.0.0", 80)]


def test_tcp6():
    assert sockets.parse(TCP6) == [("::", 8080), ("::1", 8081), ("127.0.0.1", 8082)]


def test_a_process_that_is_gone():
    assert sockets.of_process(2**22 + 1) == ()


@given(st.lists(st.integers(0, 0xFFFF)))
def test_every_port_is_found(ports):
    rows = [f"  {n}: 00000000:{port:04X} 00000000:0000 0A" for n, port in enumerate(ports)]
    assert sockets.parse("\n".join(["head", *rows])) == [("0.0.0.0", port) for port in ports]


def test_what_another_host_printed_of_its_sockets():
    said = "".join(line + "\n" for table in (TCP, TCP6) for line in table.splitlines() if " 0A " in line)
    expected = tuple(sorted({*sockets.parse(TCP), *sockets.parse(TCP6)}))
    assert sockets.listed(said) == expected and len(expected) == 5
    assert sockets.listed("grep: /proc/7/net/tcp6: No such file or directory\r\n" + said) == expected
    assert sockets.listed("") == ()


@given(st.text())
def test_whatever_another_host_prints_is_no_failure(said):
    assert all(0 <= port <= 0xFFFF and address for address, port in sockets.listed(said))


def test_the_sockets_of_a_process_elsewhere_are_not_looked_for_here(monkeypatch):
    """A process of that number may live on this host, and listen where it likes."""
    asked = []

    class Daemon:
        url = "unix:///node1"

        def new(self):
            return self

    def probe(docker_api, container, command, timeout, session):
        asked.append((container, command[-1]))
        return 0, TCP

    monkeypatch.setattr(sockets, "of_process", lambda pid: pytest.fail("this host was asked"))
    monkeypatch.setattr("plugins.scheduler_docker.attached.probe", probe)
    assert sockets.of_container(Daemon(), "agent", 7) == (("0.0.0.0", 80), ("127.0.0.1", 5000))
    assert asked == [("agent", "/proc/7/net/tcp6")]
