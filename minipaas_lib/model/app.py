"""An app as its document (`apps/<app>/app.toml`) describes it."""

from dataclasses import dataclass, field

IDENTITY_KEYS = ("created", "creator", "locked", "stopped")  # keys of its document that do not say how it should run


@dataclass(frozen=True)
class App:
    """The desired state of an app. What runs is in its releases (see model.release)."""

    name: str
    document: dict = field(default_factory=dict)

    @property
    def config(self) -> dict[str, str]:
        """The app's own config, without the global one."""
        return dict(self.document.get("config", {}))

    @property
    def formation(self) -> dict[str, int]:
        """Process type -> desired number of processes, for the types that have one set."""
        return dict(self.document.get("formation", {}))

    @property
    def creator(self) -> str:
        return self.document.get("creator", "")

    @property
    def created(self) -> str:
        """UTC, ISO 8601."""
        return self.document.get("created", "")

    @property
    def frozen(self) -> str:
        """The message of apps:lock, or an empty string."""
        return self.document.get("locked", "")

    @property
    def stopped(self) -> bool:
        """Whether the app was stopped by ps:stop."""
        return bool(self.document.get("stopped", False))

    @property
    def wishes(self) -> dict:
        """The part of the document that says how the app should run; releases keep it and a rollback restores it."""
        return {key: value for key, value in self.document.items() if key not in IDENTITY_KEYS}

    def table(self, plugin: str) -> dict:
        """The table a plugin keeps in the document: `app.table("webhook")`. Empty where there is none."""
        return dict(self.document.get(plugin, {}))
