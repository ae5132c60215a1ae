"""What can be known to be wrong before anything is started."""

import os
import tempfile
from pathlib import Path

from shared.errors import ModelUnusable, SettingsInvalid
from shared.manifest import MANIFEST_FILE, Manifest, read_manifest, verified_weights


def check_models(models_dir: Path) -> list[Manifest]:
    """Every model of a folder, its weights' hash checked; raises ModelUnusable for the first that is not as it says."""
    folders = sorted(path.parent for path in models_dir.glob(f"*/{MANIFEST_FILE}"))
    if not folders:
        raise ModelUnusable(f"models folder {models_dir}: holds no model (a folder with {MANIFEST_FILE} and weights)")
    return [check_model(folder) for folder in folders]


def check_model(folder: Path) -> Manifest:
    """One model, its weights' hash checked; raises ModelUnusable."""
    if not folder.is_dir():
        found = sorted(path.parent.name for path in folder.parent.glob(f"*/{MANIFEST_FILE}"))
        raise ModelUnusable(f"model {folder.name!r}: no such folder in {folder.parent}; there are {found}")
    manifest = read_manifest(folder)
    verified_weights(folder, manifest)
    return manifest


def check_media_root(media_root: Path) -> Path:
    """The media root as an absolute path; raises SettingsInvalid where it is no folder."""
    if not media_root.is_dir():
        raise SettingsInvalid(f"media root {media_root}: no such folder")
    return media_root.resolve()


def check_writable(folder: Path, option: str) -> None:
    """Raises SettingsInvalid where a folder that an option names cannot be made or written into; makes none."""
    whole = Path(os.path.abspath(folder))  # noqa: PTH100  (what a link leads to is left to who opens it)
    there = next(each for each in (whole, *whole.parents) if os.path.lexists(each))
    if not there.is_dir():
        raise SettingsInvalid(f"{option} {folder}: {there} is no folder")
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as err:
        raise SettingsInvalid(f"{option} {folder}: nothing can be written in {there}: {err.strerror}") from err
