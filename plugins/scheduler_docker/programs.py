"""Whether a container has the program that it is to run.

Looked at before docker's init or runc find out, which say it in words of their own on the terminal of who asked.
"""

import base64
import io
import json
import posixpath
import tarfile

from minipaas_lib import api

NOT_FOUND, NOT_EXECUTABLE = 127, 126  # as a shell says it (POSIX, Shell Command Language, 2.8.2)
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # what docker gives an image without one
_LIKELY = ("/usr/bin", "/bin")  # each look costs a request
_NO_FILES_OF_IT = ("/proc/", "/sys/", "/dev/")  # the kernel's, which docker does not look into
_DIRECTORY, _LINK = 1 << 31, 1 << 27  # Go's os.FileMode, in which docker tells a file's kind
_HEAD = 8192  # bytes of a file's archive: what stands before its contents, and its first line


def check(docker_api, answer: dict, program: str, app: str) -> None:
    """Raise an error with the status 127 or 126 where a container cannot execute a program; else do nothing.

    `answer` is what `GET /containers/{id}/json` says of it. What cannot be looked at is left to docker.
    """
    places, unfit = _places(program, answer["Config"]), ""
    for path in places:
        mode = _look(docker_api, answer["Id"], path)
        if mode is None:
            return
        if mode and not mode & _DIRECTORY and mode & 0o111:
            _check_interpreter(docker_api, answer["Id"], path, app)
            return
        if mode and not unfit:
            unfit = f"{api.names.safe(path)} in the image of {app} cannot be run: it is " + (
                "a folder" if mode & _DIRECTORY else "not executable"
            )
    if unfit:
        folder = unfit.endswith("a folder")
        mend = "chmod +x makes a file executable; commit that, or do it in the Dockerfile"
        raise _error(NOT_EXECUTABLE, unfit, "name a program in it" if folder else mend)
    if places:
        name = api.names.safe(program)
        raise _error(
            NOT_FOUND,
            f"there is no program {name} in the image of {app}",
            "name one that it has, or give its whole path",
        )


def _check_interpreter(docker_api, container: str, path: str, app: str) -> None:
    """Like check, for the interpreter in a script's first line."""
    interpreter = _interpreter(docker_api, container, path)
    if interpreter and not interpreter.startswith(_NO_FILES_OF_IT) and _look(docker_api, container, interpreter) == 0:
        name = api.names.safe(interpreter)
        said = (
            f"{api.names.safe(path)} in the image of {app} cannot be run: its first line names {name}, which is not "
            "there"
        )
        raise _error(
            NOT_FOUND,
            said,
            "correct that line: lines must end in LF, not CR LF" if interpreter.endswith("\r") else "correct that line",
        )


def _error(status: int, said: str, hint: str) -> "api.errors.MinipaasError":
    error = api.errors.NotFound(said, hint)
    error.exit_code = status
    return error


def _places(program: str, config: dict) -> list[str]:
    """Where execvp(3) looks for a program, the likely places first. Pure."""
    folder = config.get("WorkingDir") or "/"
    if "/" in program:
        path = posixpath.normpath(posixpath.join(folder, program))
        return [] if path.startswith(_NO_FILES_OF_IT) else [path]
    variables = dict(entry.partition("=")[::2] for entry in config.get("Env") or [])
    folders = [posixpath.join(folder, one) for one in variables.get("PATH", DEFAULT_PATH).split(":")]
    folders.sort(key=lambda one: one not in _LIKELY)
    return [posixpath.join(one, program) for one in dict.fromkeys(folders)]


def _look(docker_api, container: str, path: str) -> int | None:
    """The mode of a file in a container, 0 if there is none, None if docker does not tell."""
    for _ in range(2):  # of a link docker tells where it leads in the end
        answer = docker_api.head(
            docker_api._url("/containers/{0}/archive", container), params={"path": path}, timeout=docker_api.timeout
        )
        if answer.status_code == 404:
            return 0
        try:
            about = json.loads(base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"]))
            mode, path = int(about["mode"]), str(about["linkTarget"])
        except (KeyError, ValueError, TypeError):
            return None
        if not mode & _LINK:
            return mode
    return None


def _interpreter(docker_api, container: str, path: str) -> str:
    """The program that a script's first line names (execve(2), Interpreter scripts); empty if it is not a script."""
    import docker.errors

    try:
        pieces, _ = docker_api.get_archive(container, path, chunk_size=_HEAD)
        data = b""
        for piece in pieces:
            data += piece
            if len(data) >= _HEAD:
                break
        pieces.close()
        with tarfile.open(fileobj=io.BytesIO(data), mode="r|") as archive:
            member = archive.next()
            file = archive.extractfile(member) if member and member.isreg() else None
            first = file.read(512) if file else b""
    except (docker.errors.APIError, tarfile.TarError, OSError, AttributeError):
        return ""
    return first_word(first)


def first_word(data: bytes) -> str:
    """The interpreter of a script from its beginning, as the kernel reads it; empty if it is not a script. Pure."""
    if not data.startswith(b"#!"):
        return ""
    line = data[2:].split(b"\n")[0].strip(b" \t")
    word = line.replace(b"\t", b" ").split(b" ")[0].decode("utf-8", "replace")
    return word if word.startswith("/") else ""
