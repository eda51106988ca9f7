"""The extensions of one execution environment: who registered for what, who waits, who is still busy.

State without sockets: `extensions_api` answers requests by it, `environment` hands events through it. An identifier is
random, so that nobody can speak for another one.
AWS: Lambda Developer Guide, "Using the Lambda Extensions API to create extensions"; error types and texts as the public
Runtime Interface Emulator renders them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from undercast.core.ids import Ids
from undercast.sandbox.lifecycle import ExtensionState, may_become

MAX_EXTENSIONS = 10
"""Lambda Developer Guide: "You can register up to 10 extensions for a function"."""
INVOKE, SHUTDOWN = "INVOKE", "SHUTDOWN"
_NOT_ALLOWED = "State transition is not allowed"


class Refused(Exception):
    """A request that AWS answers with 403."""

    def __init__(self, error_type: str, text: str) -> None:
        super().__init__(text)
        self.error_type = error_type
        self.text = text


class Poll(Protocol):
    """A `next` request that waits for its answer."""

    waits: bool
    """Until it is answered or its connection ends."""

    def send(self, head: bytes, payload: bytes) -> None:
        """Answer it."""
        ...


@dataclass(slots=True, eq=False, kw_only=True)
class Extension:
    """One extension. External ones are known by their file before they register."""

    name: str
    external: bool
    id: str
    state: ExtensionState = ExtensionState.STARTED
    events: tuple[str, ...] = ()
    error_type: str = ""
    poll: Poll | None = None
    pending: bytes | None = None
    """An event that came while it did not wait."""

    @property
    def has_asked(self) -> bool:
        """Whether it waits for an event, or its connection broke while it did."""
        return self.state is ExtensionState.READY


@dataclass(slots=True, eq=False)
class Extensions:
    """See the module. `on_change` is told when the last external one has registered or the last awaited one asked."""

    ids: Ids
    on_change: Callable[[], None]
    by_name: dict[str, Extension] = field(default_factory=dict)
    by_id: dict[str, Extension] = field(default_factory=dict)
    open: bool = False
    """Whether one may register: until the runtime asks for its first event."""
    busy: int = 0
    """How many have their INVOKE event and have not asked for the next one."""
    first_error: str = ""
    """The error type under which AWS tells the end of an extension that said why: init/error or exit/error."""
    _invoked: tuple[Extension, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.by_name)

    def restart(self, external: Sequence[str]) -> None:
        """INIT begins: forget whoever was here, expect these files to register."""
        self.by_name.clear()
        self.by_id.clear()
        self._invoked = ()
        self.busy = 0
        self.first_error = ""
        self.open = True
        for name in external:
            self._add(name, external=True)

    def _add(self, name: str, *, external: bool) -> Extension:
        extension = Extension(name=name, external=external, id=self.ids.uuid())
        self.by_name[name] = self.by_id[extension.id] = extension
        return extension

    # What extensions ask

    def find(self, identifier: str) -> Extension:
        """By the identifier that it was given."""
        found = self.by_id.get(identifier.lower())
        if found is None or found.state is ExtensionState.STARTED:
            raise Refused("Extension.UnknownExtensionIdentifier", f"Unknown extension {identifier}")
        return found

    def register(self, name: str, events: Sequence[str]) -> Extension:
        """External ones by their file's name; any other name is an internal one, which cannot have SHUTDOWN."""
        known = self.by_name.get(name)
        external = known is not None and known.external
        for event in events:
            if event not in ((INVOKE, SHUTDOWN) if external else (INVOKE,)):
                raise Refused("Extension.InvalidEventType", f"{event}: {_event_problem(event)}")
        if known is None:
            if not self.open:
                raise Refused("Extension.RegistrationClosed", "Extension registration closed already")
            if len(self.by_name) >= MAX_EXTENSIONS:
                raise Refused("Extension.TooManyExtensions", f"Extension limit ({MAX_EXTENSIONS}) reached")
            known = self._add(name, external=False)
        elif not external:
            raise Refused("Extension.InvalidExtensionState", "Extension with this name already registered")
        _become(known, ExtensionState.REGISTERED, name)
        known.events = tuple(dict.fromkeys(events))
        if external and self.all_registered:
            self.on_change()
        return known

    def ask(self, extension: Extension, poll: Poll) -> None:
        """`next`: it is done with what it had and waits for the next event."""
        if extension.has_asked and (extension.poll is None or not extension.poll.waits):
            extension.state = ExtensionState.RUNNING  # its connection broke; on AWS it could never ask again
        was_running = extension.state is ExtensionState.RUNNING
        _become(extension, ExtensionState.READY, extension.id)
        extension.poll = poll
        poll.waits = True
        if extension.pending is not None:
            event, extension.pending = extension.pending, None
            self._send(extension, event)
        elif was_running and self.busy and extension in self._invoked:
            self.busy -= 1
            if not self.busy:
                self.on_change()
        elif not was_running and self.all_asked:
            self.on_change()

    def fail(self, extension: Extension, state: ExtensionState, error_type: str) -> None:
        """init/error or exit/error: from here on it can ask nothing. The first error counts."""
        before = extension.state
        _become(extension, state, extension.id)
        if before is not state:
            extension.error_type = error_type
            extension.poll = None
            self.first_error = self.first_error or f"Extension.{state}"

    # What the environment asks

    @property
    def all_registered(self) -> bool:
        """Whether every external one is there; then the runtime starts."""
        return all(extension.state is not ExtensionState.STARTED for extension in self.by_name.values())

    @property
    def all_asked(self) -> bool:
        """Whether everyone waits for an event; then INIT is over, as far as they are concerned."""
        return all(extension.has_asked for extension in self.by_name.values())

    @property
    def external(self) -> bool:
        """Whether there is an external one."""
        return any(extension.external for extension in self.by_name.values())

    @property
    def internal(self) -> bool:
        """Whether there is an internal one."""
        return any(not extension.external for extension in self.by_name.values())

    def close_registration(self) -> None:
        """The runtime has asked for its first event: who comes now comes too late."""
        self.open = False
        self._invoked = tuple(member for member in self.by_name.values() if INVOKE in member.events)

    def launch_failed(self, name: str, error_type: str) -> None:
        """Its program cannot be executed, or it is one too many."""
        extension = self.by_name[name]
        extension.state = ExtensionState.LAUNCH_ERROR
        extension.error_type = error_type

    def invoke(self, event: Callable[[], Mapping[str, Any]]) -> None:
        """Hand an INVOKE event to everyone who registered for it."""
        if not self._invoked:
            return
        self.busy = len(self._invoked)
        payload = json.dumps(event()).encode()
        for extension in self._invoked:
            self._send(extension, payload)

    def shut_down(self, reason: str, deadline_ms: int) -> set[str]:
        """Hand SHUTDOWN to everyone who registered for it: the names. Who does not wait now gets it when it asks."""
        event = {"eventType": SHUTDOWN, "deadlineMs": deadline_ms, "shutdownReason": reason}
        payload = json.dumps(event).encode()
        told = [member for member in self.by_name.values() if SHUTDOWN in member.events]
        self.busy = 0
        for extension in told:
            self._send(extension, payload)
        return {extension.name for extension in told}

    def _send(self, extension: Extension, payload: bytes) -> None:
        poll = extension.poll
        if not extension.has_asked or poll is None or not poll.waits:
            extension.pending = payload
            return
        extension.poll = None
        extension.state = ExtensionState.RUNNING
        head = (
            f"HTTP/1.1 200 OK\r\nLambda-Extension-Event-Identifier: {self.ids.uuid()}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        )
        poll.send(head.encode(), payload)


def _become(extension: Extension, state: ExtensionState, named: str) -> None:
    if not may_become(extension.state, state):
        text = f"State transition from {extension.state} to {state} failed for extension {named}. Error: {_NOT_ALLOWED}"
        raise Refused("Extension.InvalidExtensionState", text)
    extension.state = state


def _event_problem(event: str) -> str:
    return "ShutdownEventNotSupportedForInternalExtension" if event == SHUTDOWN else "ErrorInvalidEventType"
