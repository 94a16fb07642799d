"""Every command does over ssh what it says; what test_zz_coverage.py misses belongs here."""

import grp
import http.client
import json
import os
import re
import signal
import stat
import subprocess
from pathlib import Path

import on_nodes
import pytest
from conftest import MINIPAAS, Repo, docker, wait_for, web, word

LOGS = Path("/var/log/nginx")


@pytest.fixture(scope="module")
def live(host, tmp_path_factory):
    """An app that runs, for the tests of this file to change; with its repository."""
    name = f"c-{word()}"
    made = Repo(
        host,
        tmp_path_factory.mktemp("live") / "repo",
        name,
        **web("live"),
        Procfile=(
            "web: echo web-speaks; exec httpd -f -p $PORT -h /www\n"
            "worker: echo worker-speaks; while true; do sleep 1; done\n"
        ),
    )
    made.push()
    host.ssh("checks:set", name, "wait-to-retire", "1")
    yield made
    subprocess.run([MINIPAAS, "apps:destroy", name, "--force", "--now"], capture_output=True, timeout=120)


@pytest.fixture
def one(live):
    """The name of the running app."""
    return live.app


def read(host, *words):
    """What a command prints as JSON."""
    return json.loads(host.ssh(*words, "--format", "json").stdout)


def newest(host, app):
    return read(host, "releases", app)[0]


def only_container(host, app):
    """The one container of the app, once all others have retired."""
    wait_for(lambda: len(host.containers(app)) == 1, 20)
    return host.containers(app)[0]


# apps:*


def test_apps_create_exists_list_report_destroy(host, app):
    assert host.ssh("apps:exists", app, ok=False).returncode == 1
    host.ssh("apps:create", app)
    assert "there is an app" in host.ssh("apps:exists", app).stderr
    assert app in host.ssh("apps:list").stdout.split() and app in read(host, "apps:list")
    assert host.ssh("apps:create", app, ok=False).returncode in (1, 2)
    assert host.ssh("apps:report", app, "--app-creator").stdout.strip() == host.key_name
    host.ssh("apps:destroy", app, "--force")
    assert host.ssh("apps:exists", app, ok=False).returncode == 1 and app not in read(host, "apps:list")


def test_apps_lock_locked_unlock(host, one):
    assert host.ssh("apps:locked", one, ok=False).returncode == 1
    host.ssh("apps:lock", one, "--message", "moving the database")
    try:
        assert "moving the database" in host.ssh("apps:locked", one).stderr
        assert "moving the database" in host.ssh("apps:report", one).stdout
        refused = host.ssh("ps:scale", one, "worker=1", ok=False)
        assert refused.returncode == 75 and "moving the database" in refused.stderr
        assert host.get(host.url_host(one))[0] == 200
    finally:
        host.ssh("apps:unlock", one)
    assert host.ssh("apps:locked", one, ok=False).returncode == 1


@pytest.mark.serial
def test_apps_set(host, app, repo):
    host.ssh("apps:set", "--global", "create-on-push", "false")
    try:
        assert read(host, "apps:report", "--global")["--global"] == {"app-create-on-push": False}
        assert repo.push(ok=False).returncode != 0 and app not in read(host, "apps:list")
    finally:
        host.ssh("apps:set", "--global", "create-on-push")
    assert read(host, "apps:report", "--global")["--global"] == {"app-create-on-push": True}


# builder-dockerfile:*


