import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from plugins.cluster.fleet import connection


@pytest.mark.parametrize(
    "text, found",
    [
        ("unix:///var/run/fleet.sock", ["unix:///var/run/fleet.sock"]),
        ("http://10.0.0.1:49153/", ["http://10.0.0.1:49153"]),
        ("http://a:1, http://b:2,http://a:1", ["http://a:1", "http://b:2"]),
        ("http://[fd00::1]:49153", ["http://[fd00::1]:49153"]),
    ],
)
def test_addresses(text, found):
    assert connection.endpoints(text) == found


@pytest.mark.parametrize(
    "text",
    ["", ",", "10.0.0.1", "http://10.0.0.1", "https://a:1", "http://a:0", "http://a:65536", "http://a:1/x", "unix://x"],
)
def test_addresses_that_are_none(text):
    with pytest.raises(errors.UsageError):
        connection.endpoints(text)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text):
    for prefix in ("", "http://", "unix:///"):
        try:
            assert "\n" not in connection.endpoint(prefix + text)
        except errors.UsageError:
            pass


def test_an_exchange(daemon):
    fleet = daemon((201, None), (200, {"units": []}))
    assert connection.exchange(fleet.endpoint, "PUT", "/x", b'{"a": 1}') == (201, b"")
    assert connection.exchange(fleet.endpoint, "GET", "/y") == (200, b'{"units": []}')
    assert fleet.requests[0][:3] == ("PUT", "/x", {"a": 1})
    assert fleet.requests[0][3]["content-type"] == "application/json"


def test_a_daemon_that_says_that_it_will_close(daemon):
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    assert connection.exchange(daemon(answer).endpoint, "GET", "/") == (200, b"{}")


def test_over_tcp_too():
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    server.close()
    with pytest.raises(connection.NoAnswer, match="not running"):
        connection.exchange(f"http://127.0.0.1:{port}", "GET", "/")


@pytest.mark.parametrize(
    "answer, said",
    [
        (None, "closed the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", "breaks off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}", "breaks off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not fleet"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000 + b"\r\n\r\n", "not fleet"),
    ],
)
def test_half_an_answer_is_none(daemon, answer, said):
    with pytest.raises(connection.NoAnswer, match=said):
        connection.exchange(daemon(answer).endpoint, "GET", "/")


def test_no_daemon(tmp_path):
    with pytest.raises(connection.NoAnswer, match="socket is not there"):
        connection.exchange(f"unix://{tmp_path}/none.sock", "GET", "/")


def test_a_daemon_that_says_nothing_is_not_waited_for_long(tmp_path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "mute.sock"))
    server.listen()
    started = time.monotonic()
    with server, pytest.raises(connection.NoAnswer, match="does not answer within"):
        connection.exchange(f"unix://{tmp_path}/mute.sock", "GET", "/", timeout=0.2)
    assert time.monotonic() - started < 5


def test_an_answer_that_trickles_ends(tmp_path):
    import threading

    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "slow.sock"))
    server.listen()

    def trickle():
        connection, _ = server.accept()
        with connection:
            connection.recv(9999)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            try:
                for _ in range(500):
                    connection.sendall(b" ")
                    time.sleep(0.02)
            except OSError:
                pass

    threading.Thread(target=trickle, daemon=True).start()
    started = time.monotonic()
    with server, pytest.raises(connection.NoAnswer, match="does not answer within"):
        connection.exchange(f"unix://{tmp_path}/slow.sock", "GET", "/", timeout=0.3)
    assert time.monotonic() - started < 5


def test_an_answer_without_end_is_not_kept(daemon, monkeypatch):
    monkeypatch.setattr(connection, "ANSWER_LIMIT", 100_000)
    with pytest.raises(connection.NoAnswer, match="larger than"):
        connection.exchange(daemon((200, "x" * 200_000)).endpoint, "GET", "/")
