"""A push warns once of data that goes with the old processes."""

import re
import subprocess

import pytest
from conftest import BUSYBOX_IMAGE

pytestmark = pytest.mark.host

WRITES = (
    "echo row > /app/db.sqlite3; mkdir -p /app/uploads /app/tmp /store/deep; echo cat > '/app/uploads/a cat.jpg'; "
    "echo x > /app/tmp/x.db; echo y > /store/deep/y; exec httpd -f -p $PORT -h /www"
)


def test_a_push_names_what_the_old_processes_have_written_and_how_to_save_it(host, app, repo, tmp_path):
    dockerfile = (
        f"FROM {BUSYBOX_IMAGE}\n"
        "COPY www /www\n"
        "COPY www /store\n"
        "VOLUME /store\n"
        "VOLUME /unused\n"
        'RUN ["mkdir", "-p", "/app"]\n'
        f'CMD ["sh", "-c", "{WRITES}"]\n'
    )
    repo.commit(Dockerfile=dockerfile)
    assert "looks like data" not in repo.push().stderr
    repo.commit(www___index__html="second")
    before = host.containers(app)
    said = repo.push().stderr
    assert "looks like data into files of its own: /app/db.sqlite3, /app/uploads, /store" in said, said
    assert "/unused" not in said and "tmp" not in said.partition("looks like data")[2]
    commands = re.findall(r"docker cp \S+ \.", said)
    assert len(commands) == 3 and all(before[0] in command for command in commands)
    # The old process drains for half a minute, so what is said can be done.
    subprocess.run(commands[0], shell=True, check=True, capture_output=True, cwd=tmp_path)
    assert (tmp_path / "db.sqlite3").read_text() == "row\n" and host.get(host.url_host(app)) == (200, "second")
    repo.commit(www___index__html="third")
    assert "looks like data" not in repo.push().stderr and host.get(host.url_host(app)) == (200, "third")