def test_builder_dockerfile_set_and_report(host, app, repo):
    host.ssh("apps:create", app)
    host.ssh("config:set", app, "COLOUR=blue", "SECRET=hidden")
    host.ssh("builder-dockerfile:set", app, "dockerfile-path", "deploy/Dockerfile")
    host.ssh("builder-dockerfile:set", app, "build-args", "COLOUR")
    assert read(host, "builder-dockerfile:report", app)["builder-dockerfile-dockerfile-path"] == "deploy/Dockerfile"
    text = (
        (repo.folder / "Dockerfile")
        .read_text()
        .replace("COPY www /www\n", 'COPY www /www\nARG COLOUR\nARG SECRET\nRUN echo "$COLOUR$SECRET" >/www/args\n')
    )
    (repo.folder / "Dockerfile").unlink()
    repo.commit(deploy___Dockerfile=text)
    repo.push()
    assert host.get(host.url_host(app), "/args") == (200, "blue\n")
    host.ssh("builder-dockerfile:set", app, "dockerfile-path")
    assert host.ssh("builder-dockerfile:report", app, "--builder-dockerfile-dockerfile-path").stdout == "Dockerfile\n"
    host.ssh("builder-dockerfile:set", "--global", "timeout", "29m")
    assert read(host, "builder-dockerfile:report", app)["builder-dockerfile-timeout"] == 29 * 60
    host.ssh("builder-dockerfile:set", "--global", "timeout")


# checks:*


def test_checks_modes_and_run(host, one):
    host.ssh("checks:disable", one, "web")
    assert host.ssh("checks:report", one, "--checks-disabled-list").stdout == "web\n"
    host.ssh("checks:skip", one, "web")
    assert host.ssh("checks:report", one, "--checks-skipped-list").stdout == "web\n"
    host.ssh("checks:enable", one)
    assert host.ssh("checks:report", one, "--checks-skipped-list").stdout == "\n"
    assert "web.1 is fine" in host.ssh("checks:run", one, "web").stderr


def test_checks_set_and_report(host, one):
    host.ssh("checks:set", one, "wait-to-retire", "3600")
    assert host.ssh("checks:report", one, "--checks-wait-to-retire").stdout == "3600\n"
    host.ssh("ps:restart", one)
    host.ssh("checks:set", one, "wait-to-retire", "1")
    (kept,) = [name for name in host.containers(one) if not name.startswith(f"{one}_{newest(host, one)['v']}.")]
    assert kept in on_nodes.document(f"apps/{one}/retiring.toml")
    host.ssh("ps:stop", one)  # ends what retires too
    host.ssh("ps:start", one)
    assert host.containers(one, every=True) == [f"{one}_{newest(host, one)['v']}.web.1"]


# config:* (more in test_config.py)


def test_config_commands(host, app):
    host.ssh("apps:create", app)
    host.ssh("config:set", app, "A=1", "B=two words")
    for command in ("config", "config:show"):
        assert read(host, command, app) == {"A": "1", "B": "two words"}
        assert host.ssh(command, app).stdout == f"=====> {app} env vars\nA: 1\nB: two words\n"
    assert host.ssh("config:get", app, "B").stdout == "two words\n"
    assert host.ssh("config:get", app, "--quoted", "B").stdout == "'two words'\n"
    assert host.ssh("config:get", app, "C", ok=False).returncode == 1
    assert host.ssh("config:keys", app).stdout == "A\nB\n"
    assert host.ssh("config:export", app).stdout == 'A=1\nB="two words"\n'
    host.ssh("config:import", app, input="export C='3'\n# a remark\nA=4\n")
    assert read(host, "config", app) == {"A": "4", "B": "two words", "C": "3"}
    host.ssh("config:unset", app, "A", "B")
    assert host.ssh("config:keys", app).stdout == "C\n"
    host.ssh("config:clear", app)
    assert read(host, "config", app) == {}


# domains:*


def vhosts(host, app):
    return set(read(host, "domains:report", app)["domains-app-vhosts"])


def test_domains_of_an_app(host, one):
    default, mine = vhosts(host, one), f"{one}.example.test"
    before = host.containers(one)
    assert host.get(mine)[0] == 404
    host.ssh("domains:add", one, mine, f"*.{mine}")
    assert (
        host.get(mine)[0] == 200
        and host.get(f"any.{mine}")[0] == 200
        and vhosts(host, one) == default | {mine, f"*.{mine}"}
    )
    host.ssh("domains:remove", one, f"*.{mine}")
    assert host.get(mine)[0] == 200 and host.get(f"any.{mine}")[0] == 404
    host.ssh("domains:set", one, f"b{mine}")
    assert vhosts(host, one) == {f"b{mine}"} and host.get(mine)[0] == 404 and host.get(f"b{mine}")[0] == 200
    host.ssh("domains:clear", one)
    assert vhosts(host, one) == set() and host.get(f"b{mine}")[0] == 404
    assert host.ssh("url", one, ok=False).returncode == 1
    host.ssh("domains:reset", one)
    assert vhosts(host, one) == default and host.get(*default)[0] == 200
    assert set(before) <= set(host.containers(one)), "what runs keeps running"


