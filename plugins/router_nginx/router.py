"""The router contract, implemented with nginx: one file per app, tested in a shadow folder, renamed, proven."""

import contextlib
import os
import re
import time
from collections.abc import Mapping

from minipaas_lib import api
from plugins.router_nginx import catch_all, files, owned, render, settings, withheld
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
        if route.withheld:
            self._withhold(route)
            return
        text = render.app_file(route, self.host.place)
        with self._lock():
            former = files.read(files.app_path(self.host, route.app)) or ""
            ports = files.ports_of(text) - {self.host.place.port}
            self._sweep(route.app, ports | files.ports_of(former))
            wanted = self._wanted(route.app, former, text, route.domains)
            changes, proof = self._differing(wanted), render.proof_of(text)
            if changes or nginx.ask_proof(self.host, route.app) != proof:  # it may have been killed before the reload
                self._check_runs(f"the route of {route.app} stays as it was")
                if changes:
                    self._check_ports_free(ports)
                if changes and self._rehearsed != shape(text, route):
                    self._check_shadow(route.app, wanted)
                self._take_up(changes, route.app, proof)
            self._own(route.app, owned.LIVE, route.domains)

    def remove(self, app: str) -> None:
        with self._lock():
            former = files.read(files.app_path(self.host, app)) or ""
            self._sweep(app, files.ports_of(former))
            if former:
                self._take_away(app, self._differing(self._wanted(app, former, "", ())))
            if owned.of(self.host, app):
                self._own(app, owned.LIVE, ())

    def applied(self, app: str) -> str:
        return nginx.ask_proof(self.host, app).partition("~")[0]

    def routes(self) -> list[str]:
        return sorted({*files.apps(self.host), *owned.apps(self.host)})

    def check(self, route: "api.Route | None" = None) -> None:
        with self._lock():
            if route and route.withheld and not withheld.text(self.host, route.app, _state(route), [*route.domains]):
                return
            self._check_runs("nothing was changed")
            if route is None or route.withheld:
                return
            text = render.app_file(route, self.host.place)
            self._check_ports_free(files.ports_of(text) - {self.host.place.port})
            self._check_shadow(route.app, self._wanted(route.app, "", text, route.domains))
            self._rehearsed = shape(text, route)

    def placed(self, app: str) -> str:
        return files.generation_of(files.read(files.app_path(self.host, app)) or "")

    def warm(self) -> None:
        """Load the template library."""
        self.main_file(self.host.live)

    def install(self) -> None:
        """Write what is not an app's where it differs: main.conf, its includes, and what answers names of no app.

        The installer reloads nginx.
        """
        for folder in (self.host.place.folder, self.host.live):
            if not os.path.isdir(folder):
                os.makedirs(folder)
                os.chmod(folder, 0o755)
        owned.make_folders(self.host)
        with self._lock():
            for path, content in self._shared_files(files.read_everywhere(self.host)).items():
                if files.read(path) != content:
                    api.kernel.durable_file.write(path, content, 0o644)
            self._write(self._differing(catch_all.contents(self.host, "", "", "")))

    def follow_platform(self, platform: dict) -> None:
        """Have nginx follow what the platform's document says for all apps, and remember it beside its files.

        A node's nginx starts with what is remembered. Raises errors.BadConfig, errors.Unavailable; all is as before
        then.
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

    def replace(self, changes: dict[str, str], former: Mapping[str, str | None]) -> list[str]:
        """Replace files, all in one reload, if nginx accepts them; return why some could not be, in sentences.

        Both are by path. A file that is no longer as in `former` was changed by another command, and is left alone.
        """
        failed = []
        with self._lock():
            changes = {path: text for path, text in changes.items() if files.read(path) == former.get(path)}
            while changes:
                self._make_shadow(changes)
                said = self._named(nginx.test(self.host).complaint)
                if not said:
                    break
                refused = [path for path in changes if path in said] or list(changes)
                failed.append(f"{' '.join(map(os.path.basename, refused))} stays as it was: {said}")
                changes = {path: text for path, text in changes.items() if path not in refused}
            if changes and nginx.pid(self.host):
                self._take_up(changes, "", "")
            else:
                self._write(changes)
        return failed

    def own(self, route: "api.Route") -> None:
        """Record the names of an app that has a file, for requests that none of its servers answers.

        Raises errors.Unavailable.
        """
        with self._lock():
            present = files.generation_of(files.read(files.app_path(self.host, route.app)) or "")
            if present == route.generation:
                self._own(route.app, owned.LIVE, route.domains)

    def _shared_files(self, chosen: dict[str, str]) -> dict[str, str]:
        """The files that all apps share, by path; main.conf last, since it needs the others."""
        shared = render.shared_files(settings.everywhere(chosen)) | {"main.conf": self.main_file(self.host.live)}
        return {os.path.join(self.host.place.folder, name): text for name, text in shared.items()}

    def main_file(self, live: str) -> str:
        return render.main_file(self.host.place, live, self._set_elsewhere())

    def validate(self, app: str = "") -> nginx.Verdict:
        """The result of nginx's test of the live files (or one app's and the host's)."""
        with self._lock():
            path = files.app_path(self.host, app)
            content = files.read(path) if app else None
            if app and content is None:
                raise api.errors.NotFound(f"{app} has no route", f"ps:report {app}")
            self._make_shadow({path: content} if content is not None else {})
            if not app:
                files.link_live(self.host)
            verdict = nginx.test(self.host)
            return verdict._replace(complaint=self._named(verdict.complaint))

    def reload(self) -> None:
        """Have nginx read its files again, and wait until they answer.

        Raises errors.Unavailable with what it has against them.
        """
        with self._lock():
            self._check_runs("it cannot reload anything")
            workers, position = nginx.workers(self.host), nginx.error_position(self.host)
            said = nginx.reload(self.host)
            said = said or nginx.wait_for_proof(self.host, "", "", workers, _PROOF, position)
            if said:
                raise api.errors.Unavailable(f"nginx does not reload: {self._named(said)}", "nginx:validate-config")

    def reopen_logs(self) -> None:
        """Have nginx reopen its logs, after they were moved away. Raises errors.Unavailable."""
        said = nginx.reopen(self.host)
        if said:
            raise api.errors.Unavailable(f"nginx does not reopen its logs: {said}", "nginx:validate-config")

    # -- the steps of a change

    def _withhold(self, route: "api.Route") -> None:
        """Answer the names of an app with a page of minipaas, without a reload unless a wildcard is in the way."""
        if not os.path.isdir(self.host.live):  # this router serves nothing here
            return
        render.check_route(route)
        app, state = route.app, _state(route)
        with self._lock():
            former = files.read(files.app_path(self.host, app)) or ""
            self._sweep(app, files.ports_of(former))
            self._own(app, state, route.domains)
            text = withheld.text(self.host, app, state, sorted(route.domains))
            if not text:
                if former:
                    self._take_away(app, self._differing(self._wanted(app, former, "", ())))
                return
            wanted, proof = self._wanted(app, former, text, ()), render.proof_of(text)
            changes = self._differing(wanted)
            if changes or nginx.ask_proof(self.host, app) != proof:
                self._check_runs(f"another app may answer for {app}")
                self._check_shadow(app, wanted)
                self._take_up(changes, app, proof)

    def _wanted(self, app: str, former: str, text: str, domains: tuple[str, ...]) -> dict[str, str | None]:
        """All files that an app's own is one of, once that is `text` and routes `domains`; empty or None: no file."""
        ports = files.ports_of(text)
        wanted: dict[str, str | None] = {}
        if "default_server" in (
            files.read(self._main_path()) or ""
        ):  # of a version before, whose place a file takes next
            wanted |= self._shared_files(files.read_everywhere(self.host))
        wanted |= catch_all.contents(self.host, app, former, text)
        wanted |= withheld.beside(self.host, app, ports, [name for name in domains if name.startswith("*.")])
        return {**wanted, files.app_path(self.host, app): text or None}

    def _differing(self, wanted: dict[str, str | None]) -> dict[str, str | None]:
        return {path: text for path, text in wanted.items() if files.read(path) != text}

    def _take_away(self, app: str, changes: dict[str, str | None]) -> None:
        """Take up changes after which nothing of the app is left: without nginx too, as that needs no test."""
        if nginx.pid(self.host):
            self._take_up(changes, app, "")
        else:
            self._write(changes)

    def _own(self, app: str, state: str, domains: tuple[str, ...]) -> None:
        """Record these as the app's names, for requests that none of its servers answers."""
        try:
            if not owned.are(self.host, app, state, domains):
                owned.keep(self.host, app, state, domains)
        except OSError as error:
            raise api.errors.Unavailable(
                f"nginx's files cannot be written: {error.strerror}", f"on the host: df -h {self.host.place.folder}"
            ) from None

    def _main_path(self) -> str:
        return os.path.join(self.host.place.folder, "main.conf")

    @contextlib.contextmanager
    def _lock(self):
        """One change at a time on this nginx. A lock of the host's, not of the store: every node has its own nginx."""
        import fcntl

        if not os.path.isdir(self.host.live):
            raise api.errors.BadConfig(f"{self.host.live} is missing, so nginx cannot be given routes", _INSTALL)
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
            raise api.errors.BadConfig(
                f"{self.host.include} is missing, so nginx does not read the files of minipaas", _INSTALL
            )
        if not nginx.pid(self.host):
            raise api.errors.Unavailable(f"nginx is not running, so {so}", "as root: systemctl start nginx")

    def _check_ports_free(self, ports: set[int]) -> None:
        """Refuse a port that another program has: nginx's test ignores that, and a reload would change nothing."""
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
                        f"port {port} of this host is used by another program",
                        "look for the app that maps it, and map another one: ports:report",
                    ) from None

    def _check_shadow(self, app: str, wanted: dict[str, str | None]) -> None:
        self._make_shadow(
            {path: text for path, text in wanted.items() if text and os.path.dirname(path) == self.host.live}
        )
        said, conflicts = nginx.test(self.host)
        if not said:
            for name in conflicts:
                api.output.warn(self.conflict(name, app))
                api.output.info("remove the name from that file, then: nginx:reload")
            return
        ours = os.path.join(self.host.shadow, "live") in said
        said = self._named(said)
        if ours:
            raise api.errors.BadConfig(f"nginx refuses the route of {app}: {said}", f"nginx:report {app}")
        raise api.errors.Unavailable(
            f"nginx refuses this host's configuration: {said}", "correct that file, then: nginx:validate-config"
        )

    def _make_shadow(self, contents: dict[str, str]) -> None:
        main = self.main_file(os.path.join(self.host.shadow, "live"))
        try:
            files.make_shadow(self.host, main, {os.path.basename(path): text for path, text in contents.items()})
        except OSError as error:
            raise api.errors.Unavailable(
                f"nginx's files cannot be copied for a test: {error}", f"on the host: df -h {self.host.place.folder}"
            ) from None

    def _take_up(self, changes: Mapping[str, str | None], app: str, proof: str) -> None:
        """Write the changes, reload and prove; or put everything back as it was and raise.

        app: whose route changes; empty if it is what all apps share.
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
                f"nginx did not apply {f'the route of {app}' if app else 'the settings for all apps'}: "
                f"{self._named(said)}",
                self.advice(said),
            )

    def _write(self, changes: Mapping[str, str | None]) -> None:
        done: dict[str, str | None] = {}
        try:
            for path, text in changes.items():
                former = files.read(path)
                if text is None:
                    api.kernel.durable_file.remove(path)
                else:
                    api.kernel.durable_file.write(path, text, self._mode(path))
                done[path] = former
        except OSError as error:
            with contextlib.suppress(OSError):
                self._restore(done)
            raise api.errors.Unavailable(
                f"nginx's files cannot be written: {error.strerror}", f"on the host: df -h {self.host.place.folder}"
            ) from None

    def _put_back(self, former: dict[str, str | None]) -> None:
        with contextlib.suppress(OSError, api.errors.MinipaasError):  # the first error is the one to tell
            self._restore(former)
            nginx.reload(self.host)

    def _restore(self, former: dict[str, str | None]) -> None:
        for path, text in reversed(former.items()):
            if text is None:
                api.kernel.durable_file.remove(path)
            else:
                api.kernel.durable_file.write(path, text, self._mode(path))

    def _mode(self, path: str) -> int:
        return 0o600 if os.path.dirname(path) == self.host.live else 0o644

    def _sweep(self, app: str, ports: set[int]) -> None:
        """Remove what a killed command left between two files: half-written ones, and those of ports that no app has.

        nginx reads neither of them before its next reload.
        """
        for name in os.listdir(self.host.live):
            if api.kernel.durable_file.is_unfinished(name):
                api.kernel.durable_file.remove(os.path.join(self.host.live, name))
        present = {
            int(found[1])
            for name in os.listdir(self.host.live)
            if (found := re.fullmatch(r"_port_([0-9]+)[.]conf", name))
        }
        if strays := present - ports - {self.host.place.port}:
            for port in strays - files.ports_in_use(self.host, but=app):
                api.kernel.durable_file.remove(files.port_path(self.host, port))

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
        """nginx's message with real paths instead of those of the shadow folder."""
        return said.replace(self.host.shadow + "/live", self.host.live).replace(self.host.shadow, self.host.etc)

    def advice(self, said: str) -> str:
        """The hint for a complaint of nginx."""
        found = re.search(re.escape(self.host.live) + "/([a-z0-9-]+)[.]conf", said)
        return (
            f"to write that file again: ps:restore {found[1]}"
            if found
            else "correct what nginx reports there, then: nginx:validate-config"
        )

    def conflict(self, name: str, app: str = "") -> str:
        """A sentence about a name that both an app's server and another one have."""
        app = app or owned.owner_of(self.host, name)
        files_of_others = nginx.other_sites(self.host, name)
        where = ", ".join(files_of_others) or "another file that nginx reads"
        whose = f"{name}, which is {app}'s," if app else name
        return f"{whose} has a site in {where} too, and nginx ignores one of the two"


def _state(route: "api.Route") -> str:
    """The state of the names of an app that is not routed."""
    return owned.OFF if route.withheld == "off" else owned.NEW


def shape(text: str, route: "api.Route") -> tuple:
    """The file of an app without its addresses, which make no difference to nginx's test."""
    text = text.replace(render.proof_of(text), "")
    for listener in route.listeners:
        places = {render.server_address(one.address, one.at(listener.container_port)) for one in route.backends}
        for place in sorted(places, key=len, reverse=True):
            text = text.replace(place, "")
    return text, tuple(route.listeners)
