"""The errors that users see. Each is a sentence about what is wrong and, as `hint`, the next thing to type."""


class MinipaasError(Exception):
    """Base of all errors that are shown to the user without a traceback.

    `message` says what is wrong with what was typed; `hint` is the next thing to type; `exit_code` is the
    process's exit status (a number of sysexits if one fits).
    """

    exit_code = 1
    phase = ""  # what a rollout was doing, such as "while starting web.1"
    evidence: tuple[str, ...] = ()  # lines to show with it: a title, then the last lines a process printed
    plugin = ""  # the third-party plugin that raised it

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(MinipaasError):
    """What was typed is not a valid call: wrong name, wrong value, missing argument."""

    exit_code = 2


class NotFound(MinipaasError):
    """The app, release, key or document named does not exist."""


class Conflict(MinipaasError):
    """A compare-and-swap failed because of another writer. Callers retry; users rarely see it."""

    exit_code = 75


class Locked(MinipaasError):
    """Somebody else is changing the same app. Says who, since when and from where."""

    exit_code = 75


class Denied(MinipaasError):
    """The key may not do this."""

    exit_code = 77


class BadConfig(MinipaasError):
    """A document in the store or a setting of the host is invalid."""

    exit_code = 78


class InvalidFile(MinipaasError):
    """A file of the app's repository (Procfile, app.json) is invalid; the message has its name and the place."""


class Unavailable(MinipaasError):
    """A part of the host (docker, nginx, the disk) does not answer or refuses."""


class BuildFailed(MinipaasError):
    """The builder could not build an image from the commit."""


class DeployFailed(MinipaasError):
    """A release could not go live. What served before still serves."""


class Cancelled(MinipaasError):
    """The client hung up, or the process was asked to stop, before traffic moved."""


class PluginFailed(MinipaasError):
    """A third-party plugin crashed, hung or returned an invalid value."""


def words(error: BaseException) -> str:
    """The message of any exception, or its type if it has none."""
    return error.message if isinstance(error, MinipaasError) else (str(error) or type(error).__name__)