def test_domains_in_unicode_are_routed_by_their_ascii_form(host, one):
    host.ssh("domains:add", one, f"{one}.bücher.test")
    try:
        assert host.get(f"{one}.xn--bcher-kva.test")[0] == 200
    finally:
        host.ssh("domains:reset", one)


@pytest.mark.serial
def test_global_domains(host, one):
    before = read(host, "domains:report", "--global")["--global"]["domains-global-vhosts"]
    try:
        host.ssh("domains:add-global", "more.test")
        assert host.get(f"{one}.more.test")[0] == 200 and host.get(f"{one}.{before[0]}")[0] == 200
        host.ssh("domains:remove-global", "more.test")
        assert host.get(f"{one}.more.test")[0] == 404
        host.ssh("domains:set-global", *before, "other.test")
        assert host.get(f"{one}.other.test")[0] == 200
        host.ssh("domains:clear-global")
        told = read(host, "domains:report", "--global")["--global"]
        assert (told["domains-global-enabled"], told["domains-global-vhosts"]) == (False, [])
        assert host.get(f"{one}.{before[0]}")[0] == 404
    finally:
        host.ssh("domains:set-global", *before)
    assert host.get(f"{one}.{before[0]}")[0] == 200 and host.get(f"{one}.other.test")[0] == 404


# git:*


def test_git_set_and_report(host, app, repo):
    host.ssh("apps:create", app)
    host.ssh("git:set", app, "deploy-branch", "production")
    host.ssh("git:set", app, "rev-env-var", "COMMIT")
    assert repo.push(ok=False).returncode != 0
    repo.push("main:production")
    commit = repo.git("rev-parse", "HEAD").stdout.strip()
    told = read(host, "git:report", app)
    assert (told["git-deploy-branch"], told["git-rev-env-var"], told["git-sha"]) == ("production", "COMMIT", commit)
    environment = host.ssh("run", app, "env").stdout
    assert f"COMMIT={commit}\n" in environment and "GIT_REV" not in environment
    host.ssh("git:set", app, "deploy-branch")
    assert host.ssh("git:report", app, "--git-deploy-branch").stdout == "main or master\n"


# logs, run, enter (more in test_running.py)


def test_logs_and_logs_failed(host, app, repo, live, one):
    assert "web-speaks" in host.ssh("logs", one).stdout
    repo.commit(Procfile="web: echo last words; exit 9\n")
    assert repo.push(ok=False).returncode != 0
    assert "last words" in host.ssh("logs:failed", app).stdout
    assert app in host.ssh("logs:failed", "--all").stdout
    assert host.ssh("logs:failed", one, ok=False).returncode == 1


def test_run_and_enter(host, one):
    assert host.ssh("run", one, "cat", "/www/index.html").stdout == "live"
    assert host.ssh("run", one, "-e", "X=y z", "env", ok=False).returncode != 0  # options come before the app
    assert "X=y z\n" in host.ssh("run", "-e", "X=y z", one, "env").stdout
    assert host.ssh("run", "--ttl-seconds", "1", one, "sleep", "30", ok=False).returncode == 124
    host.ssh("enter", one, "web", "sh", "-c", "echo from inside >/www/inside")
    assert host.get(host.url_host(one), "/inside") == (200, "from inside\n")


# nginx:*


