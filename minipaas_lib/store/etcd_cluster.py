"""An etcd cluster as a whole: which member to ask, for how long, and what a lost answer meant."""

import math
import os
import ssl
import time
from typing import NamedTuple

from minipaas_lib import errors
from minipaas_lib.store.etcd_client import (
    ANSWER,
    Cleared,
    Differs,
    Event,
    Member,
    Missing,
    Node,
    Unanswered,
    Unsent,
    WrongKind,
    tls_context,
)

LIMIT = 6.0  # seconds for one call, long enough for three members to elect a new leader
LIMIT_AFTER_LOSS = 2.0  # the same when the previous call found no quorum
LOSS_KEPT = 10.0  # seconds for which that is remembered, in the next process too
REFUSED = 1.0  # seconds until a call gives up when all members refuse the connection
RESOLVE = 4.0  # extra seconds to find out whether a write whose answer was lost has happened
HISTORY = 0.5  # seconds to wait for an event of the past, which comes at once
POLL = 10.0  # seconds of one watch request, after which the member must prove that it is alive
LOST = ".lost"  # suffix of the file `memory`
_GONE = ("delete", "compareAndDelete", "expire")

_of_parents: list[dict] = []


class _Decided(Exception):
    """The history shows that a write whose answer was lost has not happened and no longer can."""


class MemberState(NamedTuple):
    """What a member reports of itself."""

    url: str
    version: str  # of the server; empty if it does not answer
    leads: bool
    serves: bool  # the v2 API is on and the member has a quorum
    reason: str  # why not, in a few words


class _Call:
    """The state of one call, which asks the members one after the other."""

    def __init__(self, writes: bool = False) -> None:
        self.writes = writes
        self.unsure = False  # a member may have carried out the request, or may still do so
        self.reasons: dict[str, str] = {}  # by address, why there was no answer


