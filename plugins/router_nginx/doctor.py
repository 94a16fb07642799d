"""Look for what is broken in nginx, in the order in which a request meets it."""

import os

from minipaas_lib import api
from plugins.router_nginx import files
from plugins.router_nginx import host as nginx
from plugins.router_nginx.router import NginxRouter

_INSTALL = "as root: minipaas install"
_BINARY = "/usr/sbin/nginx"
_FILES_PER_APP = 2  # its two logs; nginx's master holds them open
_FILES_BESIDE = 200


def host_findings(host: nginx.Host) -> list["api.Finding"]:
    """The parts of nginx that all apps share. What is behind a broken part is not looked at."""
    findings = []
    for look in (_binary, _include, _valid, _running, _open_files):
        findings.append(look(host))
        if not findings[-1].ok:
            break
    return findings


def app_findings(host: nginx.Host, app: "api.App") -> list["api.Finding"]:
    """Whether the route of an app is what its file says."""
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
    try:
        said = NginxRouter(host).validate()
    except (api.errors.MinipaasError, OSError) as error:
        return api.Finding("nginx: configuration", False, str(error), getattr(error, "hint", "") or _INSTALL)
    if said:
        return api.Finding("nginx: configuration", False, said, NginxRouter(host).advice(said))
    return api.Finding("nginx: configuration", True, "nginx accepts it")


def _running(host: nginx.Host) -> "api.Finding":
    if nginx.pid(host):
        return api.Finding("nginx: daemon", True, "it runs")
    return api.Finding("nginx: daemon", False, "it does not run", "as root: systemctl start nginx")


def _open_files(host: nginx.Host) -> "api.Finding":
    limit = nginx.open_file_limit(host)
    needed = _FILES_PER_APP * len(files.apps(host)) + _FILES_BESIDE
    if limit and limit < needed:
        fix = "as root: systemctl edit nginx, add [Service] LimitNOFILE=65536, and systemctl restart nginx"
        return api.Finding("nginx: open files", False, f"it may open {limit} files, and its logs need {needed}", fix)
    return api.Finding("nginx: open files", True, f"it may open {limit} files" if limit else "no limit can be read")
