"""Record the session that the README shows: python3 docs/cast/record.py HOST

HOST is a host with minipaas on it that takes this machine's SSH key and has no app `blog`. Every command is really run,
in a terminal of its own; only the typing is imitated. What the terminal showed, and when, goes to session.cast
(asciicast, version 2), and render.py draws session.svg from it.
"""

import argparse
import codecs
import json
import os
import pty
import struct
import subprocess
import tempfile
import termios
import time
from fcntl import ioctl
from pathlib import Path

import render

COLUMNS, ROWS = 88, 24
PROMPT, PLAIN = "\x1b[1;32m$\x1b[0;1m ", "\x1b[0m"
SECONDS_PER_KEY = 0.03
PAUSE = 1.0  # after each command, so that one can read what it printed


class Recording:
    """The events of a session: what the terminal showed, by the second."""

    def __init__(self):
        self.begun = time.monotonic()
        self.events: list[list] = []

    def show(self, text: str) -> None:
        self.events.append([round(time.monotonic() - self.begun, 3), "o", text])

    def type(self, line: str) -> None:
        self.show(PROMPT)
        time.sleep(PAUSE / 2)
        for key in line:
            time.sleep(SECONDS_PER_KEY)
            self.show(key)
        self.show(PLAIN + "\r\n")

    def run(self, line: str, folder: str) -> None:
        """Type a line and run it; raises CalledProcessError if it fails."""
        self.type(line)
        leader, follower = pty.openpty()
        ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        process = subprocess.Popen(["sh", "-c", line], cwd=folder, stdin=follower, stdout=follower, stderr=follower)
        os.close(follower)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while chunk := read(leader):
            self.show(decoder.decode(chunk))
        os.close(leader)
        if process.wait() != 0:
            raise subprocess.CalledProcessError(process.returncode, line)
        time.sleep(PAUSE)

    def text(self) -> str:
        header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "minipaas: push, push again, go back"}
        return "".join(json.dumps(line) + "\n" for line in [header, *self.events])


def read(descriptor: int) -> bytes:
    """What a terminal shows next; nothing once its program has ended."""
    try:
        return os.read(descriptor, 4096)
    except OSError:  # Linux says EIO at the end of a terminal
        return b""


def prepare(host: str, app: str, folder: str) -> None:
    """A repository with one page, and a first connection, so that ssh knows the host."""
    if ssh(host, "apps:exists", app, check=False).returncode == 0:
        raise SystemExit(f"{host} has an app {app} already")
    Path(folder, "index.html").write_text("<h1>Hello</h1>\n")
    for words in (
        ["init", "-q", "-b", "main"],
        ["config", "user.name", "Anna"],
        ["config", "user.email", "anna@example.org"],
        ["add", "."],
        ["commit", "-q", "-m", "Say hello"],
        ["remote", "add", "paas", f"paas@{host}:{app}"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)


def ssh(host: str, *words: str, check: bool = True) -> subprocess.CompletedProcess:
    return subprocess.run(["ssh", f"paas@{host}", *words], check=check, capture_output=True, text=True)


def record(host: str, app: str, folder: str) -> str:
    recording = Recording()
    recording.run("cat index.html", folder)
    recording.run("git push paas main", folder)
    url = ssh(host, "url", app).stdout.strip()
    for line in (
        f"curl {url}",
        "echo '<h1>Hello again</h1>' > index.html",
        "git commit -qam 'Say hello again'",
        "git push paas main",
        f"curl {url}",
        f"ssh paas@{host} releases:rollback {app}",
        f"curl {url}",
        f"ssh paas@{host} releases {app}",
    ):
        recording.run(line, folder)
    return recording.text()


def main() -> None:
    parser = argparse.ArgumentParser(description="Record the session that the README shows.")
    parser.add_argument("host", metavar="HOST", help="a host with minipaas that takes this machine's SSH key")
    parser.add_argument("--app", default="blog", help="the app to create and remove again (default: blog)")
    parser.add_argument("--output", type=Path, default=render.CAST, help="default: docs/cast/session.cast")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prepare(asked.host, asked.app, folder)
        try:
            cast = record(asked.host, asked.app, folder)
        finally:
            ssh(asked.host, "apps:destroy", asked.app, "--now", "--force", check=False)
    asked.output.write_text(cast)
    asked.output.with_suffix(".svg").write_text(render.svg(cast))


if __name__ == "__main__":
    main()
