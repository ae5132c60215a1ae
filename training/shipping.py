"""From a training run to a model that others can judge: trained, measured, described in its card."""

from dataclasses import dataclass
from pathlib import Path

import torch

from services.inference.models.runner import choose_device
from shared.manifest import check_name
from training.camera_card import camera_facts
from training.card import CardFacts, data_facts, write_card
from training.choosing import choose
from training.datasets.dataset import Dataset
from training.evaluate import evaluate_on_dataset, evaluate_on_scenes, held_out_specs
from training.evaluation import Evaluation
from training.fit import FitConfig, FitReport, train_on_dataset
from training.train import TrainingConfig, train_on_scenes

NUM_CLIPS_MEASURED = 100


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is to write, and on what it runs."""

    out: Path
    command: str
    """that trains the model again"""
    device: str = "auto"
    num_threads: int = 1
    resume: bool = False
    stock: Path | None = None
    """where rendered clips are kept for other runs; None: in `out`, until the run ends"""

    @property
    def device_words(self) -> str:
        """The device for people; raises SettingsInvalid where it is not there."""
        chosen = choose_device(self.device)
        if chosen.type == "cuda":
            return torch.cuda.get_device_name(chosen)
        return f"{self.num_threads} CPU thread{'s' if self.num_threads > 1 else ''}"


def ship_from_dataset(order: Order, dataset: Dataset, name: str, config: FitConfig) -> Evaluation:
    """Trains on labelled videos, measures on those held out, and writes the card; `name` is the data's.

    Raises as `train_on_dataset` does.
    """
    check_name(order.out)
    report = train_on_dataset(
        order.out,
        dataset,
        config=config,
        device=order.device,
        resume=order.resume,
        num_threads=order.num_threads,
    )
    held = report.held_out
    found = evaluate_on_dataset(
        order.out, held, device=order.device, data=f"{len(held.videos)} videos held out of training"
    )
    write_card(order.out, _dataset_facts(order, dataset, name, config, report), found)
    return found


def _dataset_facts(order: Order, dataset: Dataset, name: str, config: FitConfig, report: FitReport) -> CardFacts:
    return CardFacts(
        purpose=f"Scores {', '.join(dataset.labels)} in every frame of a stream, from the frames before it.",
        command=order.command,
        training_seconds=report.seconds,
        device=order.device_words,
        data=(data_facts(name, dataset),),
        seed=config.seed,
        training=f"Epochs: {report.epochs}, of which number {report.best_epoch} is the best. Clips "
        f"{'were' if report.mirrored else 'were not'} mirrored. {len(report.held_out.videos)} of the videos were held "
        "out: they chose the epoch and tuned the thresholds.",
    )


def ship_from_scenes(order: Order, config: TrainingConfig, num_workers: int) -> Evaluation:
    """Trains on a camera's faults, measures on clips kept aside, and writes the card; raises as `train_on_scenes`."""
    check_name(order.out)
    report = train_on_scenes(
        order.out,
        config=config,
        device=str(choose_device(order.device)),
        resume=order.resume,
        num_workers=num_workers,
        num_threads=order.num_threads,
        stock=order.stock,
    )
    backdrops = choose(order.out, config.footage).footage if config.footage else None
    specs = held_out_specs(order.out, NUM_CLIPS_MEASURED, backdrops=backdrops)
    found = evaluate_on_scenes(order.out, specs, device=order.device, num_workers=num_workers)
    write_card(order.out, camera_facts(config, report, order.command, order.device_words), found)
    return found
