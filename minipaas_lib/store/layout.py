"""Where everything is in the store: the one file that spells the paths. Plugins keep documents of their own beside."""

PLATFORM = "platform.toml"
APPS = "apps"
TRASH = "trash"


def folder(app: str) -> str:
    """All documents of an app, and the name of its lock."""
    return f"{APPS}/{app}"


def app(name: str) -> str:
    """What was asked of an app."""
    return f"{folder(name)}/app.toml"


def releases(app: str) -> str:
    return f"{folder(app)}/releases"


def release(app: str, number: int) -> str:
    return f"{releases(app)}/{number}.toml"


def live(app: str) -> str:
    """The number of the release that gets the traffic."""
    return f"{folder(app)}/live"


def counter(app: str) -> str:
    """The last release number used; it outlives the app."""
    return f"counters/{app}"


def journal(app: str) -> str:
    """The record of the command that is changing the app."""
    return f"{folder(app)}/rollout.toml"


def step(app: str) -> str:
    """The last step that command took."""
    return f"{folder(app)}/step"


def retiring(app: str) -> str:
    """Old processes, and until when each may finish its requests."""
    return f"{folder(app)}/retiring.toml"


def trial(app: str) -> str:
    """How to go back if the live release crashes while the old one drains."""
    return f"{folder(app)}/trial.toml"


def trashed(identity: str) -> str:
    """A destroyed app."""
    return f"{TRASH}/{identity}.toml"
