"""The parts of install.sh that decide something, each run by the system's sh. Nothing is installed."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minipaas_lib import firewall, names

FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PARTS = sorted(os.listdir(os.path.join(FOLDER, "minipaas_lib", "install")))
SCRIPTS = ["install.sh", *(f"minipaas_lib/install/{name}" for name in PARTS if name.endswith(".sh"))]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGDOjTVjQvJ0F0nX5Yk1o2lFJ8C0d1mM8p0y7Yx1y1y1"


def sh(script, *arguments, stdin=""):
    command = ["/bin/sh", "-euc", script, "sh", *arguments]
    return subprocess.run(command, cwd=FOLDER, input=stdin, capture_output=True, text=True)


@pytest.mark.parametrize("script", SCRIPTS)
def test_syntax(script):
    assert subprocess.run(["/bin/sh", "-n", os.path.join(FOLDER, script)]).returncode == 0


def test_options():
    assert "--domain DOMAIN" in sh("./install.sh --help").stdout
    for wrong in ("--bogus", "--domain", "--key ''", "--purge"):
        done = sh(f"./install.sh {wrong}")
        assert done.returncode == 2, wrong
        assert " !     " in done.stderr


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"{KEY} me@laptop\n", f"{KEY} me@laptop"),
        (f'no-pty,command="echo no" {KEY}\n', KEY),
        (f"# {KEY}\n\n{KEY} second\n{KEY} third\n", f"{KEY} second"),
        ("\ufeff# of Windows\r\n" + KEY.replace(" ", "\t  ") + " me\r\n", f"{KEY} me"),
        ("nothing\n", ""),
    ],
)
def test_first_public_key_of_a_file(tmp_path, text, key):
    (tmp_path / "keys").write_text(text)
    assert sh('. ./minipaas_lib/install/settings.sh; public_key "$1"', str(tmp_path / "keys")).stdout.strip() == key


@pytest.mark.parametrize(
    ("comment", "name"),
    [
        ("", "admin"),
        (" ", "admin"),
        (" root", "admin"),
        (" root@localhost", "admin"),
        (" root@localhost.localdomain", "admin"),
        (" anna", "anna"),
        (" anna@laptop", "anna@laptop"),
        (" root@laptop", "root@laptop"),
        (" Anna's  old laptop (2019)", "Anna-s-old-laptop-2019"),
        (" --fingerprint x", "fingerprint-x"),
        (" ../../etc", "etc"),
        (" $(id);`id`", "id-id"),
        (" \u6f22\u5b57", "admin"),
        (" " + "x" * 100, "x" * 60),
    ],
)
def test_a_key_is_named_by_its_comment(comment, name):
    said = sh(". ./minipaas_lib/install/settings.sh; key_name", stdin=f"{KEY}{comment}\n").stdout
    assert said == name + "\n" and names.key_name(name) == name


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"), max_size=90))
@settings(max_examples=25, deadline=None)
def test_every_comment_gives_a_name_that_a_key_can_have(comment):
    said = sh(". ./minipaas_lib/install/settings.sh; key_name", stdin=f"{KEY} {comment}\n").stdout
    assert said.endswith("\n") and names.key_name(said[:-1]) != "root"


def test_one_at_a_time_and_nothing_that_it_starts_holds_the_lock(tmp_path):
    held = """
        . ./minipaas_lib/install/alone.sh
        warn() { echo "$1" >&2; }
        work() { setsid sleep 30 >/dev/null 2>&1 & echo "$!"; [ -z "$second" ] || sh -euc "$second" sh "$file"; }
        file=$1
        alone "$1" work
        """
    environment = os.environ | {"second": "second=; " + held}
    command = ["/bin/sh", "-euc", held, "sh", str(tmp_path / "lock")]
    first = subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=20)
    started = first.stdout.split()
    try:
        assert first.returncode == 75 and "Another install.sh is running" in first.stderr
        assert len(started) == 1, "the second did not begin"
        again = subprocess.run(
            command, cwd=FOLDER, env=environment | {"second": ""}, capture_output=True, text=True, timeout=20
        )
        started += again.stdout.split()
        assert again.returncode == 0, "a daemon of the first holds the lock"
    finally:
        for pid in started:
            os.kill(int(pid), signal.SIGKILL)


@pytest.mark.parametrize(
    ("line", "claims"),
    [
        ("    listen 80 default_server;", True),
        ("server { listen [::]:80 ipv6only=on default_server; }", True),
        ("listen *:80 default_server;", True),
        ("listen 8080 default_server;", False),
        ("listen 192.0.2.7:80 default_server;", False),
        ("listen 80;", False),
        ("# listen 80 default_server;", False),
        ("listen 80; # default_server", False),
    ],
)
def test_who_claims_default_server(line, claims):
    shown = f"# configuration file /etc/nginx/nginx.conf:\nhttp {{\n# configuration file /etc/nginx/a.conf:\n{line}\n"
    done = sh(". ./minipaas_lib/install/nginx.sh; default_servers", stdin=shown)
    assert done.stdout.split() == (["/etc/nginx/a.conf"] if claims else [])


def test_default_domain_is_a_name():
    name = sh("here=. python=/usr/bin/python3; . ./minipaas_lib/install/settings.sh; default_domain").stdout.strip()
    assert "." in name and not set(name) & set(" /:;")


def test_a_pid_file_is_kept_only_while_its_process_is_the_daemon(tmp_path):
    file, name = tmp_path / "pid", open("/proc/self/comm").read().strip()
    call = ". ./minipaas_lib/install/daemons.sh; forget_dead"
    for text, daemon, kept in (
        (str(os.getpid()), name, True),
        (str(os.getpid()), "dockerd", False),
        ("4194305", "dockerd", False),
        ("", "dockerd", False),
    ):
        file.write_text(text)
        assert sh(f'{call} "$1" "$2"', str(file), daemon).returncode == 0
        assert file.exists() == kept
    assert sh(f'{call} "$1" dockerd', str(tmp_path / "none")).returncode == 0


@pytest.mark.parametrize(("busy", "said"), [(2, "removed"), (99, "still logged in")])
def test_the_user_goes_once_its_last_process_has_ended(tmp_path, busy, said):
    """What was given just before --uninstall --purge may leave a process that ends a moment later."""
    for name in ("root", "home"):
        (tmp_path / name).mkdir()
    script = """
        . ./minipaas_lib/install/remove.sh
        root=$1/root home=$1/home user=paas
        sleep() { :; }
        info() { echo "$1"; }
        warn() { echo "$1"; }
        busy=$2
        userdel() { echo x >>"$root.turns"; [ "$(wc -l <"$root.turns")" -gt "$busy" ]; }
        remove_data
    """
    assert said in sh(script, str(tmp_path), str(busy)).stdout
    assert not (tmp_path / "home").exists() and not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    ("domain", "reach"),
    [
        ("127.0.0.1.sslip.io", "loopback"),
        ("127-0-0-1.nip.io", "loopback"),
        ("10.0.0.4.sslip.io", "private"),
        ("172.18.0.8.sslip.io", "private"),
        ("100.64.3.4.sslip.io", "private"),  # a provider's own translation (RFC 6598)
        ("fd00-0000-0000-0000-0000-0000-0000-0001.sslip.io", "private"),
        ("2a01-04f8-0000-0000-0000-0000-0000-0001.sslip.io", ""),
        ("8.8.8.8.sslip.io", ""),
        ("example.com", ""),
        ("sslip.io", ""),
    ],
)
def test_a_domain_that_few_reach_is_known(domain, reach):
    assert (
        sh('python=/usr/bin/python3; . ./minipaas_lib/install/settings.sh; reach_of "$1"', domain).stdout.strip()
        == reach
    )


PRECONDITIONS = """
here=. root=$1/root lib=$1/lib link=$1/link user=paas home=/home/paas python=/usr/bin/python3
warn() { echo "$1"; }
have_systemd() { return 1; }
. ./minipaas_lib/install/preconditions.sh
"""
SOCKET = (
    "   {number}: {address}:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
    "{inode} 1 0 100 0 0 10 0\n"
)


def test_who_listens_is_read_from_the_kernels_table(tmp_path):
    table = tmp_path / "tcp"
    rows = [
        ("00000000", 80, 11),
        ("0100007F", 80, 12),
        ("0" * 24 + "01000000", 80, 13),
        ("0" * 32, 80, 14),
        ("00000000", 8080, 15),
    ]
    table.write_text(
        "  sl  local_address\n"
        + "".join(SOCKET.format(number=i, address=a, port=p, inode=n) for i, (a, p, n) in enumerate(rows))
    )
    script = PRECONDITIONS + f'listeners 80 "{table}"; echo; listeners 81 "{table}"'
    assert sh(script, str(tmp_path)).stdout.split() == ["11", "12", "13", "14"]  # nginx wants every address


def test_who_has_a_port_is_named_with_the_command_that_ends_it(tmp_path):
    with socket.create_server(("", 0)) as listening:
        port, name = listening.getsockname()[1], open("/proc/self/comm").read().strip()
        allow = f'is_ours() {{ [ "$1 $2" = "{os.getpid()} x {name}" ]; }}'
        said = sh(PRECONDITIONS + f'taken {port} nginx; echo; {allow}; taken {port} "x {name}"', str(tmp_path)).stdout
    sentence, end = said.strip().split("\t")
    assert sentence == f"{name} (pid {os.getpid()}) listens on port {port}"
    assert end == f"kill {os.getpid()}" or end.startswith("systemctl disable --now ")


def test_another_program_called_nginx_is_not_ours(tmp_path):
    """As openresty's, or one in a container that shares the host's network."""
    program = tmp_path / "nginx"
    program.write_text("#!/bin/sh\nsleep 60 & wait\n")
    program.chmod(0o755)
    interpreter = shutil.copy("/bin/dash", tmp_path / "sh") if os.path.exists("/bin/dash") else pytest.skip("no dash")
    program.write_text(program.read_text().replace("/bin/sh", str(interpreter)))
    child = subprocess.Popen([str(program)], start_new_session=True)
    try:
        end = time.monotonic() + 10
        while open(f"/proc/{child.pid}/comm").read() != "nginx\n" and time.monotonic() < end:
            time.sleep(0.01)
        assert (
            sh(PRECONDITIONS + f"is_ours {child.pid} nginx && echo ours || echo theirs", str(tmp_path)).stdout
            == "theirs\n"
        )
        assert sh(PRECONDITIONS + "is_ours $$ 'sh dash' && echo ours || echo theirs", str(tmp_path)).stdout == "ours\n"
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def test_how_a_container_or_a_service_gives_its_port_back(tmp_path):
    script = (
        PRECONDITIONS
        + """
        container_of() { [ "$1" != 7 ] || echo 0123456789ab; }
        unit_of() { [ "$1" != 8 ] || echo apache2.service; }
        socket_unit() { echo cockpit.socket; }
        published() { echo shop-web; }
        how_to_end 6 docker-proxy 80; how_to_end 7 nginx 80; how_to_end 8 apache2 80
        how_to_end 1 systemd 80; how_to_end 9 x 80
        """
    )
    assert sh(script, str(tmp_path)).stdout.splitlines() == [
        "docker update --restart no shop-web && docker stop shop-web",
        "docker update --restart no 0123456789ab && docker stop 0123456789ab",
        "systemctl disable --now apache2",
        "systemctl disable --now cockpit.socket",
        "kill 9",
    ]


@pytest.mark.parametrize(
    ("name", "line", "taken"),
    [
        ("apache2", "Listen 80", True),
        ("apache2", "  Listen [::]:80", True),
        ("apache2", "Listen 8080", False),
        ("apache2", "# Listen 80", False),
        ("lighttpd", "server.port                 = 80", True),
        ("lighttpd", "server.port = 8080", False),
        ("caddy", ":80 {", True),
        ("caddy", "http://x.example:8080 {", False),
        ("haproxy", "    bind *:80", True),
        ("haproxy", "    bind 127.0.0.1:8080", False),
        ("varnish", "ExecStart=/usr/sbin/varnishd -a :80 -f x", True),
        ("varnish", "ExecStart=/usr/sbin/varnishd -a :6081 -f x", False),
    ],
)
def test_a_server_that_would_take_port_80_at_boot(tmp_path, name, line, taken):
    (tmp_path / "conf").write_text(line + "\n")
    script = (
        PRECONDITIONS
        + """
        have_systemd() { return 0; }
        systemctl() { case "$1 $2 ${3:-}" in "is-enabled $wanted "*) echo enabled ;; *) return 1 ;; esac; }
        wanted=$2
        web_servers=$(echo "$web_servers" | awk -v w="$2" -v f="$3" '$1 == w { $2 = f; print }')
        check_servers_at_boot
        """
    )
    said = sh(script, str(tmp_path), name, str(tmp_path / "conf")).stdout
    assert ("takes port 80" in said and f"systemctl disable {name}" in said) == taken


def test_every_fault_is_said_before_anything_is_changed(tmp_path):
    (tmp_path / "link").write_text("")
    (tmp_path / "root").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root" / "plugins").symlink_to(tmp_path / "elsewhere")
    said = sh(
        PRECONDITIONS + 'check_folders; room "$root" 999999999 "a test"; echo "$faults faults"', str(tmp_path)
    ).stdout
    assert f"mv {tmp_path}/link {tmp_path}/link.before" in said and "chown -R root:root" in said
    assert "a test needs 999999999 MB" in said and "Type: df -h" in said and "3 faults" in said


@pytest.mark.parametrize(
    ("patterns", "names", "fits"),
    [
        ("paas", "paas", True),
        ("anna bert", "paas", False),
        ("pa*", "paas", True),
        ("paas@10.0.0.*", "paas", True),
        ("docker", "paas docker adm", True),
        ("sudo", "paas docker", False),
        ("*", "paas", True),
        ("p?as", "paas", True),
    ],
)
def test_patterns_of_sshd(patterns, names, fits):
    script = '. ./minipaas_lib/install/ready.sh; names_user "$1" $2'
    assert (subprocess.run(["/bin/sh", "-uc", script, "sh", patterns, names], cwd=FOLDER).returncode == 0) == fits


@pytest.mark.parametrize(
    ("keys", "closed", "ready"),
    [("key", "", True), ("", "", False), ("key", "port 80 is closed\tufw allow 80/tcp", False)],
)
def test_ready_is_said_where_somebody_can_push(tmp_path, keys, closed, ready):
    script = """
        user=paas home=$1 here=. scratch=$1 python=/usr/bin/python3 tab=$(printf '\t') answer=$3 keys=$2
        step() { echo "-----> $1"; }
        info() { echo "$1"; }
        warn() { echo "$1"; }
        . ./minipaas_lib/install/ready.sh
        has_keys() { [ -n "$keys" ]; }
        sshd_setting() { :; }
        ssh_port_wanted() { echo 22; }
        closed_ports() { [ -z "$answer" ] || echo "$answer"; }
        last_words
        """
    said = sh(script, str(tmp_path), keys, closed).stdout
    assert ("-----> Ready" in said) == ready and ("not ready yet" in said) != ready
    assert ("ssh-keys:add admin -" in said) == (not keys) and ("ufw allow 80/tcp" in said) == bool(closed)
    assert "<host>" not in said


def test_no_pasted_line_is_an_answer(tmp_path):
    master, slave = os.openpty()
    script = (
        '. ./minipaas_lib/install/settings.sh; nothing_pasted && echo asks || echo "goes on"; '
        'read -r line; echo "shell: $line"'
    )
    for typed, expected in ((b"git push\n", "goes on\nshell: git push\n"), (b"", "asks\nshell: later\n")):
        os.write(master, typed)
        child = subprocess.Popen(
            ["/bin/sh", "-euc", script], cwd=FOLDER, stdin=slave, stdout=subprocess.PIPE, text=True
        )
        first = child.stdout.readline()
        if not typed:
            os.write(master, b"later\n")
        assert first + child.stdout.read() == expected and child.wait(10) == 0
    os.close(master)
    os.close(slave)


def test_sudo_lets_paas_do_what_the_code_does_and_no_more():
    """The rules of the firewall are read, nginx is tested and reloaded, and two helpers of our own are run."""
    with open(os.path.join(FOLDER, "install.sh")) as file:
        rule = re.search(r"Cmnd_Alias MINIPAAS = (.*?)\n\$user", file.read(), re.DOTALL)[1]
    allowed = {line.strip(", \\") for line in rule.splitlines()}
    no_argument = '""'  # sudo's word for it
    reading = {" ".join(command) if command[1:] else f"{command[0]} {no_argument}" for command in firewall.COMMANDS}
    nginx = {"-t -q", "-t -q -c $root/nginx/shadow/nginx.conf", "-s reload"}
    helpers = {"build-memory cgroupfs [0-9]*", "build-memory systemd [0-9]*", "remove-logs [a-z0-9]*"}
    assert allowed == {*reading, *(f"/usr/sbin/nginx {words}" for words in nginx), *(f"$lib/{it}" for it in helpers)}


CONNECTIONS = ". ./minipaas_lib/install/connections.sh; "


@pytest.mark.parametrize(
    ("line", "raised"),
    [
        ("\tworker_connections 768;", "\tworker_connections 8192; # minipaas, was: 768;"),
        ("    worker_connections  1024; # mine", "    worker_connections  8192; # minipaas, was: 1024; # mine"),
        ("worker_connections 100; # minipaas, was: 768;", "worker_connections 8192; # minipaas, was: 768;"),
        ("worker_connections 8192; # minipaas, was: 768;", "worker_connections 8192; # minipaas, was: 768;"),
        ("worker_connections 8192;", "worker_connections 8192;"),
        ("worker_connections 65535; # enough", "worker_connections 65535; # enough"),
        ("# worker_connections 768;", "# worker_connections 768;"),
        ("events { worker_connections 768; }", "events { worker_connections 768; }"),
        ("worker_connections 768; }", "worker_connections 768; }"),
        ("include worker_connections;", "include worker_connections;"),
    ],
)
def test_one_line_of_nginx_conf_has_more_connections_and_is_taken_back(line, raised):
    whole = f"user www-data;\nevents {{\n{line}\n\t# multi_accept on;\n}}\nhttp {{ }}"
    made = sh(CONNECTIONS + "raise_connections", stdin=whole + "\n").stdout
    assert made == whole.replace(line, raised) + "\n"
    assert sh(CONNECTIONS + "raise_connections", stdin=made).stdout == made
    back = sh(CONNECTIONS + "unmark_connections", stdin=made).stdout
    assert "minipaas" not in back
    if "minipaas" not in line:
        assert back == whole + "\n", "byte for byte, as dpkg knows it"


PUT = """\
eval "$(sed -n '/^put() {/,/^}/p; /^make_scratch() {/p' install.sh)"
uninstall=no; scratch=$1; die() { echo "$1"; exit 1; }
"""


def changed_nginx_conf(folder, command, before=""):
    (folder / "scratch").mkdir()
    (folder / "nginx.conf").write_text("events {\n\tworker_connections 768;\n}\n" + "# more\n" * 30000)
    os.chmod(folder / "nginx.conf", 0o640)
    script = f"{PUT}{CONNECTIONS}nginx_conf=$1/nginx.conf scratch=$1/scratch\n{before}\n"
    script += f"if change_nginx_conf {command}; then echo changed; else echo not; fi"
    return sh(script, str(folder)).stdout.split()[-1]


def test_nginx_conf_is_changed_whole(tmp_path):
    assert changed_nginx_conf(tmp_path, "raise_connections") == "changed"
    assert "\tworker_connections 8192; # minipaas, was: 768;\n" in (tmp_path / "nginx.conf").read_text()
    assert (tmp_path / "nginx.conf").stat().st_mode & 0o777 == 0o640
    assert not (tmp_path / "nginx.conf.minipaas-new").exists()


@pytest.mark.parametrize(
    ("before", "word"),
    [
        ("half() { head -c 100; }; filter=half", "not"),  # as one that the kernel ended for its memory
        ("fails() { cat; false; }; filter=fails", "not"),
        # a full disk: the shell's limit on a file's size, in blocks of 512 bytes
        ("trap '' XFSZ; small() { sed s/768/8192/; }; filter=small; ulimit -f 8", "not"),
    ],
)
def test_nginx_conf_that_cannot_be_written_whole_stays(tmp_path, before, word):
    """A cut nginx.conf is one with which nginx does not start after the next reboot."""
    assert changed_nginx_conf(tmp_path, "$filter", before) == word
    text = (tmp_path / "nginx.conf").read_text()
    assert text.startswith("events {\n\tworker_connections 768;") and len(text) > 180000
    assert not (tmp_path / "nginx.conf.minipaas-new").exists()


def test_what_is_put_somewhere_is_put_whole(tmp_path):
    (tmp_path / "there").write_text("whole\n")
    script = PUT + "trap '' XFSZ; ulimit -f 8; if head -c 100000 /dev/zero | put \"$1/there\" 0644; then echo put; fi"
    assert "put" not in sh(script, str(tmp_path)).stdout.split()
    assert (tmp_path / "there").read_text() == "whole\n" and os.listdir(tmp_path) == ["there"]


FUNCTION = "eval \"$(sed -n '/^%s() {/,/^}/p' install.sh)\"\n"


@pytest.mark.parametrize("killed", [False, True])
def test_a_run_after_one_that_was_killed_reloads_nginx_and_starts_the_apps(tmp_path, killed):
    """What the killed one changed is in place, so that the next one saw nothing to do: sites stayed down."""
    (tmp_path / "state" / "apps" / "blog").mkdir(parents=True)
    (tmp_path / "nginx.conf").write_text("")
    script = (
        f"{FUNCTION % 'begin'}{FUNCTION % 'restore_apps'}. ./minipaas_lib/install/nginx.sh; {CONNECTIONS}"
        + """
        lib=$1/lib unfinished=$1/lib/unfinished root=$1 scratch=$1
        nginx_conf=$1/nginx.conf main_include=$1/no include=$1/no
        shared_changed=no link=echo
        step() { :; }; info() { :; }; warn() { :; }; nginx() { :; }; enable_at_boot() { :; }; nginx_runs() { :; }
        put() { cat >/dev/null; return 1; }; is_stock_default() { return 1; }; reload_nginx() { echo reloaded; }
        begin; [ "$2" = no ] || begin
        set_up_nginx; restore_apps
    """
    )
    done = sh(script, str(tmp_path), "yes" if killed else "no")
    assert (done.returncode, done.stdout.split()) == (0, ["reloaded", "ps:restore"] if killed else []), done.stderr
    assert (tmp_path / "lib" / "unfinished").exists()


@pytest.mark.parametrize("link", [False, True])
def test_the_advice_against_another_default_server_leaves_none(tmp_path, link):
    """nginx reads every file of sites-enabled, a copy that sed leaves there too."""
    (tmp_path / "available").mkdir()
    (tmp_path / "enabled").mkdir()
    file, site = tmp_path / "enabled" / "site", tmp_path / "available" / "site"
    (site if link else file).write_text(
        "server {\n    listen 80 default_server;\n    listen [::]:80 default_server;\n}\n"
    )
    if link:
        file.symlink_to(site)
    script = """
        . ./minipaas_lib/install/nginx.sh
        nginx() { printf '# configuration file %s:\\n' "$file"; cat "$file"; }
        fault() { echo "$2"; }
        stock_link=/x root=/x scratch=$(dirname "$1")/../scratch file=$1
        mkdir -p "$scratch"
        check_nginx
    """
    command = sh(script, str(file)).stdout.strip().partition(" && ")[0]
    assert command.startswith("sed ")
    assert subprocess.run(["/bin/sh", "-c", command]).returncode == 0
    assert os.listdir(tmp_path / "enabled") == ["site"] and "default_server" not in file.read_text()
    assert file.is_symlink() == link


@given(st.text(st.sampled_from("worker_connections 768;#\t{}minpas,:\n"), max_size=120))
@settings(max_examples=40, deadline=None)
def test_whatever_stands_in_nginx_conf_is_taken_back_as_it_was(text):
    text = "".join(line + "\n" for line in text.split("\n"))
    if "# minipaas, was:" not in text:
        raised = sh(CONNECTIONS + "raise_connections", stdin=text).stdout
        assert sh(CONNECTIONS + "unmark_connections", stdin=raised).stdout == text


def test_the_numbers_of_install_are_those_that_doctor_and_nodes_have():
    from plugins.cluster.head import node_image
    from plugins.router_nginx import doctor

    said = sh(CONNECTIONS + 'echo "$connections $open_files"').stdout.split()
    assert said == [str(doctor.CONNECTIONS), str(doctor.OPEN_FILES)]
    assert f"worker_rlimit_nofile {doctor.OPEN_FILES};" in node_image.dockerfile(node_image.BASE)
    assert f"\\1{doctor.CONNECTIONS};" in node_image.dockerfile(node_image.BASE)


def test_what_another_file_of_nginx_says_is_not_said_again(tmp_path):
    ours = "/etc/nginx/modules-enabled/99-minipaas.conf"
    shown = (
        f"# configuration file {ours}:\n"
        "worker_shutdown_timeout 1h;\n"
        "# configuration file /etc/nginx/x.conf:\n"
        "worker_rlimit_nofile 9;\n"
    )
    (tmp_path / "nginx").write_text(shown)
    done = sh(CONNECTIONS + f"main_include={ours}; scratch={tmp_path}; main_lines")
    assert done.stdout == "worker_shutdown_timeout 1h;\n"


def test_who_comes_after_an_uninstall_is_told(tmp_path):
    """git-shell(1) runs this file of the user that stays, with the words of the forced command."""
    (tmp_path / "git-shell-commands").mkdir()
    put = 'put() { cat >"$1"; chmod "$2" "$1"; }; '
    script = (
        f". ./minipaas_lib/install/remove.sh; {put} home=$1; leave_a_sentence; leave_a_sentence; home=$1/none; "
        "leave_a_sentence"
    )
    done = sh(script, str(tmp_path))
    assert done.returncode == 0, done.stderr
    said = subprocess.run([tmp_path / "git-shell-commands/minipaas", "--key", "ann"], capture_output=True, text=True)
    assert (
        said.returncode == 1
        and said.stdout == ""
        and said.stderr.startswith(" !     minipaas was removed from this host")
    )
    assert "sudo ./install.sh" in said.stderr
