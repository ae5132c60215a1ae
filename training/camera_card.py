"""What the card of a model of camera faults says: what its labels mean, and what it cannot do."""

from typing import Final

from training.card import CardFacts, DataFacts
from training.scenes.footage import Footage
from training.scenes.seeds import Split
from training.train import TrainingConfig, TrainingReport

LABEL_MEANINGS: Final = {
    "covered": "while something is over the lens: cloth, hand, film, paint",
    "defocused": "while the picture is out of focus or fogged, from the loss of focus on",
    "moved": "3 s from a jump of the view (shift, turn, zoom); then the new view is the usual one",
    "frozen": "while one frame is repeated though the picture was restless before; a clock may run on it",
    "lights_out": "while it is dark after a fast darkening",
    "glitch": "while frames are damaged: smeared or torn blocks, grey or green fill, a corrupt bitstream",
    "glare": "while, for 1.5 s at least, 8 % or more of the picture are overexposed that were not: sun, lamp, exposure",
    "noise": "while noise is by far above the camera's usual: grain, snow, bands, hum",
    "tint": "while a colour cast lies over all of the picture that was not there",
    "shake": "while the whole view trembles or sways about the place where it stood",
    "activity": "while something moves through the view",
}
LIMITS: Final = (
    "A camera that starts covered, dark, blurred or frozen has no past to differ from; the model needs a few seconds "
    "of the usual picture first.",
    "What lasts longer than about half a minute slowly becomes the usual picture.",
    "Fixed cameras only: a camera that pans is `moved` or `activity` all the time.",
    "`activity` has no notion of what moves, and what it is on real footage was never labelled: it was learnt from "
    "drawn people and vehicles, on drawn scenes and on real stills.",
)


def camera_facts(config: TrainingConfig, report: TrainingReport, command: str, device: str) -> CardFacts:
    """The facts of a run."""
    rendered_seconds = config.clips * config.clip_seconds
    data = [DataFacts(f"{config.clips} rendered clips, seed {config.seed}", config.clips, rendered_seconds)]
    if config.footage:
        footage = Footage(config.footage)
        for split in (Split.TRAINING, Split.VALIDATION, Split.EVALUATION):
            files = [file for group in footage.files(split).values() for file in group]
            data.append(DataFacts(f"--footage, {split.name.lower()} part", len(files), None, _use(split)))
    return CardFacts(
        purpose="Names what happens to a fixed camera, and in front of it, frame by frame.",
        command=command,
        training_seconds=report.seconds,
        device=device,
        data=tuple(data),
        seed=config.seed,
        training=f"Epochs: {config.epochs}, each over the clips that were there, seen otherwise each time. "
        "Incidents are synthesised on painted scenes, on real stills and on running footage, under nuisances "
        "that are no incidents (exposure jumps, headlights, rain, people and vehicles close to the lens and the "
        "exposure that answers them, flashes, lamps, coloured lights, nightfall, jolts, low bit rates, repeated "
        "frames), then pass through a video codec and the very JPEG transport that serves. "
        "The training part of the footage is learnt from as it is, too, as clips without "
        "faults. Whole videos are kept aside for validation, which chooses the epoch and tunes the thresholds, and "
        "for the results below.",
        label_meanings=LABEL_MEANINGS,
        limits=LIMITS,
    )


def _use(split: Split) -> str:
    """What a part of the footage serves."""
    what = "backdrops" if split is Split.EVALUATION else "backdrops, and as it is"
    return f"{what}, {split.name.lower()}"
