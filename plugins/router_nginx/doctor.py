"""Look for what is broken in nginx, in the order in which a request meets it."""

import os
import re
import time

from minipaas_lib import api
from plugins.router_nginx import files
from plugins.router_nginx import host as nginx
from plugins.router_nginx.router import NginxRouter

_INSTALL = "as root: minipaas install"
_BINARY = "/usr/sbin/nginx"
_FILES_PER_APP = 2  # its two logs; nginx's master holds them open
_FILES_BESIDE = 200
_RECENT = 3600  # seconds
CONNECTIONS = 8192  # of each worker, and the files that it may open: install.sh sets them
OPEN_FILES = 20000


def host_findings(host: nginx.Host) -> list["api.Finding"]:
    """The parts of nginx that all apps share. Parts behind a broken one are not checked."""
    findings = []
    for look in (_binary, _include, _valid, _running, _connections, _open_files, _ran_out):
        findings.append(look(host))
        if not findings[-1].ok:
            break
    return findings


def app_findings(host: nginx.Host, app: "api.App") -> list["api.Finding"]:
    """Whether nginx's file of an app matches its route."""
    part = f"app {app.name}: route"
    text = files.read(files.app_path(host, app.name))
    if text is None:
        return []  # not deployed, or its proxy is disabled: for others to judge
    generation = files.generation_of(text)
    answered = NginxRouter(host).applied(app.name)
    if answered != generation:
        said = f"nginx serves {answered or 'no route'} where its file says {generation or 'nothing readable'}"
        return [api.Finding(part, False, said, f"ps:restore {app.name}")]
    return [api.Finding(part, True, f"nginx serves {generation}")]


def _binary(host: nginx.Host) -> "api.Finding":
    if os.access(_BINARY, os.X_OK):
        return api.Finding("nginx", True, f"{_BINARY} is there")
    return api.Finding("nginx", False, f"{_BINARY} is missing", _INSTALL)


def _include(host: nginx.Host) -> "api.Finding":
    main = os.path.join(host.place.folder, "main.conf")
    try:
        included = main in (files.read(host.include) or "")
        text = files.read(os.path.join(host.etc, "nginx.conf")) or ""
    except OSError as error:
        return api.Finding("nginx: include", False, f"{error.filename} cannot be read: {error.strerror}", _INSTALL)
    if not included:
        return api.Finding("nginx: include", False, f"{host.include} does not include {main}", _INSTALL)
    if "conf.d/*.conf" not in text:
        fix = f"add to http {{}} of {host.etc}/nginx.conf: include {host.etc}/conf.d/*.conf;"
        return api.Finding("nginx: include", False, f"{host.etc}/nginx.conf does not include conf.d/*.conf", fix)
    if not files.read(main):
        return api.Finding("nginx: include", False, f"{main} is empty or missing", _INSTALL)
    return api.Finding("nginx: include", True, f"nginx reads {main}")


def _valid(host: nginx.Host) -> "api.Finding":
    router = NginxRouter(host)
    try:
        said, conflicts = router.validate()
    except (api.errors.MinipaasError, OSError) as error:
        return api.Finding("nginx: configuration", False, str(error), getattr(error, "hint", "") or _INSTALL)
    if said:
        return api.Finding("nginx: configuration", False, said, router.advice(said))
    if taken := [name for name in conflicts if nginx.other_sites(host, name) or not _ours_twice(host, name)]:
        said = "; ".join(router.conflict(name) for name in taken[:3])
        fix = "remove the name from that file, then: nginx:reload"
        return api.Finding("nginx: names", False, said, fix)
    return api.Finding("nginx: configuration", True, "nginx accepts it")


def _ours_twice(host: nginx.Host, name: str) -> bool:
    """Whether two apps have the name now, as during apps:rename, when both serve."""
    line = f"    server_name {name};\n"
    return sum(line in (files.read(files.app_path(host, app)) or "") for app in files.apps(host)) > 1


def _running(host: nginx.Host) -> "api.Finding":
    if nginx.pid(host):
        return api.Finding("nginx: daemon", True, "it runs")
    return api.Finding("nginx: daemon", False, "it does not run", "as root: systemctl start nginx")


def _connections(host: nginx.Host) -> "api.Finding":
    """Debian's 768 for each worker, half-sent requests of one client take; an upgrade of nginx may bring them back."""
    part, number = "nginx: connections", nginx.setting(host, "worker_connections")
    if not number.isdecimal() or int(number) < CONNECTIONS:
        return api.Finding(
            part,
            False,
            f"{host.etc}/nginx.conf lets a worker have {number or 'an unknown number of'} connections, which one"
            " client can use up",
            f"{_INSTALL}, or: set worker_connections {CONNECTIONS} there",
        )
    limits = [nginx.file_limit(worker) for worker in nginx.workers(host)]
    if any(0 < limit < int(number) for limit in limits):
        return api.Finding(
            part,
            False,
            f"a worker may have {number} connections and open {min(filter(None, limits))} files",
            f"{_INSTALL}, or: set worker_rlimit_nofile {OPEN_FILES} in {host.etc}/nginx.conf",
        )
    return api.Finding(part, True, f"each worker may have {number}")


def _ran_out(host: nginx.Host) -> "api.Finding":
    """Whether connections or files ran out within the last hour, according to nginx."""
    part, last = "nginx: load", nginx.last_exhaustion(host)
    if last and time.time() - last[0] < _RECENT:
        at, former = time.strftime("%H:%M:%S", time.localtime(last[0])), re.match("[0-9]+", last[1])
        if not former or int(former[0]) >= int(nginx.setting(host, "worker_connections")):  # else it has more by now
            fix = "to see which addresses hold them: ss -tn state established 'sport = :80'"
            return api.Finding(part, False, f"at {at} nginx refused requests: {last[1]}", fix)
    return api.Finding(part, True, "it refused no request within the last hour")


def _open_files(host: nginx.Host) -> "api.Finding":
    limit = nginx.open_file_limit(host)
    needed = _FILES_PER_APP * len(files.apps(host)) + _FILES_BESIDE
    if limit and limit < needed:
        fix = "as root: systemctl edit nginx, add [Service] LimitNOFILE=65536, and systemctl restart nginx"
        return api.Finding("nginx: open files", False, f"it may open {limit} files, and its logs need {needed}", fix)
    return api.Finding("nginx: open files", True, f"it may open {limit} files" if limit else "no limit can be read")
