"""A model on trial on all streams of a group: begun, seen, ended."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.api.context import Context
from services.api.kept.rollouts.views import GroupPath, RolloutStanding, RolloutView, RolloutWish
from services.api.openapi.docs import errors
from services.api.security.audit import ChangesOf

router = APIRouter(prefix="/v1/groups/{group}/rollout", tags=["streams"])


@router.put("", status_code=201, responses=errors(400, 404, 409, 413, 503))
def start_rollout(group: GroupPath, wanted: RolloutWish, context: Context, changes: ChangesOf) -> RolloutView:
    """Gives a model to all streams of a group on trial: where it is worse, each goes back to the one that it had.

    Of every stream it is checked first whether it could have the model; where one could not, nothing is changed.
    Streams begin with an empty memory, now and when they go back. Who joins the group later is not concerned.
    """
    record = context.rollouts.start(group, wanted)
    changes.note(None, wanted)
    return RolloutView.of(record)


@router.get("", responses=errors(404, 409, 503))
def show_rollout(group: GroupPath, context: Context) -> RolloutView:
    """How the group's newest rollout stands; what is over is shown for 90 days."""
    return RolloutView.of(context.rollouts.get(group))


@router.delete("", responses=errors(404, 409, 503))
def end_rollout(
    group: GroupPath,
    context: Context,
    changes: ChangesOf,
    keep: Annotated[bool, Query(description="leave the streams on the model instead")] = False,
) -> RolloutView:
    """Ends the trial now: every stream goes back to the model that it had, in some seconds.

    Streams that somebody else gave another model meanwhile are left alone.
    """
    before, after = context.rollouts.end(group, keep=keep)
    changes.note(RolloutStanding.of(before), RolloutStanding.of(after))
    return RolloutView.of(after)
