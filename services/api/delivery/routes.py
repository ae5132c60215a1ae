"""Where events are delivered to."""

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool

from services.api.context import Context
from services.api.delivery.desk import TargetDesk
from services.api.delivery.targets import Target, TargetKind, new_secret
from services.api.openapi.docs import errors
from services.api.protocol.errors import ApiError
from services.api.protocol.parameters import TargetIdPath
from services.api.schemas.targets import (
    DeadLetterList,
    DeadLetterView,
    Replay,
    Replayed,
    TargetCreate,
    TargetCreated,
    TargetList,
    TargetPatch,
    TargetTested,
    TargetView,
    check_url,
    letter_id,
)
from services.api.security.audit import ChangesOf
from shared.errors import SourceFailed

router = APIRouter(prefix="/v1/targets", tags=["delivery"])


@router.post("", status_code=201, responses=errors(400, 409, 413, 503))
def create_target(wanted: TargetCreate, context: Context, changes: ChangesOf) -> TargetCreated:
    """Delivers every event from now on that the target's filters let pass. The answer alone shows the secret."""
    book = context.targets.book
    _check(context.targets, wanted.kind, wanted.url)
    given = {**wanted.model_dump(), "secret": wanted.secret or new_secret()}
    target = Target(**given, created_at_ms=book.now_ms())
    book.add(target)
    changes.note(None, TargetView.of(target))
    return TargetCreated.with_secret(target)


@router.get("", responses=errors(503))
def list_targets(context: Context) -> TargetList:
    """All targets."""
    targets = context.targets.book.all()
    troubles = context.targets.book.told_troubles(targets)
    return TargetList(items=[TargetView.of(target, trouble=troubles.get(name)) for name, target in targets.items()])


@router.get("/{target_id}", responses=errors(404, 503))
def show_target(target_id: TargetIdPath, context: Context) -> TargetView:
    """One target."""
    book = context.targets.book
    return TargetView.of(book.get(target_id), trouble=book.told_troubles([target_id]).get(target_id))


@router.patch("/{target_id}", responses=errors(400, 404, 409, 413, 503))
def change_target(target_id: TargetIdPath, wanted: TargetPatch, context: Context, changes: ChangesOf) -> TargetView:
    """Changes one; while it is not enabled, what waits for it goes on waiting, and nothing is added."""
    given = {name: value for name, value in wanted if value is not None or name == "severity"}
    given = {name: given[name] for name in given.keys() & wanted.model_fields_set}

    def change(target: Target) -> Target:
        fields = dict(given)  # of each attempt its own
        if wanted.url == TargetView.of(target).url and not target.is_locked:  # as it was shown: it stays what it is
            fields.pop("url", None)
        else:
            _check(context.targets, target.kind, wanted.url)
        if target.is_locked and target.kind != "webhook":
            fields.setdefault("secret", new_secret())  # which nobody needs
        gone = None if fields.get("enabled") else target.gone
        return Target(**{**target.model_dump(), **fields, "gone": gone})

    before, target = context.targets.book.change(target_id, change)
    changes.note(TargetView.of(before), TargetView.of(target))
    return TargetView.of(target)


@router.delete("/{target_id}", status_code=204, response_class=Response, responses=errors(404, 503))
def delete_target(target_id: TargetIdPath, context: Context, changes: ChangesOf) -> None:
    """Removes one, what waits for it, and its dead letters."""
    before = context.targets.book.get(target_id)
    context.targets.book.remove(target_id)
    changes.note(TargetView.of(before), None)


@router.post("/{target_id}/test", responses=errors(404, 503))
async def test_target(target_id: TargetIdPath, context: Context) -> TargetTested:
    """Sends a signed message of the type `event.test`. That a receiver does not take it is an answer like any other."""
    target = await run_in_threadpool(context.targets.book.get, target_id)
    reason = await context.targets.test(target)
    return TargetTested(ok=reason is None, reason=reason)


@router.get("/{target_id}/dead-letters", responses=errors(404, 503))
def list_dead_letters(target_id: TargetIdPath, context: Context) -> DeadLetterList:
    """What was given up after a day of attempts, or as the receiver is gone, and why; kept for 30 days."""
    return DeadLetterList(items=[DeadLetterView.of(letter) for letter in context.targets.dead_letters(target_id)])


@router.post("/{target_id}/dead-letters/replay", responses=errors(400, 404, 413, 503))
def replay_dead_letters(target_id: TargetIdPath, wanted: Replay, context: Context) -> Replayed:
    """Puts dead letters back, behind what waits; each has another day."""
    letters = context.targets.dead_letters(target_id)
    chosen = [each for each in letters if wanted.ids is None or letter_id(each) in wanted.ids]
    return Replayed(replayed=context.targets.outbox.replay(chosen))


def _check(desk: TargetDesk, kind: TargetKind, url: str | None) -> None:
    try:
        if url is not None:
            check_url(kind, url)
            desk.check(url)
    except (ValueError, SourceFailed) as err:
        raise ApiError(422, "invalid", f"url: {err}", field="url") from err
