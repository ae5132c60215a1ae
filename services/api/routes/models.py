"""The models that streams can use."""

from fastapi import APIRouter

from services.api.context import Context
from services.api.kept.catalog import Model
from services.api.schemas.service import ModelList, ModelView

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
def list_models(context: Context) -> ModelList:
    """Every model folder on this machine, the unusable ones with the reason."""
    return ModelList(items=[_view_of(model) for model in context.catalog.models()])


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
