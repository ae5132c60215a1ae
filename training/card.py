"""The model card: a model folder's README.md, with its pictures beside it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import torch
from torch.utils.flop_counter import FlopCounterMode

from services.inference.network.weights import LoadedModel, load_model
from training.cautions import floor_words
from training.datasets.dataset import Dataset
from training.datasets.fingerprint import fingerprint
from training.evaluation import Evaluation
from training.report import (
    CURVES_FILE,
    events_words,
    markdown_table,
    memory_section,
    remarks,
    results_table,
    write_pictures,
)

CARD_FILE: Final = "README.md"
BYTES_PER_FLOAT: Final = 4
_ABSOLUTE_FOLDER: Final = re.compile(r"(?<=[\s='\"])/(?:[^\s/'\"]+/)*")


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What a model learned from, or was measured on."""

    name: str
    """a file's or collection's name, without folders"""
    num_videos: int
    seconds: float | None
    """None where not every video states its length"""
    use: str = "training"
    """such as training, validation, measuring"""
    fingerprint: str | None = None
    """SHA-256, hex; None for what is rendered from seeds"""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class NetworkSize:
    """What a network costs."""

    parameters: int
    flops_per_frame: int
    """two per multiply-add, of the matrix products and convolutions of one frame of one stream"""
    state_bytes: int
    """a stream's memory"""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a card says that neither the model folder nor its evaluation knows."""

    purpose: str
    """what the model is for, in a sentence or two"""
    command: str
    """the command that trains it again; folders of absolute paths are left out"""
    training_seconds: float
    device: str
    """in words, such as `2 CPU cores`"""
    data: tuple[DataFacts, ...]
    seed: int = 0
    training: str = ""
    """how it was trained, in words"""
    label_meanings: Mapping[str, str] = field(default_factory=dict)
    """what an event of the label says, where the label's name does not"""
    limits: tuple[str, ...] = ()


def data_facts(name: str, dataset: Dataset, *, use: str = "training", licence: str = "") -> DataFacts:
    """The facts of a labelled data set, or of one subset of it."""
    lengths = [video.seconds for video in dataset.videos]
    known = [seconds for seconds in lengths if seconds is not None]
    seconds = sum(known) if len(known) == len(lengths) else None
    return DataFacts(name, len(lengths), seconds, use, fingerprint(dataset), licence)


def write_card(folder: Path, facts: CardFacts, evaluation: Evaluation) -> Path:
    """Writes the card of a model folder and its pictures, and returns the card's path.

    Raises ModelUnusable where the folder does not load.
    """
    model = load_model(folder, torch.device("cpu"))
    strips = write_pictures(evaluation, folder)
    parts = [
        f"# {model.manifest.name}",
        facts.purpose,
        "## Labels",
        _labels(model, facts),
        "## Network",
        _network(model, network_size(model)),
        "## Data",
        _data(facts),
        "## Training",
        *([facts.training] if facts.training else []),
        _training(facts),
        "## Results",
        f"Measured on {evaluation.data}: {evaluation.num_videos} videos, {evaluation.seconds / 60:.1f} minutes, with "
        f"the runner and the tracker that serve, as `{evaluation.model}`.",
        results_table(evaluation),
        events_words(evaluation),
        *floor_words(evaluation),
        *remarks(evaluation),
        "## What memory is for",
        memory_section(evaluation),
        "## Pictures",
        f"![precision-recall curves]({CURVES_FILE})",
        *(f"![scores beside the truth]({name})" for name in strips),
        "## Limits",
        "\n".join(f"- {limit}" for limit in (*facts.limits, *_common_limits(model))),
    ]
    path = folder / CARD_FILE
    path.write_text("\n\n".join(parts) + "\n")
    return path


def network_size(model: LoadedModel) -> NetworkSize:
    """Counts a network's parameters, and the operations of one frame by running one (on the model's device)."""
    network, spec = model.network, model.manifest.input
    device = next(network.parameters()).device
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        features = network.encode(torch.zeros(1, 3, spec.height, spec.width, dtype=torch.uint8, device=device))
        network.step(features, torch.zeros(1, device=device), torch.zeros(1, network.state_size, device=device))
    return NetworkSize(
        parameters=sum(tensor.numel() for tensor in network.parameters()),
        flops_per_frame=counter.get_total_flops(),
        state_bytes=BYTES_PER_FLOAT * network.state_size,
    )


def _labels(model: LoadedModel, facts: CardFacts) -> str:
    rows = []
    for label in model.manifest.labels:
        chosen = model.manifest.thresholds_for(label)
        thresholds = [f"{value:g}" for value in (chosen.enter, chosen.exit, chosen.min_seconds, chosen.merge_seconds)]
        rows.append([f"`{label}`", *thresholds, facts.label_meanings.get(label, "")])
    return markdown_table(["label", "enter", "exit", "min s", "merge s", "an event lasts"], rows)


def _network(model: LoadedModel, size: NetworkSize) -> str:
    spec = model.manifest.input
    return (
        f"Input {spec.height}×{spec.width} RGB at {model.manifest.fps:g} frames/s. {size.parameters:,} parameters; "
        f"{size.flops_per_frame / 1e6:.1f} MFLOPs a frame (two per multiply-add); a stream's memory takes "
        f"{size.state_bytes:,} bytes."
    )


def _data(facts: CardFacts) -> str:
    rows = [
        [
            each.name,
            each.use,
            f"{each.num_videos:,}",
            "–" if each.seconds is None else f"{each.seconds:,.0f}",
            "–" if each.fingerprint is None else f"`{each.fingerprint[:16]}`",
            each.licence or "–",
        ]
        for each in facts.data
    ]
    return markdown_table(["data", "use", "videos", "seconds", "fingerprint", "licence"], rows)


def _training(facts: CardFacts) -> str:
    command = _ABSOLUTE_FOLDER.sub("", facts.command)
    return (
        f"Took {_duration(facts.training_seconds)} on {facts.device}, seed {facts.seed}. To train it again:\n\n"
        f"    {command}"
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _common_limits(model: LoadedModel) -> tuple[str, ...]:
    """What holds of every model here."""
    return (
        "Measured figures hold for videos like those measured on; expect less elsewhere.",
        f"It was trained at {model.manifest.fps:g} frames/s; other rates work worse.",
        "A stream that has just begun has no memory yet: what depends on it comes with the first seconds.",
    )
