"""The router contract, kept with nginx: one file per app, tested beside the live ones, renamed into place, proven."""

import contextlib
import os
import re
import time

from minipaas_lib import api
from plugins.router_nginx import files, render, settings
from plugins.router_nginx import host as nginx

_PATIENCE = 60.0  # seconds that one change waits for another's
_PROOF = 10.0  # seconds that nginx has to serve a change
_SET_ELSEWHERE = r"^[ \t]*((?:server_names|variables)_hash_(?:bucket|max)_size)\b"
_INSTALL = "as root: minipaas install"


class NginxRouter:
    """See bus.engines.Router."""

    def __init__(self, host: nginx.Host | None = None) -> None:
        self.host = host or nginx.this_host()
        self._rehearsed: tuple | None = None  # the shape of what nginx has accepted already

    def apply(self, route: "api.Route") -> None:
        text = render.app_file(route, self.host.place)
        with self._lock():
            former = files.read(files.app_path(self.host, route.app))
            ports = {listener.host_port for listener in route.listeners} - {self.host.place.port}
            self._sweep(route.app, ports | files.ports_of(former or ""))
            proof = render.proof_of(text)
            if former == text and nginx.ask_proof(self.host, route.app) == proof:
                return
            self._check_runs(f"the route of {route.app} stays as it was")
            if former == text:  # killed between rename and reload
                self._take_up({}, route.app, proof)
                return
            fresh = {
                files.port_path(self.host, port): render.port_file(port, self.host.place) for port in sorted(ports)
            }
            changes: dict[str, str | None] = {path: text for path, text in fresh.items() if files.read(path) != text}
            self._check_ports_free(ports)
            if self._rehearsed != shape(text, route):
                self._check_shadow(route.app, {**fresh, files.app_path(self.host, route.app): text})
            changes[files.app_path(self.host, route.app)] = text
            changes |= self._unused_ports(route.app, former or "", ports)
            self._take_up(changes, route.app, proof)

    def remove(self, app: str) -> None:
        with self._lock():
            path = files.app_path(self.host, app)
            former = files.read(path)
            self._sweep(app, files.ports_of(former or ""))
            if former is None:
                return
            changes = {path: None, **self._unused_ports(app, former, set())}
            if nginx.pid(self.host):
                self._take_up(changes, app, "")
            else:  # what is not there needs no test
                self._write(changes)

    def applied(self, app: str) -> str:
        return nginx.ask_proof(self.host, app).partition("~")[0]

    def routes(self) -> list[str]:
        return files.apps(self.host)

    def check(self, route: "api.Route | None" = None) -> None:
        with self._lock():
            self._check_runs("nothing was changed")
            if route is None:
                return
            text = render.app_file(route, self.host.place)
            ports = {listener.host_port for listener in route.listeners} - {self.host.place.port}
            self._check_ports_free(ports)
            contents = {files.port_path(self.host, port): render.port_file(port, self.host.place) for port in ports}
            self._check_shadow(route.app, contents | {files.app_path(self.host, route.app): text})
            self._rehearsed = shape(text, route)

    def placed(self, app: str) -> str:
        return files.generation_of(files.read(files.app_path(self.host, app)) or "")

    def warm(self) -> None:
        """Load the template library."""
        self.main_file(self.host.live)

    def install(self) -> None:
        """Write the files that all apps share where they differ. The installer reloads nginx."""
        for folder in (self.host.place.folder, self.host.live):
            if not os.path.isdir(folder):
                os.makedirs(folder)
                os.chmod(folder, 0o755)
        for path, content in self._shared_files(files.read_everywhere(self.host)).items():
            if files.read(path) != content:
                files.write(path, content, 0o644)

    def follow_platform(self, platform: dict) -> None:
        """Have nginx follow what the platform's document says for all apps, and remember it beside its files.

        A node's nginx starts with what is remembered. Raises errors.BadConfig, errors.Unavailable; all is as before then.
        """
        chosen = settings.chosen_everywhere(platform)
        settings.everywhere(chosen)
        if chosen == files.read_everywhere(self.host):
            return
        with self._lock():
            changes = {files.everywhere_path(self.host): files.everywhere_text(chosen)} | self._shared_files(chosen)
            changes = {path: text for path, text in changes.items() if files.read(path) != text}
            if nginx.pid(self.host):
                self._take_up(changes, "", "")
            else:
                self._write(changes)

    def _shared_files(self, chosen: dict[str, str]) -> dict[str, str]:
        """The files that all apps share, by path; main.conf last, since it needs the others."""
        shared = render.shared_files(settings.everywhere(chosen)) | {"main.conf": self.main_file(self.host.live)}
        return {os.path.join(self.host.place.folder, name): text for name, text in shared.items()}

    def main_file(self, live: str) -> str:
        return render.main_file(self.host.place, live, self._set_elsewhere())

    def validate(self, app: str = "") -> str:
        """What nginx has against the live files (or one app's and the host's); empty when it is fine."""
        with self._lock():
            path = files.app_path(self.host, app)
            content = files.read(path) if app else None
            if app and content is None:
                raise api.errors.NotFound(f"{app} has no route", f"ps:report {app}")
            self._make_shadow({path: content} if content is not None else {})
            if not app:
                files.link_live(self.host)
            return self._named(nginx.test(self.host))

    def reload(self) -> None:
        """Have nginx read its files again. Raises errors.Unavailable with what it has against them."""
        with self._lock():
            self._check_runs("it cannot reload anything")
            said = nginx.reload(self.host)
            if said:
                raise api.errors.Unavailable(f"nginx does not reload: {self._named(said)}", "nginx:validate-config")

    def reopen_logs(self) -> None:
        """Have nginx begin its logs anew, after they were moved away. Raises errors.Unavailable."""
        said = nginx.reopen(self.host)
        if said:
            raise api.errors.Unavailable(f"nginx does not open its logs again: {said}", "nginx:validate-config")

    # -- the steps of a change

    @contextlib.contextmanager
    def _lock(self):
        """One change at a time on this nginx. A lock of the host's, not of the store: every node has its own nginx."""
        import fcntl

        if not os.path.isdir(self.host.live):
            raise api.errors.BadConfig(f"{self.host.live} is missing, so nginx cannot be told of routes", _INSTALL)
        with open(os.path.join(self.host.place.folder, ".lock"), "a", encoding="ascii") as file:
            deadline = time.monotonic() + _PATIENCE
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise api.errors.Locked(
                            f"another command has been changing nginx's files for {_PATIENCE:g} seconds", "try again"
                        ) from None
                    time.sleep(0.02)
            yield

    def _check_runs(self, so: str) -> None:
        if not os.path.exists(self.host.include):
            raise api.errors.BadConfig(f"{self.host.include} is missing, so nginx does not read our files", _INSTALL)
        if not nginx.pid(self.host):
            raise api.errors.Unavailable(
                f"nginx is not running, so {so}", "as root: systemctl start nginx"
            )

    def _check_ports_free(self, ports: set[int]) -> None:
        """nginx's own test passes over a port that another program has, and a reload then changes nothing."""
        import socket

        for port in sorted(ports):
            if os.path.exists(files.port_path(self.host, port)):
                continue
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("", port))
                except PermissionError:
                    continue
                except OSError:
                    raise api.errors.BadConfig(
                        f"port {port} of this host is used by another program", "ports:set another host port"
                    ) from None

    def _check_shadow(self, app: str, contents: dict[str, str]) -> None:
        self._make_shadow(contents)
        said = nginx.test(self.host)
        if not said:
            return
        ours = os.path.join(self.host.shadow, "live") in said
        said = self._named(said)
        if ours:
            raise api.errors.BadConfig(f"nginx refuses the route of {app}: {said}", f"nginx:report {app}")
        raise api.errors.Unavailable(
            f"nginx refuses this host's configuration: {said}", "mend that file; then try again"
        )

    def _make_shadow(self, contents: dict[str, str]) -> None:
        main = self.main_file(os.path.join(self.host.shadow, "live"))
        try:
            files.make_shadow(self.host, main, {os.path.basename(path): text for path, text in contents.items()})
        except OSError as error:
            raise api.errors.Unavailable(
                f"nginx's files cannot be copied for a test: {error}", "minipaas doctor"
            ) from None

    def _take_up(self, changes: dict[str, str | None], app: str, proof: str) -> None:
        """Write the changes, reload and prove; or put everything back as it was and raise.

        app: whose route changes; empty where it is what all apps share.
        """
        former = {path: files.read(path) for path in changes}
        workers, position = nginx.workers(self.host), nginx.error_position(self.host)
        try:
            self._write(changes)
            said = nginx.reload(self.host)
            said = said or nginx.wait_for_proof(self.host, app, proof, workers, _PROOF, position)
        except BaseException:
            self._put_back(former)
            raise
        if said:
            self._put_back(former)
            raise api.errors.Unavailable(
                f"nginx did not take up {f'the route of {app}' if app else 'what is set for all apps'}: {self._named(said)}",
                self.advice(said),
            )

    def _write(self, changes: dict[str, str | None]) -> None:
        done: dict[str, str | None] = {}
        try:
            for path, text in changes.items():
                former = files.read(path)
                if text is None:
                    files.remove(path)
                else:
                    files.write(path, text, self._mode(path))
                done[path] = former
        except OSError as error:
            with contextlib.suppress(OSError):
                self._restore(done)
            raise api.errors.Unavailable(
                f"nginx's files cannot be written: {error.strerror}", "minipaas doctor"
            ) from None

    def _put_back(self, former: dict[str, str | None]) -> None:
        with contextlib.suppress(OSError, api.errors.MinipaasError):  # the first error is the one to tell
            self._restore(former)
            nginx.reload(self.host)

    def _restore(self, former: dict[str, str | None]) -> None:
        for path, text in reversed(former.items()):
            if text is None:
                files.remove(path)
            else:
                files.write(path, text, self._mode(path))

    def _mode(self, path: str) -> int:
        return 0o600 if os.path.dirname(path) == self.host.live else 0o644

    def _sweep(self, app: str, ports: set[int]) -> None:
        """Remove what a killed command left between two files: half-written ones, and those of ports that no app has.

        nginx reads neither of them before its next reload.
        """
        for name in os.listdir(self.host.live):
            if name.endswith(".new"):
                files.remove(os.path.join(self.host.live, name))
        present = {int(found[1]) for name in os.listdir(self.host.live) if (found := re.fullmatch(r"_port_([0-9]+)[.]conf", name))}
        if strays := present - ports:
            for port in strays - files.ports_in_use(self.host, but=app):
                files.remove(files.port_path(self.host, port))

    def _unused_ports(self, app: str, former: str, ports: set[int]) -> dict[str, str | None]:
        """The files of ports that only this app used and does not use any more, to be removed."""
        given_up = files.ports_of(former) - ports - {self.host.place.port}
        if given_up:
            given_up -= files.ports_in_use(self.host, but=app)
        return {files.port_path(self.host, port): None for port in sorted(given_up)}

    def _set_elsewhere(self) -> set[str]:
        """The hash sizes that the host's own files set; nginx refuses a second word on them."""
        found: set[str] = set()
        folder = os.path.join(self.host.etc, "conf.d")
        others = [os.path.join(folder, name) for name in sorted(os.listdir(folder))] if os.path.isdir(folder) else []
        for path in [os.path.join(self.host.etc, "nginx.conf"), *others]:
            with contextlib.suppress(OSError):
                found |= set(re.findall(_SET_ELSEWHERE, files.read(path) or "", re.MULTILINE))
        return found

    def _named(self, said: str) -> str:
        """nginx's sentence with the paths a person can look at."""
        return said.replace(self.host.shadow + "/live", self.host.live).replace(self.host.shadow, self.host.etc)

    def advice(self, said: str) -> str:
        """What to type against a complaint of nginx."""
        found = re.search(re.escape(self.host.live) + "/([a-z0-9-]+)[.]conf", said)
        return f"write that file anew: ps:restore {found[1]}" if found else "minipaas doctor"


def shape(text: str, route: "api.Route") -> tuple:
    """The file of an app without its addresses: one literal address is to nginx's test as good as another."""
    text = text.replace(render.proof_of(text), "")
    for listener in route.listeners:
        places = {render.server_address(one.address, one.at(listener.container_port)) for one in route.backends}
        for place in sorted(places, key=len, reverse=True):
            text = text.replace(place, "")
    return text, tuple(route.listeners)
