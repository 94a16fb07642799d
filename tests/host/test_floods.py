"""Many connections of one client, on a real host: the apps go on answering."""

import contextlib
import resource
import select
import socket
import time

import pytest

pytestmark = [pytest.mark.serial, pytest.mark.one_host]  # it takes nginx's connections


@pytest.fixture
def many_files():
    former = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (former[1], former[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, former)


def half_sent(stack: contextlib.ExitStack, count: int, name: str) -> list[socket.socket]:
    """So many connections of one client, each with half a request, which nginx waits for."""
    opened = []
    for number in range(count):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", 80), timeout=20))
        connection.sendall(b"GET /" if number % 2 else f"GET / HTTP/1.1\r\nHost: {name}\r\nX-Half: ".encode())
        opened.append(connection)
    return opened


def test_half_sent_requests_of_one_client_take_no_site_down(host, repo, app, many_files):
    repo.push()
    name = host.url_host(app)
    for count in (1600, 5000):
        with contextlib.ExitStack() as stack:
            began = time.monotonic()
            opened = half_sent(stack, count, "other.example.org")
            answers = [host.get(name) for _ in range(200)]
            poll = select.poll()
            for connection in opened:
                poll.register(connection, select.POLLIN)
            ended = len(poll.poll(0))
            assert [status for status, _ in answers] == [200] * 200
            assert ended == 0 or time.monotonic() - began > 18, f"nginx gave up {ended} of {count} before their time"
        assert host.get(name)[0] == 200
