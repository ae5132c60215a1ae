"""A training run's checkpoint: everything it needs to go on as if it had not stopped."""

import pickle  # for the name of torch.load's error alone
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from shared.errors import ModelUnusable
from training.loop import Learner

CHECKPOINT_FILE = "checkpoint.pt"


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run has come."""

    epochs_done: int = 0
    best_score: float = -1.0
    best_epoch: int = 0
    mirror: bool | None = None
    """whether what is shown is mirrored half of the time; None: not yet"""


def save_checkpoint(path: Path, learner: Learner, settings: dict[str, Any], progress: RunProgress) -> None:
    """Writes the checkpoint beside its path, then over it."""
    content = {
        "network": learner.network.state_dict(),
        "averaged": learner.averaged.state_dict(),
        "num_updates": learner.num_updates,
        "optimiser": learner.optimiser.state_dict(),
        "schedule": learner.schedule.state_dict(),
        "random": [torch.get_rng_state(), *torch.cuda.get_rng_state_all()],  # draws the dropout
        "settings": settings,
        "progress": asdict(progress),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    torch.save(content, beside)
    beside.replace(path)


def load_checkpoint(path: Path, learner: Learner, settings: dict[str, Any]) -> RunProgress:
    """Brings the learner to where the run stopped; raises ModelUnusable where the run had other settings."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)  # one that a GPU wrote, too
        if content["settings"] != settings:
            raise ModelUnusable(f"{path}: was written with {content['settings']}, this run has {settings}")
        learner.network.load_state_dict(content["network"])
        learner.averaged.load_state_dict(content["averaged"])
        learner.num_updates = content["num_updates"]
        learner.optimiser.load_state_dict(content["optimiser"])
        learner.schedule.load_state_dict(content["schedule"])
        torch.set_rng_state(content["random"][0])
        torch.cuda.set_rng_state_all(content["random"][1:])
        return RunProgress(**content["progress"])
    except FileNotFoundError as err:
        raise ModelUnusable(f"{path}: no such checkpoint; start without resume") from err
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, pickle.UnpicklingError) as err:
        raise ModelUnusable(f"{path}: not a usable checkpoint ({type(err).__name__})") from err
