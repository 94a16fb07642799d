"""Plugins from elsewhere on a real host: installed by root, at work in pushes over ssh, and gone again."""

import http.server
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import MINIPAAS, Repo, docker, web, word

pytestmark = pytest.mark.serial  # its plugins would meet every command

HOUSE = Path(__file__).parents[2]
EXAMPLES = HOUSE / "docs/examples"
PLUGINS = Path("/var/lib/minipaas/plugins")


@pytest.fixture
def root(host):
    """Run a command as root on the host itself; plugins that it installs are removed afterwards."""
    before = {path.name for path in PLUGINS.iterdir()}

    def run(*words, ok=True, **more):
        done = subprocess.run([MINIPAAS, *words], capture_output=True, text=True, timeout=300, **more)
        if ok:
            assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
            host.succeeded.add(words[0])
        return done

    yield run
    for path in PLUGINS.iterdir():
        if path.name not in before and not path.name.startswith(".") and path.is_dir():
            run("plugin:uninstall", path.name)
    shutil.rmtree(PLUGINS / ".former", ignore_errors=True)


def write(folder, hooks, toml="", **files):
    """A plugin; `__` in a file's name is a slash."""
    head = f'api = 1\nname = "{folder.name}"\nversion = "1"\nsummary = "For a test"\nhooks = {json.dumps(hooks)}\n'
    for name, text in {"plugin.toml": head + toml, **files}.items():
        path = folder / name.replace("__", "/").replace("_py", ".py").replace("_txt", ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if text.startswith("#!") else 0o644)
    return str(folder)


