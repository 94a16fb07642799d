"""The README's two examples, done as it says, by a newcomer with git and ssh."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from conftest import docker
from test_buildpacks import downloads, stack  # noqa: F401

from tests import sampling

HOUSE = Path(__file__).parents[2]
README = (HOUSE / "README.md").read_text(encoding="utf-8")
CAST = HOUSE / "docs/cast"

pytestmark = pytest.mark.host


def blocks(heading: str) -> list[str]:
    """The code blocks below a heading, up to the next one."""
    section = README.partition(heading)[2].partition("\n## ")[0]
    return re.findall(r"^```\w*\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


@pytest.fixture
def laptop(host, tmp_path):
    """Run a script as on a laptop that knows this host as `host`: its ssh and curl come here, its git has a name."""
    programs = tmp_path / "programs"
    programs.mkdir()
    options = {
        "ssh": [*host.ssh_command()[1:], "-o", "HostName=127.0.0.1"],
        "curl": ["-sS", "--connect-to", "::127.0.0.1:"],
    }
    for name, words in options.items():
        (programs / name).write_text(f'#!/bin/sh\nexec /usr/bin/{name} {shlex.join(words)} "$@"\n')
        (programs / name).chmod(0o755)
    home = tmp_path / "laptop"
    home.mkdir()
    who = {f"GIT_{role}_{what}": "anna@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **who, "PATH": f"{programs}:{os.environ['PATH']}", "GIT_CONFIG_GLOBAL": "/dev/null"}

    def run(script: str, folder: Path = home, timeout: float = 300) -> str:
        done = subprocess.run(
            ["bash", "-e", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    run.home = home
    return run


def test_the_first_push(laptop, app):
    push = next(block for block in blocks("# minipaas\n") if "git push" in block)
    output = laptop(push.replace("paas@host:blog", f"paas@host:{app}"))
    url = re.findall(r"^remote: +(http://\S+)", output, re.MULTILINE)[-1]
    assert laptop(f"curl {url}") == "<h1>Hello</h1>\n"


@pytest.mark.serial  # builder:set --global
@pytest.mark.timeout(900)  # the stack image may have to be made
def test_the_flask_app(laptop, host, app, stack, downloads):  # noqa: F811
    program, requirements, procfile, push = blocks("## A Flask app\n")
    folder = laptop.home / "flask"
    folder.mkdir()
    for name, text in (("app.py", program), ("requirements.txt", requirements), ("Procfile", procfile)):
        (folder / name).write_text(text)
    host.ssh("apps:create", app)
    host.ssh("buildpacks:set-property", app, "stack", stack)  # in place of the public image
    output = laptop(push.replace("paas@host:flask", f"paas@host:{app}"), folder, 600)
    assert "builder buildpack: python, there is a requirements.txt" in output
    assert host.get(host.url_host(app)) == (200, "Hello from Flask\n")


@pytest.mark.skipif(not sampling.ALL, reason="it types at the pace of a person: ./tests/run --all")
def test_the_terminal_session_can_be_recorded_again(laptop, app, tmp_path):
    recorded = tmp_path / "session.cast"
    laptop(
        shlex.join(["/usr/bin/python3", "-B", str(CAST / "record.py"), "host", "--app", app, "--output", str(recorded)])
    )
    shown = recorded.read_text()
    for words in (f"{app} v1 is live", f"{app} v2 is live", f"{app} v3 is live: rollback to v1"):
        assert words in shown
    assert "superseded" in recorded.with_suffix(".svg").read_text()
    assert docker("ps", "-aq", "--filter", f"label=minipaas.app={app}") == "", "the app goes again"
