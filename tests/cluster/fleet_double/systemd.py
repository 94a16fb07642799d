"""The node's systemd, as fleet's agent drives it: unit files in a folder of its own, jobs that nobody waits for."""

import contextlib
import os
import subprocess

from . import unitfile

FOLDER = "/run/fleet/units"
LISTED = (".service", ".socket", ".timer", ".path", ".device", ".mount", ".automount")
LIMIT = 60  # seconds for systemctl


class Failed(Exception):
    """systemd refused."""


class Systemd:
    def __init__(self, folder: str = FOLDER) -> None:
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.hashes = {name: self._hash(name) for name in self.names()}

    def names(self) -> list[str]:
        """The units that fleet has put here."""
        return sorted(name for name in os.listdir(self.folder) if name.endswith(LISTED))

    def write(self, name: str, options: list[unitfile.Option]) -> None:
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(unitfile.serialize(options))
        installs = any(option.section == "Install" for option in options)
        self._systemctl("enable" if installs else "link", "--runtime", "--force", "--no-reload", path)
        self.hashes[name] = unitfile.digest(options)

    def remove(self, name: str) -> None:
        """Raises Failed where systemd has forgotten the unit already; it is removed all the same."""
        self.hashes.pop(name, None)
        try:
            with contextlib.suppress(Failed):
                self._systemctl("disable", "--runtime", "--no-reload", name)
            self._systemctl("reset-failed", name)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.folder, name))

    def reload(self) -> None:
        self._systemctl("daemon-reload")

    def start(self, name: str) -> None:
        self._systemctl("start", "--no-block", name)

    def stop(self, name: str) -> None:
        self._systemctl("stop", "--no-block", name)

    def states(self, names: list[str]) -> dict[str, tuple[str, str, str]]:
        """(load, active, sub) of units. Raises Failed when a template is among them: it has none."""
        if not names:
            return {}
        if any(name.rpartition(".")[0].endswith("@") for name in names):
            raise Failed("a template has no state")
        said = self._systemctl("show", "--property=LoadState,ActiveState,SubState", "--", *names)
        found = {}
        for name, block in zip(names, said.strip().split("\n\n"), strict=True):
            values = dict(line.split("=", 1) for line in block.splitlines())
            found[name] = (values["LoadState"], values["ActiveState"], values["SubState"])
        return found

    def _hash(self, name: str) -> str:
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return unitfile.digest(unitfile.deserialize(file.read()))

    def _systemctl(self, *words: str) -> str:
        try:
            done = subprocess.run(["systemctl", *words], capture_output=True, timeout=LIMIT)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"systemctl {' '.join(words)} takes too long") from error
        if done.returncode:
            raise Failed(f"systemctl {' '.join(words)}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode(errors="replace")
