"""A release: build + config + formation + routing under a number that is never reused."""

from dataclasses import asdict, dataclass, field, fields

PENDING = "pending"
RELEASED = "released"
FAILED = "failed"
ROLLOUT_OPTIONS = ("wait_to_retire", "checks")  # options that change nothing in a container


@dataclass(frozen=True)
class Build:
    """What a builder made from a commit."""

    image: str  # image ID, "sha256:..."
    builder: str
    commands: dict[str, str] = field(default_factory=dict)  # process type -> command; "" is the image's own
    port: int = 0  # the port the image itself says its web process listens on (ENV PORT, EXPOSE); 0: none
    notes: tuple[str, ...] = ()  # sentences for the user about the build


@dataclass(frozen=True)
class Release:
    """A release, immutable except for `status`, `failure` and `ended`."""

    app: str
    number: int
    image: str = ""  # empty if the build failed
    created: str = ""  # UTC, ISO 8601
    ended: str = ""  # UTC, ISO 8601: when it went live or failed
    build_seconds: float = 0.0  # how long its build took; 0: it reuses the image of another release
    author: str = ""  # who wrote the commit of a push; of another change, the name of the SSH key
    key: str = ""  # the name of the SSH key it was made with, or "root"
    reason: str = ""
    status: str = PENDING
    failure: str = ""
    commit: str = ""  # empty for a release that no commit made
    builder: str = ""
    commands: dict[str, str] = field(default_factory=dict)  # process type -> command; "" is the image's own
    tasks: dict[str, str] = field(default_factory=dict)  # see deploy.release_tasks -> command
    healthchecks: dict[str, list[dict]] = field(default_factory=dict)  # process type -> checks (see model.healthcheck)
    config: dict[str, str] = field(default_factory=dict)  # the complete environment, global and hooks' included
    formation: dict[str, int] = field(default_factory=dict)
    port: int = 5000  # PORT of web processes
    image_port: int = 0  # the port the image itself names; 0: none
    processes: int = 0  # the number of the release that started the processes; its own unless it kept them
    options: dict[str, dict] = field(default_factory=dict)  # process type -> container options (see ContainerSpec)
    routing: dict = field(default_factory=dict)  # as route_context hooks gave it (see model.route)
    wishes: dict = field(default_factory=dict)  # the app's document it was made from (see App.wishes)

    @property
    def name(self) -> str:
        return f"v{self.number}"

    @property
    def who(self) -> str:
        """Whose key it was made with."""
        return self.key or self.author

    @property
    def build(self) -> Build:
        """The build it runs."""
        return Build(self.image, self.builder, self.commands, self.image_port)

    def runs_as(self, other: "Release") -> bool:
        """Whether processes of `other` may keep running as processes of this release."""
        same = ("image", "commands", "config", "port", "healthchecks")
        return all(getattr(self, name) == getattr(other, name) for name in same) and (
            _containers(self.options) == _containers(other.options)
        )

    def to_document(self) -> dict:
        """The release as a TOML-able dict."""
        return {key: value for key, value in asdict(self).items() if key != "app" and value not in ("", {})}

    @classmethod
    def from_document(cls, app: str, document: dict) -> "Release":
        known = {f.name for f in fields(cls)} - {"app"}
        return cls(app=app, **{key: value for key, value in document.items() if key in known})


def _containers(options: dict[str, dict]) -> dict[str, dict]:
    """The options that affect a container, not only how it is started and retired."""
    kinds = {
        process_type: {key: value for key, value in settings.items() if key not in ROLLOUT_OPTIONS}
        for process_type, settings in options.items()
    }
    return {process_type: settings for process_type, settings in kinds.items() if settings}
