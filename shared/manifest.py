"""A model's manifest: what `models/<name>/model.json` promises about its weights."""

import hashlib
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.errors import ModelUnusable
from shared.words.validation import first_problem

MANIFEST_FILE = "model.json"
NAME = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")
LABEL = re.compile(r"^[a-z][a-z0-9_]{0,39}$")
MAX_MANIFEST_BYTES = 1 << 20
OFFLINE = "offline"
"""The label of a camera's being away, which no model has."""

FolderStamp = tuple[tuple[int, int, int], ...]

Label = Annotated[str, Field(pattern=LABEL.pattern)]


class Closed(BaseModel):
    """A frozen model that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Thresholds(Closed):
    """When a label's score opens and closes an event (scores are probabilities, times seconds)."""

    enter: float = Field(default=0.5, gt=0, lt=1)
    exit: float = Field(default=0.3, gt=0, lt=1)
    min_seconds: float = Field(default=0.5, ge=0, le=600)
    merge_seconds: float = Field(default=1.0, ge=0, le=600)

    @model_validator(mode="after")
    def _exit_below_enter(self) -> Self:
        if self.exit > self.enter:
            raise ValueError(f"exit {self.exit} must not be above enter {self.enter}")
        return self


class InputSpec(Closed):
    """The picture the network sees: RGB, uint8 scaled to 0..1, then (x - mean) / std per channel.

    Mean and std are no settings: the network counts on them. They are told for whoever runs the weights elsewhere.
    """

    height: int = Field(ge=16, le=1024)
    width: int = Field(ge=16, le=1024)
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)

    @model_validator(mode="after")
    def _normalised_as_all(self) -> Self:
        for name in ("mean", "std"):
            if getattr(self, name) != (usual := type(self).model_fields[name].default):
                raise ValueError(f"{name} {getattr(self, name)}: allowed is {usual}, which the network counts on")
        return self


class WeightsSpec(Closed):
    """The weights' file beside the manifest and the SHA-256 of its bytes."""

    file: str = Field(default="weights.safetensors", pattern=r"^[A-Za-z0-9_.-]+\.safetensors$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(Closed):
    """What the system must know of a model before it loads one tensor of it."""

    name: str = Field(pattern=NAME.pattern)
    description: str = Field(default="", max_length=2000)
    labels: tuple[Label, ...] = Field(min_length=1, max_length=256)
    fps: float = Field(gt=0, le=60)
    input: InputSpec
    state_size: int = Field(ge=1, le=65536)
    network: dict[str, Any] = Field(description="the network's own hyper-parameters, opaque here")
    thresholds: dict[Label, Thresholds] = Field(default_factory=dict)
    weights: WeightsSpec

    @model_validator(mode="after")
    def _labels_agree(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must be distinct")
        if OFFLINE in self.labels:
            raise ValueError(f"no label may be {OFFLINE}: so cameras' being away is called")
        if strangers := sorted(set(self.thresholds) - set(self.labels)):
            raise ValueError(f"thresholds name unknown labels {strangers}; labels are {list(self.labels)}")
        return self

    @property
    def reference(self) -> str:
        """Name and weights in one word, as events and states record it: `name@hash8`."""
        return f"{self.name}@{self.weights.sha256[:8]}"

    def thresholds_for(self, label: str) -> Thresholds:
        """The label's thresholds, or the defaults where the manifest states none."""
        return self.thresholds.get(label, Thresholds())


def folder_stamp(folder: Path) -> FolderStamp:
    """Time, size and inode of a model folder's files: equal stamps, equal content. Nothing is opened."""
    found = []
    for path in sorted([folder / MANIFEST_FILE, *folder.glob("*.safetensors")]):
        with suppress(OSError):  # renamed over or removed meanwhile
            stat = path.stat()
            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(found)


def check_name(folder: Path) -> None:
    """Raises ModelUnusable where a model folder could not be called so, before anything is put into it."""
    if not NAME.match(folder.name):
        raise ModelUnusable(
            f"{folder}: a model cannot be called {folder.name!r}; allowed are up to 64 lower-case letters, digits, "
            "`-` and `_`, a letter or digit first"
        )


def read_manifest(folder: Path) -> Manifest:
    """Reads and validates `folder/model.json`; raises ModelUnusable with the field and the reason."""
    path = folder / MANIFEST_FILE
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ModelUnusable(f"{path}: larger than {MAX_MANIFEST_BYTES} bytes")
        content = json.loads(path.read_bytes())
        manifest = Manifest.model_validate(content)
    except FileNotFoundError as err:
        raise ModelUnusable(f"{path}: no such file; a model folder holds {MANIFEST_FILE} and its weights") from err
    except (OSError, ValueError) as err:
        detail = first_problem(err) if isinstance(err, ValidationError) else str(err)
        raise ModelUnusable(f"{path}: {detail}") from err
    if manifest.name != folder.name:
        raise ModelUnusable(f"{path}: name is {manifest.name!r}, but the folder is called {folder.name!r}")
    return manifest


def verified_weights(folder: Path, manifest: Manifest) -> bytes:
    """The weights' bytes, once their SHA-256 is what the manifest says; raises ModelUnusable otherwise."""
    path = folder / manifest.weights.file
    try:
        content = path.read_bytes()
    except OSError as err:
        raise ModelUnusable(f"{path}: {err.strerror}") from err
    found = hashlib.sha256(content).hexdigest()
    if found != manifest.weights.sha256:
        raise ModelUnusable(f"{path}: SHA-256 is {found}, the manifest says {manifest.weights.sha256}")
    return content
