"""The output and the result of a command that docker runs inside a container.

Not by the SDK's exec_start: that reads from the socket past what came together with the head of docker's answer, which
is then lost. It is rare on this host, and common where docker is another node's.
"""

import time
from collections.abc import Iterator

_ENDING = 5.0  # seconds until docker must say how a command ended whose output has


def output(docker_api, made: str) -> Iterator[bytes]:
    """Start the exec `made`; what it prints, in pieces.

    Raises requests.exceptions.Timeout when nothing comes for the client's own time, and what the docker SDK raises.
    """
    import requests.exceptions
    import urllib3.exceptions

    # Without the head "Upgrade" docker sends a plain body: frames, each after a stream's number and its length.
    answer = docker_api._post_json(
        docker_api._url("/exec/{0}/start", made), data={"Detach": False, "Tty": False}, stream=True
    )
    docker_api._raise_for_status(answer)
    try:
        while len(head := answer.raw.read(8)) == 8:
            yield answer.raw.read(int.from_bytes(head[4:]))
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.exceptions.Timeout from error
    finally:
        answer.close()


def exit_code(docker_api, made: str) -> int:
    """The exec's result. Raises requests.exceptions.ConnectionError if it has not ended: its output broke off."""
    import requests.exceptions

    end = time.monotonic() + _ENDING
    while (code := docker_api.exec_inspect(made)["ExitCode"]) is None:
        if time.monotonic() > end:
            raise requests.exceptions.ConnectionError("what a command printed broke off")
        time.sleep(0.05)
    return code