def test_nginx_set_report_and_error_logs(host, one):
    name = host.url_host(one)

    def post(size):
        connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=10)
        connection.request("POST", "/", body=b"x" * size, headers={"Host": name})
        status = connection.getresponse().status
        connection.close()
        return status

    before = host.containers(one)
    assert post(4096) != 413
    host.ssh("nginx:set", one, "client-max-body-size", "2k")
    assert post(4096) == 413 and post(1000) != 413
    assert read(host, "nginx:report", one)["nginx-client-max-body-size"] == "2k"
    assert "client_max_body_size 2k;" in host.ssh("nginx:show-config", one).stdout
    wait_for(lambda: "too large body" in host.ssh("nginx:error-logs", "-n", "50", one).stdout, 10)
    host.ssh("nginx:set", one, "client-max-body-size")
    assert post(4096) != 413 and set(before) <= set(host.containers(one))


def test_nginx_access_logs(host, one):
    host.get(host.url_host(one), "/a-page-nobody-else-asks-for")
    wait_for(lambda: "/a-page-nobody-else-asks-for" in host.ssh("nginx:access-logs", "-n", "5", one).stdout, 10)
    follower = subprocess.Popen(
        [*host.ssh_command(), "paas@127.0.0.1", f"nginx:access-logs -t -n 0 {one}"], stdout=subprocess.PIPE, text=True
    )
    try:
        wait_for(
            lambda: (
                subprocess.run(["pgrep", "-f", f"^/usr/bin/tail .*{one}-access.log"], capture_output=True).returncode
                == 0
            ),
            10,
        )
        host.get(host.url_host(one), "/followed")
        assert "/followed" in follower.stdout.readline()
    finally:
        follower.kill()
        follower.wait()


def test_nginx_logs_are_for_root_and_adm_are_rotated_and_go_with_the_app(host, app, repo):
    repo.push()
    host.get(host.url_host(app), "/seen")
    logs = [f"/var/log/nginx/{app}-{kind}.log" for kind in ("access", "error")]
    for log in logs:
        about = os.stat(log)
        assert (stat.filemode(about.st_mode), grp.getgrgid(about.st_gid).gr_name) == ("-rw-r-----", "adm")
    wait_for(lambda: "/seen" in host.ssh("nginx:access-logs", app).stdout, 10)
    subprocess.run(["logrotate", "--force", "/etc/logrotate.d/nginx"], check=True, capture_output=True)
    wait_for(lambda: os.path.exists(logs[0] + ".1"), 10)
    if os.path.exists(
        "/usr/sbin/policy-rc.d"
    ):  # this host forbids packages to touch services, Debian's rule then tells nginx nothing
        os.kill(int(Path("/run/nginx.pid").read_text()), signal.SIGUSR1)
    host.get(host.url_host(app), "/after")
    wait_for(lambda: "/after" in host.ssh("nginx:access-logs", app).stdout, 10)
    host.ssh("apps:destroy", app, "--force")
    assert os.path.exists(logs[0]), "the trash keeps the app"
    host.ssh("apps:restore", app)
    host.ssh("apps:destroy", app, "--force", "--now")
    assert [name for name in os.listdir("/var/log/nginx") if name.startswith(app + "-")] == []


def workers():
    master = Path("/run/nginx.pid").read_text().strip()
    return set(subprocess.run(["pgrep", "-P", master], capture_output=True, text=True).stdout.split())


@pytest.mark.serial
def test_nginx_reload_and_validate_config(host, one):
    before = workers()
    host.ssh("nginx:reload")
    wait_for(lambda: workers() - before, 10)
    assert host.get(host.url_host(one))[0] == 200
    assert "accepts" in host.ssh("nginx:validate-config").stderr
    assert f"accepts the configuration of {one}" in host.ssh("nginx:validate-config", one).stderr


# ports:*, proxy:*


def mappings(host, app):
    return {f"{row['scheme']}:{row['host_port']}:{row['container_port']}" for row in read(host, "ports:list", app)}


def test_ports(host, one):
    name = host.url_host(one)
    assert mappings(host, one) == {"http:80:5000"}
    host.ssh("ports:add", one, "http:8191:5000")
    assert mappings(host, one) == {"http:80:5000", "http:8191:5000"} and host.get(name, port=8191)[0] == 200
    host.ssh("ports:set", one, "http:8192:5000")
    assert host.get(name, port=8192)[0] == 200 and host.get(name)[0] == 404
    with pytest.raises(OSError):
        host.get(name, port=8191)
    host.ssh("ports:add", one, "http:80:5000")
    host.ssh("ports:remove", one, "8192")
    assert mappings(host, one) == {"http:80:5000"} and host.get(name)[0] == 200
    told = read(host, "ports:report", one)
    assert told["ports-custom"] is True and told["ports-map"] == ["http:80:5000"]
    host.ssh("ports:clear", one)
    assert host.ssh("ports:report", one, "--ports-custom").stdout == "false\n" and host.get(name)[0] == 200


