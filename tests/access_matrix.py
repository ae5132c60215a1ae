"""Who may do what, route by route: what `test_api_access` asks of the app."""

from api_server import an_event

CALLERS = ("no key", "wrong", "cut", "expired", "revoked", "viewer", "operator", "admin", "other group", "own group")
STARTED_MS = 1_700_000_000_000
EVENT = an_event("door", STARTED_MS).id

READ = "viewer operator admin"
WRITE = "operator admin"
ADMIN = "admin"
ALL = " ".join(CALLERS)

MATRIX: dict[str, tuple[str, str]] = {
    # route: who is let through, and what becomes of a key for another group's streams: it is let through (own part),
    # told that there is no such thing (hidden), or refused
    "GET /": (ALL, "own part"),
    "GET /page/{path:path}": (ALL, "own part"),
    "GET /healthz": (ALL, "own part"),
    "GET /readyz": (ALL, "own part"),
    "POST /v1/streams": (WRITE, "own part"),
    "GET /openapi.json": (ALL, "own part"),
    "GET /docs": (ALL, "own part"),
    "GET /docs/{name}": (ALL, "own part"),
    "GET /v1/streams": (READ, "own part"),
    "GET /v1/streams/{stream_id}": (READ, "hidden"),
    "PUT /v1/streams/{stream_id}": (WRITE, "hidden"),
    "PATCH /v1/streams/{stream_id}": (WRITE, "hidden"),
    "POST /v1/streams/{stream_id}/pause": (WRITE, "hidden"),
    "POST /v1/streams/{stream_id}/resume": (WRITE, "hidden"),
    "DELETE /v1/streams/{stream_id}": (WRITE, "hidden"),
    "POST /v1/streams/probe": (WRITE, "own part"),
    "GET /v1/streams/{stream_id}/scores": (READ, "hidden"),
    "GET /v1/streams/{stream_id}/snapshot.jpg": (READ, "hidden"),
    "GET /v1/streams/{stream_id}/frames.jpg": (READ, "hidden"),
    "POST /v1/streams/{stream_id}/thresholds/preview": (READ, "hidden"),
    "GET /v1/groups": (READ, "own part"),
    "PUT /v1/groups/{group}/rollout": (WRITE, "refused"),
    "GET /v1/groups/{group}/rollout": (READ, "refused"),
    "DELETE /v1/groups/{group}/rollout": (WRITE, "refused"),
    "GET /v1/events": (READ, "own part"),
    "GET /v1/events/export": (READ, "own part"),
    "GET /v1/events/counts": (READ, "own part"),
    "POST /v1/events/reviewed": (READ, "own part"),
    "PUT /v1/events/{event_id}/reviewed": (READ, "hidden"),
    "DELETE /v1/events/{event_id}/reviewed": (READ, "hidden"),
    "GET /v1/events/live": (READ, "own part"),
    "WS /v1/events/live": (READ, "own part"),
    "WS /v1/live": (READ, "own part"),
    "GET /v1/streams/{stream_id}/live.mjpeg": (READ, "hidden"),
    "POST /v1/secrets/rotate": (ADMIN, "refused"),
    "GET /v1/events/{event_id}": (READ, "hidden"),
    "DELETE /v1/events/{event_id}": (WRITE, "hidden"),
    "POST /v1/events/{event_id}/acknowledge": (WRITE, "hidden"),
    "PUT /v1/events/{event_id}/feedback": (WRITE, "hidden"),
    "DELETE /v1/events/{event_id}/feedback": (WRITE, "hidden"),
    "GET /v1/events/{event_id}/pictures/{kind}.jpg": (READ, "hidden"),
    "GET /v1/events/{event_id}/clip.mp4": (READ, "hidden"),
    "PUT /v1/events/{event_id}/keep": (WRITE, "hidden"),
    "DELETE /v1/events/{event_id}/keep": (WRITE, "hidden"),
    "POST /v1/streams/{stream_id}/forget": (WRITE, "hidden"),
    "GET /v1/models": (READ, "own part"),
    "GET /v1/models/{model_name}/card": (READ, "own part"),
    "GET /v1/version": (READ, "own part"),
    "GET /v1/workers": (READ, "own part"),
    "GET /v1/system": (WRITE, "refused"),
    "POST /v1/session": (ALL, "own part"),
    "GET /v1/session": (READ, "own part"),
    "DELETE /v1/session": (READ, "own part"),
    "POST /v1/targets": (ADMIN, "refused"),
    "GET /v1/targets": (ADMIN, "refused"),
    "GET /v1/targets/{target_id}": (ADMIN, "refused"),
    "PATCH /v1/targets/{target_id}": (ADMIN, "refused"),
    "DELETE /v1/targets/{target_id}": (ADMIN, "refused"),
    "POST /v1/targets/{target_id}/test": (ADMIN, "refused"),
    "GET /v1/targets/{target_id}/dead-letters": (ADMIN, "refused"),
    "POST /v1/targets/{target_id}/dead-letters/replay": (ADMIN, "refused"),
    "POST /v1/keys": (ADMIN, "refused"),
    "GET /v1/keys": (ADMIN, "refused"),
    "GET /v1/keys/{key_id}": (ADMIN, "refused"),
    "DELETE /v1/keys/{key_id}": (ADMIN, "refused"),
}
"""Of every route; one without a row fails `test_every_route_has_its_row`."""


HIDDEN = {
    "{stream_id}": "door",
    "{event_id}": EVENT,
    "{key_id}": "0123456789abcdef",
    "{group}": "north",
    "{target_id}": "home",
    "{model_name}": "camera-events",
    "{name}": "swagger-ui.css",
    "{path:path}": "app.js",
    "{kind}": "peak",
}
UNKNOWN = {"no key": "key_missing", "wrong": "key_wrong", "cut": "key_malformed"} | {
    why: f"key_{why}" for why in ("expired", "revoked")
}


def path_of(route: str) -> str:
    path = route.split()[1]
    for name, value in HIDDEN.items():
        path = path.replace(name, value)
    return path


def expected(route: str, caller: str) -> str:
    of_request = expected_of_request(route, caller)
    return "refused" if route.startswith("WS ") and of_request != "through" else of_request


def expected_of_request(route: str, caller: str) -> str:
    may, of_groups = MATRIX[route]
    if may == ALL:
        return "through"
    if caller in UNKNOWN:
        return UNKNOWN[caller]
    role = "operator" if caller.endswith("group") else caller
    if role not in may.split():
        return "role_too_low"
    if caller.endswith("group") and of_groups == "refused":
        return "not_for_groups"
    return "stream_unknown" if caller == "other group" and of_groups == "hidden" else "through"
