"""Repositories without a Dockerfile, pushed over ssh and built with buildpacks."""

import http.client
import http.server
import json
import os
import signal
import ssl
import subprocess
import threading

import pytest
from conftest import MINIPAAS, Repo, docker, wait_for, word
from test_from_archive import own_address
from test_git_sync import GitServer

from tests.cluster import images

# builder:set --global and local-folder hold for all apps
pytestmark = [pytest.mark.host, pytest.mark.serial, pytest.mark.timeout(600)]  # the first test waits for the stack
SERVE = "import http.server, os\nhttp.server.test(http.server.SimpleHTTPRequestHandler, port=int(os.environ['PORT']))\n"


@pytest.fixture(scope="session")
def stack():
    """A stack image made of Debian packages: no registry is reachable, and none is needed."""
    return images.stack()


@pytest.fixture
def on_stack(host, app, stack):
    """The app, with the stack image set."""
    host.ssh("apps:create", app)
    host.ssh("buildpacks:set-property", app, "stack", stack)
    return app


@pytest.fixture
def push(host, app, tmp_path):
    """Push a repository of these files; the repository, and what git said."""

    def make(ok: bool = True, timeout: float = 600, **files: str):
        repo = Repo(host, tmp_path / f"repo-{word()}", app, **files)
        done = repo.push(ok=ok, timeout=timeout)
        assert (done.returncode == 0) == ok, done.stderr
        return repo, done.stderr

    return make


@pytest.fixture
def packs(tmp_path_factory):
    """A folder of the host whose buildpacks may be used; `packs(name, compile=...)` makes one, a git repository."""
    folder = tmp_path_factory.mktemp("buildpacks")
    for place in (folder, *folder.parents[:-1]):
        place.chmod(place.stat().st_mode | 0o055)
    set_folder = [MINIPAAS, "buildpacks:set-property", "--global", "local-folder"]
    subprocess.run([*set_folder, folder], check=True, capture_output=True)

    def make(name: str, detect: str = "echo Test", compile: str = ":", release: str = "", profile: str = "") -> str:
        place = folder / name
        (place / "bin").mkdir(parents=True, exist_ok=True)
        for program, text in (("detect", detect), ("compile", compile), ("release", release)):
            (place / "bin" / program).write_text(f"#!/bin/sh\n{text}\n")
            (place / "bin" / program).chmod(0o755)
        git = ["git", "-C", place, "-c", "user.name=t", "-c", "user.email=t@t.test"]
        subprocess.run(["git", "init", "-q", place], check=True)
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "change"], check=True)
        return str(place)

    yield make
    subprocess.run(set_folder, check=True, capture_output=True)