def git(folder, *words):
    environment = os.environ | {
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@t",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@t",
    }
    return subprocess.run(
        ["git", *words], cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


class Listener:
    """An address that remembers what it was told."""

    def __init__(self):
        told = self.told = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def listener():
    made = Listener()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_the_notifier_tells_of_good_and_bad_releases(host, root, app, repo, listener):
    root("plugin:install", str(EXAMPLES / "notifier"))
    host.ssh("apps:create", app)
    host.ssh("notifier:set", app, listener.url)
    assert host.ssh("report", app, "--notifier-tells").stdout == "true\n"
    assert f"told {listener.url}" in repo.push().stderr
    repo.commit(**web(command="exit 3"))
    assert repo.push(ok=False).returncode != 0
    assert [(t["app"], t["release"], t["status"]) for t in listener.told] == [(app, "1", "live"), (app, "2", "failed")]
    assert listener.told[1]["reason"]
    listener.server.shutdown()
    listener.server.server_close()
    repo.commit(**web("again", command="sleep 0; exec httpd -f -p 0.0.0.0:$PORT -h /www"))
    said = repo.push().stderr
    assert "plugin notifier: after_deploy failed:" in said and host.get(host.url_host(app)) == (200, "again")
    assert host.ssh("notifier:set", app, "gopher://x", ok=False).returncode == 2


def test_the_domain_policy_refuses_a_release_and_the_site_goes_on(host, root, app, repo):
    repo.push()
    mine = host.url_host(app)
    root("plugin:install", str(EXAMPLES / "domain_policy"))
    assert host.ssh("domain-policy:set", "example.org", ok=False).returncode == 77
    root("domain-policy:set", mine.split(".", 1)[1])
    refused = host.ssh("domains:add", app, f"{app}.evil.test", ok=False)
    assert (
        refused.returncode != 0
        and f"{app}.evil.test is not below" in refused.stderr
        and "from plugin domain_policy" in refused.stderr
    )
    assert host.get(mine)[0] == 200 and host.get(f"{app}.evil.test")[0] == 404
    assert f"{app}.evil.test" not in host.ssh("domains:report", app).stdout
    host.ssh("domains:add", app, f"www-{mine}")
    assert host.get(f"www-{mine}")[0] == 200
    root("domain-policy:set")
    host.ssh("domains:add", app, f"{app}.evil.test")
    assert host.get(f"{app}.evil.test")[0] == 200


def test_the_builder_builds_a_push_of_a_static_folder(host, root, app, tmp_path):
    root("plugin:install", str(EXAMPLES / "builder_busybox"))
    static = Repo(host, tmp_path / "static", app, public___index__html="plain files")
    said = static.push().stderr
    assert "builder busybox: there is a public/index.html" in said
    assert host.get(host.url_host(app)) == (200, "plain files")
    root("plugin:disable", "builder_busybox")
    host.ssh("buildpacks:set-property", app, "stack", "not-here:1")  # the buildpack for static folders is next
    static.commit(public___index__html="changed")
    refused = static.push(ok=False)
    assert refused.returncode != 0 and "busybox" not in refused.stderr and "not-here:1" in refused.stderr
    assert host.get(host.url_host(app)) == (200, "plain files")
    root("plugin:enable", "builder_busybox")
    static.push()
    assert host.get(host.url_host(app)) == (200, "changed")


@pytest.mark.parametrize("example", ["notifier", "domain_policy", "builder_busybox"])
def test_the_examples_pass_the_kit_with_docker(host, root, example):
    before, folders = set(docker("ps", "-aq").split()), set(Path("/tmp").glob("minipaas-plugin-test-*"))
    results = json.loads(root("plugin:test", str(EXAMPLES / example), "--format", "json", "--limit", "100").stdout)
    assert all(result["ok"] for result in results) and results[-1]["what"] == "a whole deploy, scheduler docker"
    # containers of other apps may go meanwhile, as old processes do in their time
    assert set(docker("ps", "-aq").split()) <= before and not docker("images", "-q", "minipaas-kit")
    assert set(Path("/tmp").glob("minipaas-plugin-test-*")) == folders


@pytest.mark.parametrize("language", ["python", "sh"])
def test_a_new_plugin_works_at_once(host, root, app, repo, tmp_path, language):
    name = f"hello_{language}"
    root("plugin:new", name, "--lang", language, cwd=tmp_path)
    assert subprocess.run([tmp_path / name / "test"], capture_output=True).returncode == 0
    root("plugin:install", f"./{name}", cwd=tmp_path)
    host.ssh("apps:create", app)
    host.ssh(f"hello-{language}:set", app, "good morning")
    assert f"good morning from v1 of {app}" in repo.push().stderr
    assert json.loads(root("plugin:trigger", "report", "--app", app, "--plugin", name).stdout)[name]


@pytest.mark.parametrize(
    "command",
    [
        "plugin:install x",
        "plugin:update x",
        "plugin:uninstall x",
        "plugin:enable x",
        "plugin:disable x",
        "plugin:undo x",
        "plugin:new x",
        "plugin:test /etc",
        "plugin:trigger installed",
        "plugin:state get x",
    ],
)
def test_not_over_ssh_and_not_as_paas(host, command):
    refused = host.ssh(raw=command, ok=False)
    assert refused.returncode == 77 and refused.stderr.startswith(" !     ")
    if not command.startswith(("plugin:new", "plugin:test", "plugin:trigger")):
        done = subprocess.run(["sudo", "-u", "paas", MINIPAAS, *command.split()], capture_output=True, cwd="/")
        assert done.returncode == 77


def test_plugin_info_and_list_over_ssh(host, root):
    root("plugin:install", str(EXAMPLES / "notifier"))
    assert {row["name"]: row["state"] for row in json.loads(host.ssh("plugin:list", "--format", "json").stdout)}[
        "notifier"
    ] == "enabled"
    about = json.loads(host.ssh("plugin:info", "notifier", "--format", "json").stdout)
    assert (
        about["hooks"] == ["after_deploy", "deploy_failed", "report"]
        and about["commands"] == ["notifier:set"]
        and len(about["digest"]) == 64
    )
    host.ssh("help", "notifier")
    assert "e.g.: notifier:set blog" in host.ssh("notifier:set", "--help").stdout


def test_a_plugins_code_runs_as_paas_and_its_files_are_roots(host, root, app, tmp_path):
    folder = tmp_path / f"who_{word()}"
    write(
        folder,
        ["report", "installed"],
        __init___py="",
        hooks__installed='#!/bin/sh\nid -un >"$MINIPAAS_PLUGIN_DATA/who"\n',
        hooks_py=(
            "import os\n"
            "from minipaas_lib import api\n"
            "WHO = os.getresuid()\n\n"
            "@api.hookimpl\n"
            "def report(app):\n"
            "    return {'who': ' '.join(map(str, WHO))}\n"
        ),
    )
    root("plugin:install", str(folder))
    assert Path(f"/var/lib/minipaas/plugin-data/{folder.name}/who").read_text() == "paas\n"
    host.ssh("apps:create", app)
    assert (
        len(set(host.ssh("report", app, "--who").stdout.split())) == 1
        and "0" not in host.ssh("report", app, "--who").stdout.split()
    )
    for path in [PLUGINS, PLUGINS / "index", *(PLUGINS / folder.name).rglob("*")]:
        about = path.stat()
        assert about.st_uid == 0 and not about.st_mode & 0o022 and about.st_mode & 0o004, path
    assert (PLUGINS / folder.name / "__pycache__").is_dir()


def test_requirements_go_to_the_plugins_own_folder(host, root, app, tmp_path):
    folder = tmp_path / "with_library"
    write(
        folder,
        ["report"],
        requirements_txt="iniconfig==2.0.0\n",
        __init___py="",
        hooks_py=(
            "import iniconfig\n"
            "from minipaas_lib import api\n\n"
            "@api.hookimpl\n"
            "def report(app):\n"
            "    return {'library': iniconfig.__file__}\n"
        ),
    )
    root("plugin:install", str(folder))
    host.ssh("apps:create", app)
    assert host.ssh("report", app, "--library").stdout.strip() == f"{PLUGINS}/with_library/vendor/iniconfig/__init__.py"
    assert all(path.stat().st_uid == 0 for path in (PLUGINS / "with_library/vendor").rglob("*"))


def test_a_commit_is_pinned_updated_and_undone(host, root, tmp_path):
    folder = tmp_path / "pinned"
    write(folder, ["installed"], hooks__installed="#!/bin/sh\necho version one is set up\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    subprocess.run(["chown", "-R", "nobody", folder], check=True)  # whosever repository it is
    url = f"file://{folder}"
    first = subprocess.run(
        ["git", "-c", f"safe.directory={folder}", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True
    ).stdout.strip()
    assert "version one is set up" in root("plugin:install", url).stderr
    subprocess.run(["chown", "-R", "root", folder], check=True)
    write(folder, ["installed"], hooks__installed="#!/bin/sh\necho version two is set up\n")
    git(folder, "commit", "-qam", "two")
    assert json.loads(root("plugin:info", "pinned", "--format", "json").stdout)["commit"] == first
    assert "version two is set up" in root("plugin:update", "pinned").stderr
    root("plugin:undo", "pinned")
    assert json.loads(root("plugin:info", "pinned", "--format", "json").stdout)["commit"] == first


def test_a_broken_plugin_fails_by_name_and_can_be_disabled(host, root, app, repo, tmp_path):
    folder = tmp_path / "trouble"
    write(
        folder,
        ["before_deploy", "authorize"],
        "timeout = 2\n",
        hooks__before_deploy="#!/bin/sh\nexec head -c 100000000 /dev/zero\n",
        hooks__authorize="#!/bin/sh\nexit 0\n",
    )
    repo.push()
    root("plugin:install", str(folder))
    repo.commit(**web("new"))
    said = repo.push(ok=False)
    assert said.returncode != 0 and "plugin trouble failed in before_deploy: it printed more than 1 MiB" in said.stderr
    assert host.get(host.url_host(app)) == (200, "hello from " + app)
    (PLUGINS / "trouble/hooks/authorize").write_text("#!/bin/sh\nsleep 100\n")
    began = time.monotonic()
    refused = host.ssh("apps:list", ok=False)
    assert (
        refused.returncode != 0
        and "plugin trouble failed in authorize: it was still running after 2 s" in refused.stderr
    )
    assert repo.push(ok=False).returncode != 0 and time.monotonic() - began < 30
    root("plugin:disable", "trouble")
    repo.push()
    assert host.get(host.url_host(app)) == (200, "new")


def test_the_index_is_written_anew_by_an_upgrade(host, root):
    root("plugin:install", str(EXAMPLES / "notifier"))
    good = (PLUGINS / "index").read_bytes()
    (PLUGINS / "index").write_bytes(b"minipaas plugins 1 cpython-27\nold")
    assert "notifier:set" in host.ssh("help", "notifier").stdout  # read from the plugins themselves meanwhile
    root("plugin:index")
    assert (PLUGINS / "index").read_bytes() == good and "plugin:index" in (HOUSE / "install.sh").read_text()


def test_a_trace_of_the_hooks(host, root, app):
    root("plugin:install", str(EXAMPLES / "notifier"))
    host.ssh("apps:create", app)
    said = root("report", app, env=os.environ | {"MINIPAAS_TRACE_HOOKS": "1"}).stderr
    assert (
        "hook report: notifier answered {'notifier-tells': False} in " in said
        and "hook report: domains answered" in said
    )


def test_hostile_sources_are_refused(host, root, tmp_path):
    before = sorted(path.name for path in PLUGINS.iterdir())
    folder = tmp_path / "hostile"
    write(folder, ["installed"], hooks__installed="#!/bin/sh\n")
    (folder / "shadow").symlink_to("/etc/shadow")
    assert "symbolic link" in root("plugin:install", str(folder), ok=False).stderr
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    assert "is a link" in root("plugin:install", f"file://{folder}", ok=False).stderr
    (folder / "shadow").unlink()
    os.mkfifo(folder / "fifo")
    assert "not a plain file" in root("plugin:install", str(folder), ok=False).stderr
    assert sorted(path.name for path in PLUGINS.iterdir() if path.name != ".lock") == [
        name for name in before if name != ".lock"
    ]


def test_a_kill_in_an_update_leaves_one_whole_version(host, root, app, tmp_path):
    folder = tmp_path / "killed"
    code = "from minipaas_lib import api\n\n@api.hookimpl\ndef report(app):\n    return {'version': '%s'}\n"
    write(folder, ["report"], __init___py="", hooks_py=code % 0)
    root("plugin:install", str(folder))
    host.ssh("apps:create", app)
    for number in range(1, 9):
        write(folder, ["report"], __init___py="", hooks_py=code % number)
        process = subprocess.Popen(
            [MINIPAAS, "plugin:update", "killed"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(0.15 + number * 0.06)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert host.ssh("report", app, "--version").stdout.strip() in {str(n) for n in range(number + 1)}
    root("plugin:update", "killed")
    assert host.ssh("report", app, "--version").stdout.strip() == "8"
    assert not list(PLUGINS.glob(".staging-*"))
