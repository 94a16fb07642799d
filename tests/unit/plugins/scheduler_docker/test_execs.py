"""Something in docker's place that answers on a unix socket, in pieces that a test chooses."""

import json
import socket
import threading

import docker
import pytest
import requests.exceptions

from plugins.scheduler_docker import attached, execs

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"


def frame(text: bytes, stream: int = 1) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4) + text


@pytest.fixture
def serve(tmp_path):
    """serve(pieces, codes): a client of a docker whose exec prints `pieces`, and has each of `codes` when asked."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "docker.sock"))
    listening.listen()

    def answer(connection, pieces, codes):
        with connection:
            asked = connection.makefile("rb")
            path, size = asked.readline().split()[1].decode(), 0
            while (line := asked.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split()[1])
            asked.read(size)
            if path.endswith("/start"):
                for piece in pieces:
                    connection.sendall(piece)
                return
            code = codes.pop(0) if len(codes) > 1 else codes[0]
            said = {"Id": "e1"} if path.endswith("/exec") else {"ExitCode": code}
            body = json.dumps(said).encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def work(pieces, codes):
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            answer(connection, pieces, codes)

    def start(pieces, codes):
        threading.Thread(target=work, args=(pieces, list(codes)), daemon=True).start()
        return docker.APIClient(f"unix://{tmp_path}/docker.sock", version="1.41", timeout=20)

    yield start
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def test_what_comes_with_the_head_of_the_answer_is_not_lost(serve):
    asked = serve([HEAD + frame(b"one\n") + frame(b"two\n", 2)], [0])
    assert attached.probe(asked, "c1", ["true"], 20, "s1") == (0, "one\ntwo\n")


def test_what_comes_in_crumbs(serve):
    whole = HEAD + frame(b"one\n") + frame(b"") + frame(b"x" * 5000)
    asked = serve([whole[at : at + 3] for at in range(0, len(whole), 3)], [7])
    code, said = attached.probe(asked, "c1", ["true"], 20, "s1")
    assert code == 7 and said == "x" * 4096


def test_docker_may_tell_a_little_later_how_it_ended(serve):
    assert attached.probe(serve([HEAD + frame(b"no\n")], [None, None, 1]), "c1", ["false"], 20, "s1") == (1, "no\n")


def test_a_command_whose_output_breaks_off_has_not_succeeded(serve, monkeypatch):
    monkeypatch.setattr(execs, "_ENDING", 0.2)
    with pytest.raises(requests.exceptions.ConnectionError):
        attached.probe(serve([HEAD + frame(b"one\n")[:6]], [None]), "c1", ["true"], 20, "s1")
