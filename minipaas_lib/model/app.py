"""An app as its document (`apps/<app>/app.toml`) says it is."""

from dataclasses import dataclass, field

NO_WISHES = ("created", "creator", "locked", "stopped")  # of its document: what it is, not how it should run


@dataclass(frozen=True)
class App:
    """What its people want of an app. What runs is in its releases (see model.release)."""

    name: str
    document: dict = field(default_factory=dict)

    @property
    def config(self) -> dict[str, str]:
        """The app's own config; the global one is not merged in."""
        return dict(self.document.get("config", {}))

    @property
    def formation(self) -> dict[str, int]:
        """Process type -> wanted number of processes, where somebody has said one."""
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
        """Whether ps:stop was the last word."""
        return bool(self.document.get("stopped", False))

    @property
    def wishes(self) -> dict:
        """All of the document that says how the app should run; a release keeps it, and going back brings it back."""
        return {key: value for key, value in self.document.items() if key not in NO_WISHES}

    def table(self, name: str) -> dict:
        """The table a plugin keeps in the document: `app.table("domains")`. Empty where there is none."""
        return dict(self.document.get(name, {}))