def head(pack: str) -> str:
    command = ["git", "-c", f"safe.directory={pack}", "-C", pack, "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def https(tmp_path):
    """A git server of https: its address, the folder of its repositories, its certificate, which nobody has signed."""
    root, pem = tmp_path / "https", tmp_path / "https.pem"
    root.mkdir()
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=test",
        "-addext",
        f"subjectAltName=IP:{own_address()}",
        "-addext",
        "keyUsage=critical,digitalSignature,keyCertSign",
    ]
    subprocess.run([*words, "-keyout", f"{pem}.key", "-out", pem], check=True, capture_output=True)
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), type("Handler", (GitServer,), {"root": root}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, f"{pem}.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://{own_address()}:{server.server_port}", root, pem.read_text()
    server.shutdown()
    server.server_close()


def content_type(name: str, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=10)
    connection.request("GET", path, headers={"Host": name})
    return connection.getresponse().headers["Content-Type"]


def leftovers(app: str) -> str:
    """What a build of the app must not leave behind."""
    return docker("ps", "-a", "--filter", f"name=^{app}_buildpacks$", "-q") + "".join(
        entry for entry in os.listdir("/var/lib/minipaas/work") if entry.startswith(app + ".")
    )


def test_a_folder_of_pages_is_served_on_a_host_without_any_image(host, app, push):
    _, said = push(
        index__html="<h1>hi</h1>",
        style__css="a{}",
        picture__svg="<svg/>",
        app__js="1",
        __env="SECRET=1",
        docs___index__html="docs",
        empty___page__txt="t",
        **{"404__html": "nothing here"},
    )
    assert "builder buildpack: static, there is an index.html" in said and "Static app detected (static)" in said
    name = host.url_host(app)
    assert host.get(name) == (200, "<h1>hi</h1>") and host.get(name, "/docs/") == (200, "docs")
    assert content_type(name, "/") == "text/html;charset=utf-8" and content_type(name, "/style.css").startswith(
        "text/css"
    )
    assert content_type(name, "/picture.svg") == "image/svg+xml" and content_type(name, "/app.js").startswith(
        "text/javascript"
    )
    for path in ("/.env", "/empty/", "/nowhere", "/../etc/passwd", "/.minipaas/httpd.conf"):
        assert host.get(name, path)[0] in (400, 403, 404), path
    assert host.get(name, "/nowhere") == (404, "nothing here")
    assert leftovers(app) == ""
    assert host.ssh("buildpacks:report", app, "--buildpacks-live").stdout == "static\n"


def test_the_folder_that_dot_static_names_is_served_and_nothing_else(host, app, push):
    push(__static="site\n", site___index__html="from the site", secret__txt="no")
    name = host.url_host(app)
    assert host.get(name) == (200, "from the site") and host.get(name, "/secret.txt")[0] == 404


def test_links_and_odd_names_go_into_the_image_and_a_link_serves_no_file_of_the_host(host, app, tmp_path):
    secret = f"/tmp/{app}-secret"
    repo = Repo(host, tmp_path / "repo", app, index__html="pages")
    (repo.folder / "leak").symlink_to(secret)
    (repo.folder / "up").symlink_to("../" * 12 + secret)
    for name in ("a\nb", "caf\udce9"):
        (repo.folder / name).write_text("odd")
    repo.commit()
    with open(secret, "w", encoding="utf-8") as file:
        file.write("of the host")
    try:
        repo.push()
        name = host.url_host(app)
        assert (
            host.get(name)[1] == "pages"
            and host.get(name, "/caf%E9")[1] == "odd"
            and host.get(name, "/a%0Ab")[1] == "odd"
        )
        assert "of the host" not in host.get(name, "/leak")[1] + host.get(name, "/up")[1]
    finally:
        os.unlink(secret)


def test_a_dot_static_that_leads_out_of_the_repository_fails_the_push(app, push):
    _, said = push(ok=False, __static="../etc\n", index__html="x")
    assert ".static must hold the path of a folder in the repository" in said


def test_a_procfile_alone_starts_what_is_in_the_repository(host, on_stack, push):
    _, said = push(
        Procfile="web: exec python3 serve.py\nworker: env; sleep 1000\n", serve__py=SERVE, index="from a Procfile"
    )
    assert "builder buildpack: procfile, there is a Procfile" in said
    assert host.get(host.url_host(on_stack), "/index") == (200, "from a Procfile")
    assert host.ssh("run", on_stack, "whoami").stdout == "app\n"
    assert (
        host.ssh("run", on_stack, "sh", "-c", "echo $HOME; pwd; touch /etc/x || echo no").stdout == "/app\n/app\nno\n"
    )


def test_the_buildpacks_of_an_app_build_it_in_turn(host, on_stack, stack, push, packs):
    """Two buildpacks: the second finds what the first exports, the process what both put into .profile.d."""
    one = packs(
        "one",
        compile='mkdir -p "$1/.profile.d" "$2"\necho "export ONE=1" >"$1/.profile.d/one.sh"\n'
        'echo x >>"$2/builds"\n'
        'echo "-----> Build $(wc -l <"$2/builds") of one"\n'
        'echo "export EXPORTED=yes" >"$(dirname "$0")/../export"',
        release="printf -- '---\\nconfig_vars:\\n  GIVEN: $HOME\\ndefault_process_types:\\n  web: false\\n'",
    )
    two = packs(
        "two",
        compile=(
            'mkdir -p "$1/.profile.d"\n'
            'echo "export TWO=$ONE-$EXPORTED-$STACK" >"$1/.profile.d/two.sh"\n'
            'echo "config is $(cat "$3/COLOUR")" >"$1/page"'
        ),
        release="echo 'default_process_types:'; echo \"  web: 'exec python3 serve.py'\"",
    )
    app = on_stack
    host.ssh("config:set", app, "COLOUR=blue moon")
    repo, said = push(serve__py=SERVE, __profile="export THREE=3\n", **{"__buildpacks": f"# both\n{one}\n\n{two}\n"})
    assert "builder buildpack: .buildpacks names 2" in said and "-----> Build 1 of one" in said
    assert f"built with {one}#{head(one)}" in said
    assert host.get(host.url_host(app), "/page") == (200, "config is blue moon\n")
    line = 'echo $ONE $TWO $THREE $GIVEN "$COLOUR"'
    printed = f"1 -yes-{stack.rpartition('/')[2].replace(':', '-')} 3 $HOME blue moon\n"
    assert host.ssh("run", app, "sh", "-c", line).stdout == printed
    assert host.ssh("enter", app, "web", "sh", "-c", line).stdout == printed
    former = head(one)
    packs("one", compile="echo newer")
    repo.commit(more="1")
    assert "-----> Build 2 of one" in repo.push(timeout=600).stderr  # pinned, and with the cache
    rows = json.loads(host.ssh("buildpacks:list", app, "--format", "json").stdout)
    assert rows == [{"buildpack": one, "commit": former}, {"buildpack": two, "commit": head(two)}]


def test_a_buildpack_of_an_https_server_is_fetched_once_and_pinned(host, on_stack, push, packs, https):
    address, root, certificate = https
    release = "printf -- '---\\ndefault_process_types:\\n  web: exec python3 serve.py\\n'"
    local = packs("remote", compile='echo first >"$1/page"', release=release)
    subprocess.run(["git", "-c", "safe.directory=*", "clone", "-q", "--bare", local, root / "pack.git"], check=True)
    url, first = f"{address}/pack.git", head(local)
    host.ssh("buildpacks:set", on_stack, url)
    repo, said = push(ok=False, serve__py=SERVE)
    assert f"the buildpack {url} cannot be fetched: " in said and "certificate" in said
    host.ssh("builder:set", on_stack, "ca-file", "-", input=certificate)
    said = repo.push(timeout=600).stderr
    assert f"built with {url}#{first}" in said and host.get(host.url_host(on_stack), "/page") == (200, "first\n")
    packs("remote", compile='echo second >"$1/page"', release=release)
    subprocess.run(
        [
            "git",
            "-c",
            "safe.directory=*",
            f"--git-dir={root}/pack.git",
            "fetch",
            "-q",
            local,
            "+HEAD:refs/heads/master",
            "+HEAD:refs/heads/main",
        ],
        check=True,
    )
    repo.commit(more="1")
    said = repo.push(timeout=600).stderr
    assert f"built with {url}#{first}" in said and "fetching" not in said
    host.ssh("buildpacks:set", on_stack, url)
    repo.commit(more="2")
    assert f"built with {url}#{head(local)}" in repo.push(timeout=600).stderr and head(local) != first


@pytest.fixture
def downloads(host):
    """Builds download with the index, the registry and the certificates that this machine has."""
    said = {"pip-index-url": pip_index(), "npm-registry": os.environ.get("NPM_CONFIG_REGISTRY", ""), "ca-file": "-"}
    with open("/etc/ssl/certs/ca-certificates.crt", encoding="utf-8") as file:
        certificates = file.read()
    chosen = {key: value for key, value in said.items() if value}
    for key, value in chosen.items():
        host.ssh("builder:set", "--global", key, value, input=certificates if value == "-" else "")
    yield
    for key in chosen:
        host.ssh("builder:set", "--global", key)


def pip_index() -> str:
    asked = subprocess.run(
        ["python3", "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True
    )
    return os.environ.get("PIP_INDEX_URL") or asked.stdout.strip()


def test_python_with_requirements_from_the_index(host, on_stack, push, downloads):
    script = SERVE.replace(
        "import ", "import itsdangerous; open('version', 'w').write(itsdangerous.__name__)\nimport ", 1
    )
    files = {
        "serve__py": script,
        "requirements__txt": "itsdangerous==2.2.0\n",
        "Procfile": "web: exec python serve.py\n",
    }
    repo, said = push(**files)
    assert "builder buildpack: python, there is a requirements.txt" in said and "Downloading" in said
    assert host.get(host.url_host(on_stack), "/version") == (200, "itsdangerous")
    assert (
        host.ssh("run", on_stack, "python", "-c", "import sys; print(sys.prefix)").stdout == "/app/.minipaas/python\n"
    )
    repo.commit(requirements__txt="itsdangerous==2.2.0\nno-such-package-of-minipaas==1\n")
    said = repo.push(ok=False, timeout=600).stderr
    assert (
        "pip could not install what the app requires" in said and "bin/compile of python ended with exit code 1" in said
    )
    assert leftovers(on_stack) == ""
    assert host.get(host.url_host(on_stack), "/version")[0] == 200


def test_python_says_which_python_the_stack_has_not(on_stack, push):
    _, said = push(ok=False, requirements__txt="", Procfile="web: python\n", **{"__python-version": "2.7\n"})
    assert "asks for Python 2.7, and the stack image has 3." in said


def test_node_with_a_package_of_the_registry(host, on_stack, push, downloads):
    server = (
        "const ms = require('ms');\n"
        "require('http').createServer((q, a) => a.end(ms('2 days') + ' ' + "
        "require('fs').readFileSync('built'))).listen(process.env.PORT)\n"
    )
    package = {
        "name": "t",
        "version": "1.0.0",
        "dependencies": {"ms": "2.1.3"},
        "devDependencies": {"left-pad": "1.3.0"},
        "scripts": {"start": "exec node server.js", "build": "node -p 'require(\"left-pad\")(7, 3, 0)' >built"},
    }
    repo, said = push(package__json=json.dumps(package), server__js=server)
    assert "builder buildpack: node, there is a package.json" in said
    assert host.get(host.url_host(on_stack)) == (200, "172800000 007\n")
    assert host.ssh("run", on_stack, "sh", "-c", "ls node_modules; echo $NODE_ENV").stdout == "ms\nproduction\n"
    package["scripts"]["build"] = "exit 3"
    repo.commit(package__json=json.dumps(package))
    assert "the script build of package.json failed" in repo.push(ok=False, timeout=600).stderr


def test_a_repository_without_a_start_command_is_told_what_to_write(on_stack, push):
    _, said = push(ok=False, requirements__txt="")
    assert (
        "it has no Procfile, and python declares no process" in said
        and docker("images", "-q", f"minipaas/{on_stack}") == ""
    )


def test_config_reaches_buildpacks_and_no_layer(host, on_stack, push, packs):
    """Neither values of config nor those of builder:set are in a layer, the image's settings, or what is printed."""
    secret, token = "s3cret-" + word(), "tok3n-" + word()
    host.ssh("config:set", on_stack, "SECRET=" + secret)
    host.ssh("builder:set", on_stack, "pip-index-url", f"https://user:{token}@example.org/simple")
    seen = packs(
        "seen",
        compile='wc -c <"$3/SECRET" >"$1/size"; echo ${#PIP_INDEX_URL} >>"$1/size"; '
        'env >/tmp/env; cp -r "$3" /tmp/copied',
    )
    host.ssh("buildpacks:set", on_stack, seen)
    _, said = push(Procfile="web: exec python3 serve.py\n", serve__py=SERVE)
    assert host.get(host.url_host(on_stack), "/size") == (200, f"{len(secret)}\n{len(token) + 32}\n")
    image = f"minipaas/{on_stack}:v1"
    about = docker("image", "inspect", image) + docker("history", "--no-trunc", image)
    command = ["/bin/sh", "-c", f"/usr/bin/docker save {image} | grep -a -c -e {secret} -e {token}"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=300).stdout == "0\n"
    assert secret not in about + said and token not in about + said


def test_hostile_buildpacks_are_told_and_leave_nothing(host, on_stack, push, packs):
    refuses, breaks = packs("refuses", detect="echo not mine; exit 1"), packs("breaks", compile="echo almost; exit 9")
    host.ssh("buildpacks:set", on_stack, refuses)
    repo, said = push(ok=False, Procfile="web: x\n")
    assert f"{refuses} is not for this app, says its bin/detect" in said and "not mine" in said

    def again(pack: str) -> str:
        host.ssh("buildpacks:set", on_stack, pack)
        return repo.push(ok=False, timeout=600).stderr

    said = again(breaks)
    assert f"bin/compile of {breaks} ended with exit code 9" in said and "almost" in said
    assert "declares no process" not in said
    said = again(packs("floods", compile="yes no | head -c 40000000; exit 3"))
    assert "the build prints too much" in said and len(said) < 30_000_000 and "exit code 3" in said
    said = again(packs("yaml", release="echo 'default_process_types: words'"))
    assert "bin/release, line 1" in said
    refused = host.ssh("buildpacks:set", on_stack, "/etc", ok=False)
    assert refused.returncode and ("not allowed" in refused.stderr or "must be below" in refused.stderr)
    assert "cannot be fetched" in again(breaks + "#nothere")
    assert docker("images", "-q", f"minipaas/{on_stack}") == "" and leftovers(on_stack) == ""


def test_a_build_whose_client_hangs_up_or_that_is_killed_leaves_nothing_running(host, on_stack, push, packs):
    slow = packs("slow", compile='echo "-----> Sleeping"; sleep 300 & wait')
    host.ssh("buildpacks:set", on_stack, slow)
    running = f"name=^{on_stack}_buildpacks$"

    def started() -> bool:
        return docker("ps", "--filter", running, "-q") != ""

    repo, _ = push(ok=False, Procfile="nonsense")
    repo.commit(Procfile="web: x\n")
    for ended in (signal.SIGTERM, signal.SIGKILL):
        environment = os.environ | {"GIT_SSH_COMMAND": " ".join(host.ssh_command())}
        client = subprocess.Popen(
            ["git", "push", "paas", "main"],
            cwd=repo.folder,
            env=environment,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(started, 60)
        if ended == signal.SIGTERM:
            os.killpg(client.pid, signal.SIGTERM)
        else:
            label = docker(
                "container",
                "inspect",
                "--format",
                '{{index .Config.Labels "minipaas.owner"}}',
                f"{on_stack}_buildpacks",
            )
            os.kill(int(label.split(":")[1]), signal.SIGKILL)
        wait_for(lambda: not started(), 40)
        client.wait(60)
    host.ssh("buildpacks:set", on_stack, packs("quick"))
    repo.commit(Procfile="web: exec python3 serve.py\n", serve__py=SERVE)
    repo.push(timeout=600)
    assert leftovers(on_stack) == ""


def test_a_stack_image_that_is_not_here_is_named(host, app, push):
    host.ssh("apps:create", app)
    host.ssh("buildpacks:set-property", app, "stack", "registry.invalid/none:1")
    _, said = push(ok=False, Procfile="web: x\n")
    assert "the stack image registry.invalid/none:1 is not on this host and cannot be fetched" in said
    assert f"buildpacks:set-property {app} stack <image>" in said


def test_the_commands_and_what_is_kept_of_an_app(host, app, push):
    host.ssh("apps:create", app)
    host.ssh("buildpacks:add", app, "node")
    host.ssh("buildpacks:add", "--index", "1", app, "heroku/go")
    host.ssh("buildpacks:remove", app, "heroku/go")
    assert (
        host.ssh("buildpacks:list", app, "--format", "json").stdout
        == '[\n  {\n    "buildpack": "node",\n    "commit": ""\n  }\n]\n'
    )
    host.ssh("buildpacks:clear", app)
    push(index__html="x")
    assert host.ssh("buildpacks:detect", app).stdout == "static\n"
    volume = f"minipaas-buildpack-cache-{app}"
    assert docker("volume", "ls", "-q", "--filter", f"name=^{volume}$").strip() == volume
    host.ssh("repo:purge-cache", app)
    assert docker("volume", "ls", "-q", "--filter", f"name=^{volume}$") == ""
    host.ssh("ps:rebuild", app, timeout=300)
    subprocess.run([MINIPAAS, "apps:destroy", app, "--force", "--now"], check=True, capture_output=True, timeout=120)
    assert docker("volume", "ls", "-q", "--filter", f"name=^{volume}$") == ""
    assert docker("images", "-q", f"minipaas/{app}") == ""


def test_a_build_keeps_to_the_memory_of_builds_and_to_its_own_images(host, on_stack, other_app, push, packs):
    greedy = packs("greedy", compile="python3 -c 'len(bytearray(300 << 20))'")
    host.ssh("buildpacks:set", on_stack, greedy)
    host.ssh("guard:set", "--global", "build-memory", "150m")
    try:
        repo, said = push(ok=False, Procfile="web: exec python3 serve.py\n", serve__py=SERVE)
    finally:
        host.ssh("guard:set", "--global", "build-memory")
    assert "exit code 137" in said and "most likely for lack of memory" in said
    host.ssh("buildpacks:set", on_stack, "procfile")
    repo.push(timeout=600)
    host.ssh("apps:create", other_app)
    image, stolen = (
        docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"minipaas/{on_stack}").split()[0],
        f"stolen:{word()}",
    )
    docker("tag", image, stolen)
    try:
        for name in (image, stolen):
            refused = host.ssh("buildpacks:set-property", other_app, "stack", name, ok=False)
            assert refused.returncode == 2 and f"cannot be based on an image of the app {on_stack}" in refused.stderr
    finally:
        docker("image", "rm", stolen)
