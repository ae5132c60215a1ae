"""Looks after rollouts as an api does, quickly. Run as a program it does nothing else, and may be killed.

Its arguments are the URL of Redis, the folder of models, and how long to wait between two batches of streams.
"""

import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from services.api.context import build_context
from services.api.kept.rollouts.steps import RolloutPace
from services.api.settings import ApiSettings

QUICK: Final = RolloutPace(
    look_seconds=0.1,
    measure_look_seconds=0.1,
    hurry_seconds=0.02,
    batch=4,
    measure_seconds=0.5,
    settle_seconds=0.5,
    count_seconds=0.2,
    hour_seconds=80,
)
"""The shortest trial, of 0.05 hours, takes four seconds."""


def main(redis_url: str, models_dir: str, hurry_seconds: str) -> None:
    settings = ApiSettings(redis_url=SecretStr(redis_url), models_dir=Path(models_dir))
    pace = replace(QUICK, measure_seconds=0.0, hurry_seconds=float(hurry_seconds))
    build_context(settings, pace).rollouts.keeper.start()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