def test_proxy(host, one):
    name, before = host.url_host(one), host.containers(one)
    host.ssh("proxy:disable", one)
    try:
        assert host.get(name)[0] == 503 and set(before) <= set(host.containers(one))
        assert host.ssh("proxy:report", one, "--proxy-enabled").stdout == "false\n"
    finally:
        host.ssh("proxy:enable", one)
    assert host.get(name)[0] == 200 and read(host, "proxy:report", one)["proxy-enabled"] is True


# ps:*


def test_ps_scale_report_and_inspect(host, one):
    host.ssh("config:set", one, "TOKEN=not-for-listings")
    host.ssh("ps:scale", one, "web=2", "worker=1")
    try:
        assert read(host, "ps:scale", one) == {"web": 2, "worker": 1}
        told = read(host, "ps:report", one)
        assert told["deployed"] is True and told["processes"] == 3 and told["running"] == "true"
        inspected = host.ssh("ps:inspect", one).stdout
        assert {f"/{name}" for name in host.containers(one)} <= {found["Name"] for found in json.loads(inspected)}
        assert "not-for-listings" not in inspected
        host.ssh("ps:scale", "--skip-deploy", one, "worker=5")
        assert read(host, "ps:scale", one)["worker"] == 5 and not any(
            name.endswith("worker.2") for name in host.containers(one)
        )
    finally:
        host.ssh("ps:scale", one, "web=1", "worker=0")
    wait_for(lambda: len(host.containers(one, every=True)) == 1, 60)


def test_ps_restart_and_rebuild_replace_every_process(host, one):
    for command in ("ps:restart", "ps:rebuild"):
        before = newest(host, one)["v"]
        host.ssh(command, one)
        after = newest(host, one)
        assert after["status"] == "live" and int(after["v"][1:]) == int(before[1:]) + 1
        assert f"{one}_{after['v']}.web.1" in host.containers(one)
        assert host.get(host.url_host(one)) == (200, "live")


def test_ps_stop_and_start(host, one):
    name = host.url_host(one)
    host.ssh("ps:stop", one)
    try:
        assert host.containers(one) == [] and host.get(name)[0] == 503
        assert host.ssh("ps:report", one, "--running").stdout.strip() == "false"
    finally:
        host.ssh("ps:start", one)
    assert len(host.containers(one)) == 1 and host.get(name) == (200, "live")


@pytest.mark.one_host
def test_ps_restore_brings_back_what_somebody_removed(host, one):
    container = only_container(host, one)
    docker("rm", "-f", container)
    assert host.get(host.url_host(one))[0] in (502, 503, 504)
    host.ssh("ps:restore", one)
    assert host.get(host.url_host(one)) == (200, "live") and len(host.containers(one)) == 1


@pytest.mark.one_host
def test_ps_set(host, one):
    def policy():
        container = f"{one}_{newest(host, one)['v']}.web.1"
        return docker(
            "inspect",
            "-f",
            "{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}",
            container,
        ).strip()

    host.ssh("ps:set", one, "restart-policy", "on-failure:5")
    assert policy() == "on-failure:5"
    host.ssh("ps:set", one, "stop-timeout", "7")
    assert read(host, "ps:report", one)["ps-stop-timeout"] == 7
    host.ssh("ps:set", one, "restart-policy")
    assert policy() == "always:0"


# ssh-keys:*


