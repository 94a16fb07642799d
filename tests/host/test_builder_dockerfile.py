"""Build images with the real docker, from Dockerfiles that need no registry."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from minipaas_lib import api, errors
from plugins.builder_dockerfile import client, hooks

pytestmark = pytest.mark.host
APP = "receive-test"
CLIENT = "/usr/bin/docker"
HEAD = "FROM scratch\nCOPY busybox /bin/busybox\n"


def docker(*arguments):
    return subprocess.run([CLIENT, *arguments], capture_output=True, text=True)


@pytest.fixture(autouse=True)
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path / "root"))
    yield
    for tag in docker("image", "ls", f"minipaas/{APP}", "--format", "{{.Repository}}:{{.Tag}}").stdout.split():
        docker("image", "rm", "-f", tag)


@pytest.fixture
def context(tmp_path):
    folder = tmp_path / "context"
    folder.mkdir()
    shutil.copy("/bin/busybox", folder / "busybox")
    return folder


def run_build(context, dockerfile=None, number=1, app=None):
    if dockerfile is not None:
        (context / "Dockerfile").write_text(dockerfile)
    return hooks.build_image(app or api.App(APP), "dockerfile", str(context), "c" * 40, number)


def image_names():
    return docker("image", "ls", f"minipaas/{APP}", "-q").stdout.split()


def test_a_build_gives_a_labelled_tagged_image_with_port_and_notes(context, capsys):
    made = run_build(
        context, HEAD + 'RUN ["/bin/busybox", "echo", "made it"]\nEXPOSE 9090 8080\nCMD ["/bin/busybox", "httpd"]\n', 3
    )
    assert made.image.startswith("sha256:") and made.builder == "dockerfile" and made.commands == {"web": ""}
    assert made.port == 9090
    assert made.notes == (f"EXPOSE 8080 is not routed; to route it: ports:add {APP} http:8080:8080",)
    seen = docker("image", "inspect", f"minipaas/{APP}:v3", "--format", "{{.Id}} {{json .Config.Labels}}").stdout
    assert seen.startswith(made.image) and f'"minipaas.app":"{APP}"' in seen and '"minipaas.commit":"cccc' in seen
    shown = capsys.readouterr().err
    assert "[2/2] RUN" in shown and "made it" in shown
    assert "sha256" not in shown and "[internal]" not in shown
    assert sorted(os.listdir(context.parent)) == ["context", "root"]


def test_a_failing_step_is_named_and_leaves_no_image(context, capsys):
    script = '["/bin/busybox", "sh", "-c", "echo nearly; exit 7"]'
    with pytest.raises(errors.BuildFailed) as caught:
        run_build(context, HEAD + f"RUN {script}\n")
    assert caught.value.message == f"the build failed at [2/2] RUN {script}: exit code 7"
    assert " !     nearly" in capsys.readouterr().err
    assert image_names() == []


@pytest.mark.parametrize(
    "dockerfile, said",
    [
        ("FORM scratch\n", "unknown instruction"),
        ("", "empty|no build stage|no instructions"),
        (HEAD + "COPY nothing /x\n", "not found"),
        ("FROM nosuch.invalid/x:1\n", "nosuch.invalid"),
    ],
)
def test_dockerfiles_that_cannot_be_built_are_told_why(context, dockerfile, said):
    with pytest.raises(errors.BuildFailed, match=said) as caught:
        run_build(context, dockerfile)
    assert caught.value.hint and "\n" not in caught.value.message


def test_equal_size_and_second_give_the_second_content(context):
    for number, word in enumerate(["aaaa", "bbbb"], 1):
        (context / "page").write_text(word)
        made = run_build(context, HEAD + 'COPY page /page\nCMD ["/bin/busybox", "cat", "/page"]\n', number)
        assert docker("run", "--rm", "--network=none", made.image).stdout == word


def test_config_reaches_the_build_only_on_request_and_never_the_command_line(context):
    document = {
        "config": {"SECRET": "s3cret-7", "CHANNEL": "beta-7"},
        "builder-dockerfile": {"build-args": ["CHANNEL", "NONE"]},
    }
    dockerfile = HEAD + 'ARG SECRET\nARG CHANNEL\nLABEL channel=$CHANNEL secret=$SECRET\nCMD ["/bin/busybox"]\n'
    made = run_build(context, dockerfile, app=api.App(APP, document))
    everything = docker("history", "--no-trunc", made.image).stdout + docker("image", "inspect", made.image).stdout
    assert "beta-7" in everything and "s3cret-7" not in everything


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_cancelled_build_leaves_nothing(context, sent):
    def stop(number, frame):
        raise errors.Cancelled("the client hung up")

    former = signal.signal(sent, stop)
    timer = threading.Timer(1.5, os.kill, (os.getpid(), sent))
    timer.start()
    started = time.monotonic()
    try:
        with pytest.raises(errors.Cancelled):
            run_build(
                context,
                HEAD + f'RUN ["/bin/busybox", "sleep", "6{time.time_ns() % 10}"]\nRUN ["/bin/busybox", "true"]\n',
            )
    finally:
        timer.cancel()
        signal.signal(sent, former)
    assert time.monotonic() - started < 6
    assert image_names() == []
    wait_until(lambda: not sleepers())


def sleepers():
    """Processes of a RUN step of ours that still sleep."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            if file.read().startswith(b"/bin/busybox\0sleep\x006"):
                found.append(pid)
    return found


