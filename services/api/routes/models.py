"""The models that streams can use."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query

from services.api.context import Context
from services.api.kept.cards import read_card
from services.api.kept.catalog import Model
from services.api.openapi.docs import errors
from services.api.protocol.errors import ApiError
from services.api.schemas.service import LabelMemory, ModelCard, ModelList, ModelView
from shared.manifest import NAME

router = APIRouter(prefix="/v1/models", tags=["models"])

ModelNamePath = Annotated[str, Path(pattern=NAME.pattern, examples=["camera-events"])]


@router.get("")
def list_models(
    context: Context, usable: Annotated[bool | None, Query(description="only those that are, or are not")] = None
) -> ModelList:
    """Every model folder on this machine, the unusable ones with the reason."""
    views = [_view_of(model) for model in context.catalog.models()]
    return ModelList(items=[view for view in views if usable in {None, view.usable}])


@router.get("/{model_name}/card", responses=errors(404))
def show_card(model_name: ModelNamePath, context: Context) -> ModelCard:
    """What a model is, learned from, and how well it does, in its makers' words; and what memory is worth to it."""
    model = context.catalog.named(model_name)
    if model is None:
        raise ApiError(404, "model_unknown", f"no model here is called {model_name!r}")
    card, manifest = read_card(model.folder), model.manifest
    return ModelCard(
        name=model.name,
        reference=manifest.reference if manifest else None,
        sha256=manifest.weights.sha256 if manifest else None,
        card=card.text if card else None,
        is_cut=card.is_cut if card else False,
        memory=[LabelMemory(**asdict(each)) for each in card.memory] if card else [],
    )


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
