"""Make the words of a build readable: steps and what their commands print stay, bookkeeping goes. Pure."""

import re
from collections import deque

LINE_LIMIT = 1000  # characters of one line that are shown
LAST_LINES = 10
_STEPS_REMEMBERED = 100

_HIDDEN_STEP = re.compile(
    r"\[internal\] |\[auth\] |exporting to |resolve image config |docker-image://|importing cache "
)
_BOOKKEEPING = re.compile(
    r"sha256:|DONE |transferring |extracting |resolve |exporting |writing image |naming to |preparing |unpacking "
    r"|\.\.\.$|CANCELED"
)
_REASON_PREFIXES = re.compile(
    r"^(ERROR: |error: |failed to solve(?: with frontend [^ ]+)?: |failed to create LLB definition: "
    r"|failed to build LLB: "
    r"|rpc error: code = \w+ desc = |failed to compute cache key: |failed to calculate checksum of ref [^ ]+ )+"
)
_EXIT_CODE = re.compile(
    r"(?:executor failed running|process \".*\" did not complete successfully|The command '.*' returned).*?"
    r": (?:exit code: )?(\d+)$"
)
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Progress:
    """The progress of a build. `feed` takes a line and returns those to show."""

    def __init__(self) -> None:
        self.failed_step = ""  # the step that ended the build
        self.reason = ""  # why, in the builder's own words
        self.last: list[str] = []  # what the failed step printed last

    def feed(self, line: str) -> list[str]:
        raise NotImplementedError


class BuildKitProgress(Progress):
    """Reads `docker build --progress=plain`: `#<step> <text>` lines, steps interleaved, a summary after a failure."""

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[str, str] = {}
        self._printed: dict[str, deque[str]] = {}
        self._shown = ""  # the step whose heading was shown last
        self._in_summary = False

    def feed(self, line: str) -> list[str]:
        line = clean(line)
        found = re.fullmatch(r"#(\d+) (.*)", line)
        if found and not self._in_summary:
            return self._of_step(*found.groups())
        return self._outside(line)

    def _of_step(self, step: str, text: str) -> list[str]:
        if step not in self._names:
            self._names[step] = text
            return [] if self._hidden(step) else self._heading(step)
        if text.startswith("ERROR: "):
            self.failed_step, self.reason = self._names[step].removeprefix("[internal] "), reason_of(text)
            self.last = list(self._printed.get(step, ()))
            return []
        printed = re.fullmatch(r"\d+\.\d+ ?(.*)", text)
        if printed and not self._hidden(step):
            self._remember(step, printed[1])
            return self._heading(step) + ["  " + printed[1]]
        if text == "CACHED":
            return self._heading(step) + ["  (cached)"]
        if text.startswith("DONE "):
            self._printed.pop(step, None)
        elif text != self._names[step] and not self._hidden(step) and not _BOOKKEEPING.match(text):
            return self._heading(step) + ["  " + text]
        return []

    def _outside(self, line: str) -> list[str]:
        if line.startswith("------"):
            self._in_summary = True
        elif line.strip():
            if not self.failed_step or not self.reason:
                self.reason = reason_of(line)
            if not self._in_summary and line.startswith(("WARNING", "WARN")):
                return [line]
        return []

    def _heading(self, step: str) -> list[str]:
        if self._shown == step:
            return []
        self._shown = step
        return [self._names[step]]

    def _hidden(self, step: str) -> bool:
        return bool(_HIDDEN_STEP.match(self._names[step]))

    def _remember(self, step: str, text: str) -> None:
        if len(self._printed) >= _STEPS_REMEMBERED and step not in self._printed:
            self._printed.pop(next(iter(self._printed)))
        self._printed.setdefault(step, deque(maxlen=LAST_LINES)).append(text)


class ClassicProgress(Progress):
    """Reads `docker build` of a client or engine without BuildKit: `Step 2/3 : RUN ...`, then what it prints."""

    _NOISE = re.compile(
        r" --->|Removing intermediate|Sending build context|Successfully |DEPRECATED: |\s*Install the buildx"
        r"|\s*BuildKit with|\s*https://docs.docker.com/go/buildx"
    )

    def __init__(self) -> None:
        super().__init__()
        self._printed: deque[str] = deque(maxlen=LAST_LINES)

    def feed(self, line: str) -> list[str]:
        line = clean(line)
        step = re.fullmatch(r"Step (\d+/\d+) : (.*)", line)
        if step:
            self.failed_step = f"[{step[1]}] {step[2]}"
            self._printed.clear()
            return [self.failed_step]
        if not line.strip() or self._NOISE.match(line):
            return []
        self.last = list(self._printed)
        self.reason = reason_of(line)
        self._printed.append(line)
        return ["  " + line]


def clean(line: str) -> str:
    """The line without terminal control, cut at the limit."""
    line = _ESCAPES.sub("", line.replace("\t", "    ")).rstrip()
    return line if len(line) <= LINE_LIMIT else line[:LINE_LIMIT] + "…"


def reason_of(line: str) -> str:
    """What an error line says, without the builder's inner layers: "exit code 1"."""
    text = _REASON_PREFIXES.sub("", line.strip())
    found = _EXIT_CODE.search(text)
    return f"exit code {found[1]}" if found else text[:300]


_TRY_LOCALLY = "try the same on your machine: docker build ."
_HINTS = (
    (r"no space left on device", "look for a full disk, then push again: doctor"),
    (r"exit code 137", "the step was killed, most likely for lack of memory; to see what builds may use: guard:report"),
    (r"exit code", _TRY_LOCALLY),
    (r"target stage|build target", "name a stage of the Dockerfile: builder-dockerfile:set <app> target <stage>"),
    (
        r"parse error|unknown instruction|no build stage|no instructions|cannot be empty",
        "correct that line of the Dockerfile",
    ),
    (
        r"x509: certificate",
        (
            "docker does not trust that registry; as root, put its authority's certificate into "
            "/etc/docker/certs.d/<registry>/ca.crt"
        ),
    ),
    (
        r"failed to do request|pull access denied|manifest|failed to resolve|no such host",
        "check the image that FROM names, and whether this host reaches its registry",
    ),
    (r"not found|no such file|forbidden path", "commit the file, and make sure that .dockerignore does not hide it"),
)


def hint_for(reason: str) -> str:
    """The next thing to do about a failure."""
    return next((hint for pattern, hint in _HINTS if re.search(pattern, reason)), _TRY_LOCALLY)
