"""What is said of a program that a container does not have, by a docker in memory."""

import base64
import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from plugins.scheduler_docker import programs


class Docker:
    """docker's archive of one container: path -> (mode, contents or where a link leads)."""

    timeout = 1

    def __init__(self, files: dict[str, tuple[int, bytes | str]]) -> None:
        self.files, self.asked = files, []

    def _url(self, text, *words):
        return text.format(*words)

    def head(self, url, params, timeout):
        path = params["path"]
        self.asked.append(path)
        mode, held = self.files.get(path, (0, b""))
        answer = type("Answer", (), {})()
        answer.status_code, answer.headers = (200 if path in self.files else 404), {}
        link = held if isinstance(held, str) else ""
        about = {"name": path, "mode": mode | (programs._LINK if link else 0), "linkTarget": link}
        answer.headers["X-Docker-Container-Path-Stat"] = base64.b64encode(json.dumps(about).encode()).decode()
        return answer

    def get_archive(self, container, path, chunk_size):
        held = io.BytesIO()
        with tarfile.open(fileobj=held, mode="w") as archive:
            data = self.files[path][1] if isinstance(self.files[path][1], bytes) else b""
            entry = tarfile.TarInfo("x")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        return (piece for piece in [held.getvalue()]), {}


FILES = {
    "/bin/sh": (0o755, b"\x7fELF"),
    "/usr/bin/tool": (0o755, "/bin/sh"),
    "/usr/bin/lost": (0o777, "/bin/gone"),
    "/app/plain": (0o644, b"x"),
    "/app/folder": (programs._DIRECTORY | 0o755, b""),
    "/app/script": (0o755, b"#!/bin/sh -e\n"),
    "/app/dos": (0o755, b"#!/bin/sh\r\n"),
    "/app/py": (0o755, b"#! /usr/bin/python3\nx"),
    "/app/bin/own": (0o755, b"\x7fELF"),
    "/app/sh": (0o644, b""),
}


def looked(program: str, path: str | None = None) -> tuple[int, str]:
    env = [] if path is None else [f"PATH={path}"]
    answer = {"Id": "c1", "Config": {"WorkingDir": "/app", "Env": env}}
    try:
        programs.check(Docker(FILES), answer, program, "blog")
    except errors.MinipaasError as error:
        return error.exit_code, error.message
    return 0, ""


@pytest.mark.parametrize(
    "program", ["sh", "/bin/sh", "tool", "./script", "script/../script", "/proc/self/exe", "../bin/sh"]
)
def test_what_is_there_is_run(program):
    assert looked(program) == (0, "")


@pytest.mark.parametrize(
    "program, path, status, says",
    [
        ("nope", None, 127, 'no program "nope" in the image of blog'),
        ("./nope", None, 127, "no program"),
        ("lost", None, 127, "no program"),
        ("own", None, 127, "no program"),
        ("own", "bin:/x", 0, ""),
        ("./plain", None, 126, '"/app/plain" in the image of blog cannot be run: it is not executable'),
        ("./folder", None, 126, "a folder"),
        ("/app", "", 127, "no program"),
        ("./dos", None, 127, 'names "/bin/sh\\r"'),
        ("/app/py", None, 127, "/usr/bin/python3"),
        ("sh", "/app:/bin", 0, ""),
        ("sh", "/app", 126, "not executable"),
        ("\x1b[31m", None, 127, "\\x1b"),
    ],
)
def test_what_is_not_there_is_said(program, path, status, says):
    found = looked(program, path)
    assert found[0] == status and says in found[1]


def test_a_folder_is_not_to_be_made_executable():
    with pytest.raises(errors.MinipaasError) as raised:
        programs.check(Docker(FILES), {"Id": "c1", "Config": {"WorkingDir": "/app", "Env": []}}, "./folder", "blog")
    assert raised.value.hint == "name a program in it"


def test_a_likely_program_costs_one_look():
    docker = Docker({"/usr/bin/env": (0o755, b"")})
    programs.check(docker, {"Id": "c1", "Config": {"WorkingDir": "", "Env": None}}, "env", "blog")
    assert docker.asked == ["/usr/bin/env"]


@given(st.binary(max_size=300))
def test_any_head_of_a_file_has_an_interpreter_or_none(data):
    word = programs.first_word(b"#!" + data)
    assert word == "" or (word.startswith("/") and "\n" not in word)
    assert programs.first_word(b"\x7fELF" + data) == ""
