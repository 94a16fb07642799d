"""A systemd in memory, for the double's tests: what becomes of a unit is read from its options."""

from tests.cluster.fleet_double import unitfile
from tests.cluster.fleet_double.systemd import Failed

IDLE = ("loaded", "inactive", "dead")


class FakeSystemd:
    def __init__(self) -> None:
        self.hashes: dict[str, str] = {}
        self.files: dict[str, dict[str, str]] = {}  # unit -> its options, by name
        self.loaded: dict[str, tuple[str, str, str]] = {}
        self.log: list[tuple[str, str]] = []

    def names(self) -> list[str]:
        return sorted(self.files)

    def write(self, name: str, options: list[unitfile.Option]) -> None:
        self.files[name] = {option.name: option.value for option in options}
        self.hashes[name] = unitfile.digest(options)
        bad = "ExecStart" in self.files[name] and not self.files[name]["ExecStart"].startswith("/")
        self.loaded[name] = ("bad-setting", "inactive", "dead") if bad else IDLE

    def remove(self, name: str) -> None:
        self.log.append(("remove", name))
        self.hashes.pop(name, None)
        self.files.pop(name, None)
        if self.loaded.pop(name, IDLE) == IDLE:  # stopped at once: systemd has forgotten it already
            raise Failed(f"{name} not loaded")

    def reload(self) -> None:
        self.log.append(("reload", ""))

    def start(self, name: str) -> None:
        self.log.append(("start", name))
        options = self.files[name]
        if self.loaded[name][0] != "loaded":
            raise Failed("bad unit file setting")
        if name.endswith(".timer"):
            state = ("active", "waiting")
        elif options["ExecStart"] == "/bin/false":
            state = ("failed", "failed")
        elif options.get("RemainAfterExit"):
            state = ("active", "exited")
        else:
            state = ("active", "running")
        self.loaded[name] = ("loaded", *state)

    def stop(self, name: str) -> None:
        self.log.append(("stop", name))
        if self.loaded[name][0] != "loaded":
            raise Failed(f"{name} not loaded")
        container = "docker run" in self.files[name].get("ExecStart", "")  # docker ends with 137 then
        self.loaded[name] = ("loaded", "failed", "failed") if container and self.loaded[name] != IDLE else IDLE

    def states(self, names: list[str]) -> dict[str, tuple[str, str, str]]:
        if any("@." in name for name in names):
            raise Failed("a template has no state")
        return {name: self.loaded.get(name, ("not-found", "inactive", "dead")) for name in names}
