"""The models that streams can use."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.api.context import Context
from services.api.kept.catalog import Model
from services.api.schemas.service import ModelList, ModelView

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
def list_models(
    context: Context, usable: Annotated[bool | None, Query(description="only those that are, or are not")] = None
) -> ModelList:
    """Every model folder on this machine, the unusable ones with the reason."""
    views = [_view_of(model) for model in context.catalog.models()]
    return ModelList(items=[view for view in views if usable in {None, view.usable}])


def _view_of(model: Model) -> ModelView:
    manifest = model.manifest
    if manifest is None:
        return ModelView(name=model.name, usable=False, reason=model.reason)
    return ModelView(
        name=model.name,
        usable=model.reason is None,
        reason=model.reason,
        reference=manifest.reference,
        description=manifest.description,
        labels=list(manifest.labels),
        fps=manifest.fps,
        input=manifest.input,
        thresholds={label: manifest.thresholds_for(label) for label in manifest.labels},
    )
