"""Reads a labelled data set, whatever it is written in."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from shared.errors import DatasetUnusable
from training.datasets.activitynet import read_activitynet
from training.datasets.annotations import Listing, as_text, read_bytes
from training.datasets.checking import checked
from training.datasets.cvat import read_cvat
from training.datasets.dataset import Dataset
from training.datasets.label_folders import read_label_folders
from training.datasets.table import is_table, read_table
from training.datasets.thumos import is_thumos, read_thumos, read_thumos_folder, thumos_files
from training.datasets.video_folder import VideoFolder

FILES: Final = ("annotations.json", "annotations.csv", "annotations.xml")
"""Names that are looked for where a folder is given."""


def read_dataset(
    annotations: Path,
    videos: Path | None = None,
    labels: Sequence[str] | None = None,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """The data set that a file or folder of annotations describes, with everything that is wrong with it.

    The form is told from the content: ActivityNet JSON, CVAT XML, CSV, THUMOS text or folders named by label. Videos
    are looked for in `videos`, by default where the annotations are, and each is opened up to its first picture;
    `on_progress(done, total)` hears of them. `labels` are the labels wanted, in this order; by default all. Raises
    DatasetUnusable where the form is not known, does not parse or a limit is passed; whatever else is wrong is in
    the data set's `problems`, and what it concerns is left out or clipped.
    """
    listing = Listing(annotations)
    if not annotations.is_dir():
        _read_file(annotations, listing)
    elif _read_folder(annotations, listing) and videos is not None and videos.resolve() != annotations.resolve():
        raise DatasetUnusable(f"{annotations}: folders named by label hold the videos themselves, not {videos}")
    folder = VideoFolder(videos or (annotations if annotations.is_dir() else annotations.parent))
    folder.open()
    return checked(listing, folder, labels, on_progress)


def _read_folder(folder: Path, listing: Listing) -> bool:
    """Reads a folder into the listing; whether it is one of videos by label."""
    files = [folder / name for name in FILES if (folder / name).is_file()]
    if len(files) > 1:
        raise DatasetUnusable(f"{folder}: holds {' and '.join(file.name for file in files)}; name the one to read")
    if files:
        listing.source = listing.labels_file = files[0]
        _read_file(files[0], listing)
    elif class_files := thumos_files(folder):
        read_thumos_folder(class_files, listing)
    else:
        read_label_folders(folder, listing)
        return True
    return False


def _read_file(file: Path, listing: Listing) -> None:
    """Reads a file into the listing."""
    content = read_bytes(file)
    if content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
        read_cvat(content, listing)
        return
    text = as_text(content, file)
    if text.lstrip()[:1] in {"{", "["}:
        read_activitynet(text, listing)
    elif is_table(text):
        read_table(text, listing)
    elif is_thumos(text):
        read_thumos(file, text, listing)
    else:
        raise DatasetUnusable(
            f"{file}: no known form of annotations; allowed are ActivityNet JSON, CVAT XML, CSV with the header "
            f"video,start,end,label and THUMOS text with lines of `video start end`"
        )