class Cluster:
    """The members at `urls`. A call tries one after the other until one answers or its time is over.

    The member that answered last is asked first the next time, even by the next process: its address is kept in the
    file `memory`, and the time of a loss of quorum as that of `memory`.lost. Safe for threads and greenlets; a forked
    child opens its own connections.
    """

    def __init__(self, urls: tuple[str, ...], ca: str = "", cert: str = "", key: str = "", memory: str = "") -> None:
        self._urls = list(dict.fromkeys(url.rstrip("/") for url in urls))
        self._tls, self._memory = (ca, cert, key), memory
        self._context: ssl.SSLContext | None = None
        self._members: dict[str, Member] = {}
        self._pid, self._lost_at, self._seen = 0, -math.inf, 0
        self._recall()

    def read(self, key: str, recursive: bool = False, quorum: bool = True) -> Node:
        """Read a key from a quorum of the members or (quorum False) from one of them. Raises Missing."""
        flags = {"recursive": recursive, "quorum": quorum}
        params = {name: "true" for name, value in flags.items() if value}
        call = _Call()
        for member, seconds in self._tries(LIMIT, call):
            try:
                return self._note(member, member.ask("GET", key, seconds, **params))
            except (Unsent, Unanswered) as error:
                self._failed(member, error, call)
            except (Missing, WrongKind):
                self._answered(member)
                raise
        raise self._unavailable(call.reasons)

    def swap(self, key: str, value: str, index: int, ttl: float | None = None, claim: bool = False) -> int:
        """Write `value`, which nobody else ever writes, over the version `index` (0: none) and return the new index.

        After a lost answer the key's history decides; a `claim` is given up sooner, as it expires anyway. Raises
        Differs (nothing was written), WrongKind, errors.Unavailable (nothing was written, or it says that it may be).
        """
        since = index or self._seen or self._before(key)
        params = {"value": value, **({"prevIndex": index} if index else {"prevExist": "false"}), **_ttl(ttl)}
        call = _Call(writes=not claim)
        for member, seconds in self._tries(LIMIT, call):
            try:
                if call.unsure and (written := self._search(member, key, value, index, since, seconds)):
                    return written
                return self._note(member, member.ask("PUT", key, seconds, **params)).modified_index
            except (Unsent, Unanswered) as error:
                self._failed(member, error, call)
            except (Differs, Missing):
                if not call.unsure:
                    raise Differs(key) from None
            except _Decided:
                raise Differs(key) from None
        raise self._unavailable(call.reasons, f"{key} was written" if call.unsure and not claim else "")

    def _search(self, member: Member, key: str, value: str, index: int, since: int, seconds: float) -> int:
        """The index at which `value` was written; 0 if it was not but still can be. Raises _Decided."""
        present, deleted = self._present(member, key, seconds), False
        if present and present.value == value:
            return present.modified_index
        if index and present and present.modified_index == index:
            return 0
        while not (present and since >= present.modified_index):
            event = self._event(member, key, since)
            if event is None:
                if present is None and not index:
                    return 0
                if present is None and deleted:
                    break
                raise Unanswered("its history did not come")
            if event.value == value:
                return event.modified_index
            deleted, since = event.action in _GONE, event.modified_index
        raise _Decided

    def _event(self, member: Member, key: str, since: int) -> Event | None:
        try:
            return member.first_event(key, since + 1, HISTORY)
        except Cleared:
            raise Unanswered("its history is too short") from None

    def remove(self, key: str, index: int) -> None:
        """Remove the version `index` of a key. Raises Missing, Differs, errors.Unavailable."""
        call = _Call(writes=True)
        for member, seconds in self._tries(LIMIT, call):
            try:
                if call.unsure and self._is_gone(member, key, index, seconds):
                    return
                self._note(member, member.ask("DELETE", key, seconds, prevIndex=index))
                return
            except (Unsent, Unanswered) as error:
                self._failed(member, error, call)
            except (Missing, Differs):
                if not call.unsure:
                    raise
            except _Decided:
                raise Differs(key) from None
        raise self._unavailable(call.reasons, f"{key} was removed" if call.unsure else "")

    def _is_gone(self, member: Member, key: str, index: int, seconds: float) -> bool:
        """Whether the version `index` was removed. Raises _Decided if it was overwritten."""
        present = self._present(member, key, seconds)
        if present is None:
            return True
        if present.modified_index == index:
            return False
        event = self._event(member, key, index)
        if event is None:
            raise Unanswered("its history did not come")
        if event.action in _GONE:
            return True
        raise _Decided

    def remove_folder(self, key: str, recursive: bool) -> bool:
        """Remove a folder, with its content or only if it is empty; return whether it is gone. Raises Unavailable.

        etcd offers no condition for this, so it is sent once: a second request could remove what was written since.
        """
        call = _Call()
        for member, seconds in self._tries(LIMIT, call):
            try:
                params = {"recursive": "true"} if recursive else {"dir": "true"}
                self._note(member, member.ask("DELETE", key, max(seconds, ANSWER), **params))
                return True
            except Unsent as error:
                self._failed(member, error, call)
            except Unanswered as error:
                self._failed(member, error, call)
                return False
            except Missing:
                return True
            except WrongKind:
                return False
        raise self._unavailable(call.reasons)

    def remove_value(self, key: str, value: str) -> None:
        """Remove a key if its value is `value`, which is unique. Raises Missing, Differs, errors.Unavailable."""
        call = _Call()
        for member, seconds in self._tries(LIMIT, call):
            try:
                self._note(member, member.ask("DELETE", key, seconds, prevValue=value))
                return
            except (Unsent, Unanswered) as error:
                self._failed(member, error, call)
        raise self._unavailable(call.reasons)

    def refresh(self, key: str, value: str | None, ttl: float) -> int:
        """Keep a key for `ttl` more seconds without notifying watchers, and return its index.

        With `value`, only if it still has that value. Raises Missing, Differs, errors.Unavailable.
        """
        params = {"refresh": "true", "prevExist": "true", **({"prevValue": value} if value else {}), **_ttl(ttl)}
        call = _Call()
        for member, seconds in self._tries(LIMIT, call):
            try:
                return self._note(member, member.ask("PUT", key, seconds, **params)).modified_index
            except (Unsent, Unanswered) as error:
                self._failed(member, error, call)
        raise self._unavailable(call.reasons)

    def wait(self, key: str, since: int, timeout: float) -> tuple[int | None, int]:
        """Wait for a change of `key`, or below it, after the index `since`.

        Returns the latest known index, or None after `timeout`, and an index up to which nothing changed.
        Raises Cleared, and errors.Unavailable when no member can be reached.
        """
        deadline = time.monotonic() + timeout
        quiet = since
        while True:
            call = _Call()
            for member, _ in self._tries(LIMIT, call):
                try:
                    before = self._alive(member)
                    left = min(POLL, max(deadline - time.monotonic(), HISTORY / 2))
                    event = member.first_event(key, quiet + 1, left, recursive=True)
                    break
                except (Unsent, Unanswered) as error:
                    self._failed(member, error, call)
            else:
                raise self._unavailable(call.reasons)
            if event:
                return max(event.modified_index, before), before
            quiet = max(quiet, before)
            if time.monotonic() >= deadline:
                return None, quiet

    def _alive(self, member: Member) -> int:
        """The member's index; asking for it detects a silent member before the wait."""
        try:
            return self._note(member, member.ask("GET", "/", ANSWER)).etcd_index
        except Missing:
            return 0

    def _present(self, member: Member, key: str, seconds: float) -> Node | None:
        try:
            return member.ask("GET", key, seconds, quorum="true")
        except (Missing, WrongKind):
            return None

    def _before(self, key: str) -> int:
        """An index before the first attempt to write the key."""
        try:
            return self.read(key).etcd_index
        except (Missing, WrongKind):
            return self._seen

    def states(self) -> list[MemberState]:
        """Ask every member for its state; a silent one costs a few seconds."""
        return [_state(self._member(url)) for url in sorted(self._urls)]

    def members(self) -> list[Member]:
        """A client for every member, whether it answers or not."""
        return [self._member(url) for url in self._urls]

    def _member(self, url: str) -> Member:
        if self._pid != os.getpid():  # a child must not use its parent's connections
            _of_parents.append(self._members)  # nor close them: their descriptors may be other files already
            self._members, self._pid = {}, os.getpid()
        if url not in self._members:
            if url.startswith("https:") and self._context is None:
                self._context = tls_context(*self._tls)
            self._members[url] = Member(url, self._context)
        return self._members[url]

    def _tries(self, limit: float, call: _Call):
        """Yield (member, seconds it may take) until the time is over or all of them refuse the connection."""
        began = time.monotonic()
        resolve, share = RESOLVE if call.writes else 0.0, ANSWER
        if began - self._lost_at < LOSS_KEPT:
            limit, resolve, share = LIMIT_AFTER_LOSS, 0.0, LIMIT_AFTER_LOSS / len(self._urls)
        while True:
            refused = True
            for url in list(self._urls):
                left = began + limit + (resolve if call.unsure else 0.0) - time.monotonic()
                if left <= 0:
                    return
                yield self._member(url), min(share, max(left, 0.2))
                refused = refused and "refused" in call.reasons.get(url, "")
            if refused and time.monotonic() - began > REFUSED:
                return
            time.sleep(0.1)

    def _note(self, member: Member, node: Node) -> Node:
        """Remember that the member answered, and return its answer."""
        self._seen = max(self._seen, node.etcd_index)
        self._answered(member)
        return node

    def _answered(self, member: Member) -> None:
        if self._lost_at > -math.inf:
            self._forget_loss()
        if self._memory and self._remembered != member.url:
            self._remember(member.url)

    def _failed(self, member: Member, error: Exception, call: _Call) -> None:
        """Ask the member last from now on."""
        call.reasons[member.url] = str(error)
        call.unsure = call.unsure or isinstance(error, Unanswered)
        if self._urls[0] == member.url:
            self._urls = [*self._urls[1:], member.url]

    def _recall(self) -> None:
        """Start with the member that answered the last process."""
        try:
            with open(self._memory, encoding="utf-8") as file:
                last = file.read(1000).strip()
            self._urls.sort(key=lambda url: url != last)
        except (OSError, ValueError):
            pass
        self._remembered = self._urls[0]
        try:
            self._lost_at = time.monotonic() - max(0.0, time.time() - os.stat(self._memory + LOST).st_mtime)
        except OSError:
            pass

    def _remember(self, url: str) -> None:
        self._remembered = url
        try:
            os.makedirs(os.path.dirname(self._memory), mode=0o700, exist_ok=True)
            part = f"{self._memory}.{os.getpid()}"
            with open(part, "w", encoding="utf-8") as file:
                file.write(url + "\n")
            os.replace(part, self._memory)
        except OSError:  # it only saves time
            pass

    def _remember_loss(self) -> None:
        self._lost_at = time.monotonic()
        if self._memory:
            try:
                os.makedirs(os.path.dirname(self._memory), mode=0o700, exist_ok=True)
                with open(self._memory + LOST, "w", encoding="utf-8"):
                    pass
            except OSError:  # it only saves time
                pass

    def _forget_loss(self) -> None:
        self._lost_at = -math.inf
        if self._memory:
            try:
                os.unlink(self._memory + LOST)
            except OSError:
                pass

    def _unavailable(self, reasons: dict[str, str], unknown: str = "") -> errors.Unavailable:
        self._remember_loss()
        where = ", ".join(f"{url} ({reasons[url]})" if url in reasons else url for url in sorted(self._urls))
        reached = any("request timed out" in reason or "leader" in reason for reason in reasons.values())
        state = "has no quorum" if reached or _silent_minority(reasons, len(self._urls)) else "does not answer"
        after = f"; whether {unknown} shows when it answers again" if unknown else ""
        return errors.Unavailable(
            f"etcd {state} at {where}: sites keep serving{after}",
            "start etcd on a majority of its machines, then repeat the command",
        )


def _state(member: Member) -> MemberState:
    version, leads = "", False
    try:
        version = str(member.get_json("/version")["etcdserver"])
        leads = member.get_json("/v2/stats/self").get("state") == "StateLeader"
    except (Unsent, Unanswered, LookupError, TypeError, AttributeError) as error:
        if not version:
            return MemberState(member.url, "", False, False, str(error))
    try:
        member.ask("GET", "/", quorum="true")
    except (Unsent, Unanswered) as error:
        return MemberState(member.url, version, leads, False, str(error))
    return MemberState(member.url, version, leads, True, "")


def _silent_minority(reasons: dict[str, str], members: int) -> bool:
    """Whether some members accepted the request and none of them could answer."""
    return any(reason == "timed out" for reason in reasons.values()) and len(reasons) == members > 1


def _ttl(seconds: float | None) -> dict[str, int]:
    """etcd counts whole seconds."""
    return {} if seconds is None else {"ttl": max(1, -int(-seconds // 1))}