def wait_until(condition):
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_kill_9_ends_the_build_too(context, tmp_path):
    (context / "Dockerfile").write_text(
        HEAD + f'RUN ["/bin/busybox", "sleep", "6{time.time_ns() % 10}"]\nRUN ["/bin/busybox", "true"]\n'
    )
    root = os.path.dirname(os.path.dirname(os.path.abspath(errors.__file__)))
    script = (
        f"import sys; sys.path.insert(0, {root!r}); from minipaas_lib import api;"
        " from plugins.builder_dockerfile import hooks;"
        f" hooks.build_image(api.App({APP!r}), 'dockerfile', {str(context)!r}, 'c' * 40, 5)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    wait_until(sleepers)
    process.kill()
    process.wait()
    wait_until(lambda: not sleepers())
    assert image_names() == []


def test_docker_that_does_not_answer_is_said_so(context, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{context}/none.sock")
    with pytest.raises(errors.Unavailable, match="docker does not answer"):
        run_build(context, HEAD)


def test_without_buildkit_the_classic_builder_builds_with_a_word(context, monkeypatch, capsys):
    monkeypatch.setattr(client, "find", lambda: client.Client(CLIENT, False))
    made = run_build(context, HEAD + 'ENV PORT=3000\nCMD ["/bin/busybox"]\n')
    assert made.port == 3000
    shown = capsys.readouterr().err
    assert "building with the classic builder" in shown and "[1/6] FROM scratch" in shown and "--->" not in shown
    with pytest.raises(errors.BuildFailed, match=r"at \[3/5\] RUN .*: exit code 1"):
        run_build(context, HEAD + 'RUN ["/bin/busybox", "false"]\n', 2)


def test_this_host_builds_with_buildkit_though_a_newer_client_comes_first_on_path():
    assert client.find().buildkit or all(
        not client._can_buildkit(path) for path in client.candidates(os.environ["PATH"])
    )


EVIL = [
    "#\fsyntax=evil.invalid/x",
    "#\u2028syntax=evil.invalid/x",
    "#\x1csyntax=evil.invalid/x",
    "#\vsyntax\v=\vevil.invalid/x",
    "// syntax=evil.invalid/x",
]


@pytest.mark.parametrize("line", EVIL)
def test_no_line_has_another_program_read_the_dockerfile(context, line):
    """BuildKit would ask evil.invalid for it, and fail for that."""
    dockerfile = line + "\n" + HEAD + 'CMD ["/bin/busybox"]\n'
    if line.startswith("//"):
        with pytest.raises(errors.BuildFailed, match="dockerfile parse error line 1: unknown instruction: //"):
            run_build(context, dockerfile)
        return
    assert run_build(context, dockerfile).commands == {"web": ""}


def test_dockers_frontend_is_taken_where_it_is_asked_for(context):
    """There is no registry here: that it is asked for shows in how the build fails."""
    with pytest.raises(errors.BuildFailed, match="docker/dockerfile:1"):
        run_build(context, "# syntax=docker/dockerfile:1\n" + HEAD)


def test_an_escape_directive_counts_and_errors_name_the_lines_of_the_repository(context):
    assert run_build(
        context, '# escape=`\nFROM `\nscratch\nCOPY busybox `\n/bin/busybox\nCMD ["/bin/busybox"]\n'
    ).commands
    with pytest.raises(errors.BuildFailed, match="dockerfile parse error line 4: unknown instruction: FORM"):
        run_build(context, "# escape=`\n" + HEAD + "FORM x\n", 2)


def test_classic_builds_have_the_same_dockerfile(context, monkeypatch):
    monkeypatch.setattr(client, "find", lambda: client.Client(CLIENT, False))
    with pytest.raises(errors.BuildFailed, match="parse error line 3: unknown instruction: FORM"):
        run_build(context, HEAD + "FORM x\n")
    with pytest.raises(errors.BuildFailed, match="failed to parse Dockerfile: ENV must have two arguments"):
        run_build(context, HEAD + "ENV a\n")


def test_a_dockerignore_of_the_dockerfile_counts_and_copies_of_it_are_the_repositorys(context):
    (context / "kept").write_text("kept")
    (context / "left-out").write_text("x")
    (context / "Dockerfile.dockerignore").write_text("left-out\n")
    text = 'FROM scratch\nCOPY . /\nCMD ["/busybox", "cat", "/Dockerfile", "/left-out"]\n'
    made = run_build(context, text)
    ran = docker("run", "--rm", "--network=none", made.image)
    assert ran.stdout == text and "/left-out" in ran.stderr


def test_no_app_reads_or_poisons_the_cache_mount_of_another(context, capsys):
    step = (
        'RUN --mount=type=cache,id=pip,target=/cache ["/bin/busybox", "sh", "-c", "/bin/busybox cat /cache/*; '
        '/bin/busybox echo {0} >/cache/{0}"]\n'
    )
    for number, (name, word) in enumerate([("cache-a", "of-a"), ("cache-b", "of-b"), ("cache-a", "again")], 1):
        app = api.App(name, {"created": name})
        run_build(context, HEAD + step.format(word) + 'CMD ["/bin/busybox"]\n', number, app)
        docker("image", "rm", "-f", f"minipaas/{name}:v{number}")
        said = capsys.readouterr().err
        printed = [line.strip() for line in said.splitlines() if line.strip() in ("of-a", "of-b", "again")]
        assert printed == (["of-a"] if word == "again" else []), said