def test_ssh_keys(host, tmp_path):
    name = f"k-{word()}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "second", "-f", tmp_path / "id"], check=True)
    line = host.ssh_command()
    line[line.index("-i") + 1] = str(tmp_path / "id")

    def knock():
        return subprocess.run(
            [*line, "paas@127.0.0.1", "version"], capture_output=True, text=True, timeout=30
        ).returncode

    assert knock() == 255
    host.ssh("ssh-keys:add", name, input=(tmp_path / "id.pub").read_text())
    assert knock() == 0
    (listed,) = read(host, "ssh-keys:list", name)
    assert listed["comment"] == "second" and listed["fingerprint"].startswith("SHA256:")
    host.ssh("ssh-keys:remove", name)
    assert knock() == 255 and name not in host.ssh("ssh-keys:list").stdout
    host.ssh("ssh-keys:add", name, input=(tmp_path / "id.pub").read_text())
    host.ssh("ssh-keys:remove", "--fingerprint", listed["fingerprint"])
    assert knock() == 255


# those without a noun


def test_releases_report_url_and_urls(host, one):
    host.ssh("config:set", one, "WHY=because")
    latest, former = read(host, "releases", "-n", "2", one)
    assert (latest["status"], former["status"]) == ("live", "superseded")
    assert latest["reason"] == "config: added WHY" and latest["who"] == host.key_name
    told = read(host, "report", one)
    assert told["live"] == latest["v"] and told["app-creator"] == host.key_name
    host.ssh("domains:add", one, f"{one}.second.test")
    try:
        listed = read(host, "urls", one)
        assert host.ssh("url", one).stdout.strip() == listed[0] and f"http://{one}.second.test" in listed
        assert listed == read(host, "report", one)["urls"]
    finally:
        host.ssh("domains:reset", one)


def test_help_version_and_plugin_list(host):
    every = read(host, "help")
    assert every["apps:create"] == "Create an app" and "git:pre-receive" not in every
    listed = host.ssh("help").stdout.split()
    assert not set(every) - set(listed)
    assert set(read(host, "help", "ps")) == {command for command in every if command.startswith("ps:")}
    assert re.fullmatch(r"minipaas [0-9]+\.[0-9]+\.[0-9]+.*\n", host.ssh("version").stdout)
    assert {"apps", "router_nginx", "scheduler_docker"} <= {plugin["name"] for plugin in read(host, "plugin:list")}


def test_every_command_explains_itself(host):
    for command in read(host, "help"):
        done = subprocess.run([MINIPAAS, command, "--help"], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 and "e.g.: " in done.stdout, command


@pytest.mark.serial
@pytest.mark.one_host
def test_doctor_names_the_broken_link(host, one):
    def parts(ok):
        return {
            finding["part"]
            for finding in json.loads(host.ssh("doctor", "--format", "json", ok=False).stdout)
            if finding["ok"] is ok
        }

    assert {"docker", "nginx", "store", "sshd"} <= parts(True)
    container = only_container(host, one)
    docker("rm", "-f", container)
    assert f"app {one}: processes" in parts(False)
    broken = host.ssh("doctor", ok=False)
    assert broken.returncode == 1 and f"ps:restore {one}" in broken.stdout
    host.ssh("ps:restore", one)
    assert f"app {one}: processes" in parts(True)
    wait_for(lambda: host.ssh("doctor", ok=False).returncode == 0, 60)


@pytest.mark.one_host
def test_cluster(host, one):
    assert read(host, "cluster:status") == {"cluster": False, "wrong": []}
    said = host.ssh("cluster:cloud-config", "--node", "node2", "--members", "node1=10.0.0.1,node2=10.0.0.2").stdout
    assert said.startswith("#cloud-config\n") and 'listen-peer-urls: "http://10.0.0.2:2380"' in said
    refused = host.ssh("cluster:leave", ok=False)
    assert refused.returncode == 77 and "on the host itself" in refused.stderr


@pytest.mark.one_host
def test_tags(host, one):
    host.ssh("tags:set", one, "disk=ssd", "zone=b")
    host.ssh("tags:unset", one, "zone")
    assert read(host, "tags:report", one) == {"tag-disk": "ssd"}
    host.ssh("tags:unset", one, "disk")
    assert host.get(host.url_host(one))[0] == 200, "on one host they change nothing that runs"
