"""The models on this machine, and whether each could be used."""

from dataclasses import dataclass
from pathlib import Path

from shared.errors import ModelUnusable
from shared.manifest import FolderStamp, Manifest, folder_stamp, read_manifest, verified_weights

MAX_MODELS = 256


@dataclass(frozen=True, slots=True)
class Model:
    """A model folder: its manifest, or why it is not usable (one of the two at least is there)."""

    folder: Path
    manifest: Manifest | None
    reason: str | None

    @property
    def name(self) -> str:
        """What streams call it."""
        return self.folder.name


class ModelListing:
    """Reads `models_dir`; a folder is read again only when its manifest or weights have changed."""

    def __init__(self, models_dir: Path) -> None:
        self._models_dir = models_dir
        self._seen: dict[Path, tuple[FolderStamp, Model]] = {}

    @property
    def is_here(self) -> bool:
        """Whether this machine holds models at all; where it doesn't, only inference can judge a model's name."""
        return self._models_dir.is_dir()

    def models(self) -> list[Model]:
        """Every model folder by name; at most MAX_MODELS."""
        if not self.is_here:
            return []
        folders = sorted(path for path in self._models_dir.iterdir() if path.is_dir() and path.name[0] not in "._")
        return [self._read(folder) for folder in folders[:MAX_MODELS]]

    def named(self, name: str) -> Model | None:
        """The one of that name, where it is here."""
        return next((model for model in self.models() if model.name == name), None)

    def sha256(self, reference: str | None) -> str | None:
        """Of the weights that a reference (`name@hash8`) names, where they are here."""
        manifests = (model.manifest for model in self.models() if model.manifest)
        return next((each.weights.sha256 for each in manifests if each.reference == reference), None)

    def _read(self, folder: Path) -> Model:
        stamp = folder_stamp(folder)
        stamped, model = self._seen.get(folder, (None, None))
        if model is None or stamped != stamp:
            model = _judge(folder)
            self._seen[folder] = stamp, model
        return model


def _judge(folder: Path) -> Model:
    manifest = None
    try:
        manifest = read_manifest(folder)
        verified_weights(folder, manifest)
    except ModelUnusable as err:
        return Model(folder, manifest, str(err))
    return Model(folder, manifest, None)
