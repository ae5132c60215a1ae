"""Gives a trained model folder the thresholds that suit it."""

from collections.abc import Sequence
from pathlib import Path

import torch

from services.inference.network.weights import load_model, save_model
from shared.manifest import Thresholds
from training.events import tuned_thresholds
from training.sequences import SensedClip
from training.unroll import scores_of


def tune_on_clips(folder: Path, clips: Sequence[SensedClip], device: torch.device) -> dict[str, Thresholds]:
    """Tunes the folder's thresholds on clips and writes them; its weights stay as they are."""
    model = load_model(folder, device)
    manifest = model.manifest
    thresholds = tuned_thresholds(manifest.labels, clips, scores_of(model.network, clips))
    save_model(
        folder,
        model.network,
        labels=manifest.labels,
        fps=manifest.fps,
        input_spec=manifest.input,
        thresholds=thresholds,
        description=manifest.description,
    )
    return thresholds
