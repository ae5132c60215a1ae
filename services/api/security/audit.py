"""The audit log: a line for each write, with who asked, from where, for what, and what it changed."""

import logging
from collections.abc import Mapping
from itertools import count
from typing import Annotated, Any, Final

from fastapi import Depends
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.protocol.errors import MAX_PATH
from services.api.security.keys import Caller
from services.api.security.policy import asked, is_told, rule_for
from shared.streams import StreamSpec
from shared.words.plain_words import is_plain
from shared.words.redaction import redact, shown_source

MAX_VALUE: Final = 200
NOT_TOLD: Final = frozenset({"generation", "created_at_ms", "digest", "key", "model_asks", "revision"})

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)  # whatever else is not wanted in the log


class Changes:
    """What a request changed, as its route says."""

    def __init__(self) -> None:
        self._told: list[str] = []

    def __str__(self) -> str:
        return "".join(f"; {each}" for each in self._told)

    def note(self, before: BaseModel | None, after: BaseModel | None) -> None:
        """Notes the fields that differ; of a source, what may be seen."""
        old, new = _fields(before), _fields(after)
        for name in (old | new).keys() - NOT_TOLD:
            if old.get(name) != new.get(name):
                self._told.append(f"{name} {_shown(name, old)} → {_shown(name, new)}")
        self._told.sort()


class Audit:
    """Writes the line when the answer begins. Lines are numbered: none is kept back as a repetition, or missed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        if not is_told(scope):
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["changes"] = Changes()

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start" and "caller" in state:
                self._write(scope, state["caller"], message["status"], state["changes"])
            await send(message)

        await self._app(scope, receive, send_noted)

    def _write(self, scope: Scope, caller: Caller, status: int, changes: Changes) -> None:
        method, path = asked(scope)
        is_plain_path = len(path) <= MAX_PATH and all(map(is_plain, path.split("/")))
        is_shown = status < 400 or is_plain_path  # what there is has an id, and no secret
        place = path if is_shown else getattr(scope.get("route"), "path", "unmatched")
        who = f"{caller.key_id} ({caller.name}, {caller.role})" if caller.key_id else caller.name
        address = (scope.get("client") or ("nowhere", 0))[0]
        extra = {"stream_id": rule_for(method, path).stream_id} if is_shown else {}
        line = "audit %d: %s from %s: %s %s: %d%s"
        log.info(line, next(self._numbers), who, address, method, place, status, changes, extra=extra)


def _fields(model: BaseModel | None) -> dict[str, Any]:
    if model is None:
        return {}
    fields = model.model_dump(mode="json", include=set(type(model).model_fields))  # what is not known may be secret
    return fields | {"source": shown_source(model.source)} if isinstance(model, StreamSpec) else fields


def _shown(name: str, fields: Mapping[str, Any]) -> str:
    if name not in fields:
        return "nothing"
    text = redact(str(fields[name]))
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"


def _changes_of(connection: HTTPConnection) -> Changes:
    changes: Changes = connection.state.changes
    return changes


ChangesOf = Annotated[Changes, Depends(_changes_of)]
