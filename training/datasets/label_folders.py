"""Annotations as folders: every video in `LABEL/` carries that label from beginning to end.

`SUBSET/LABEL/` is read where no folder at the top holds a video itself. Videos in `background/` carry no label.
"""

import math
from pathlib import Path
from typing import Final

from shared.errors import DatasetUnusable
from training.datasets.annotations import MAX_WORD_CHARACTERS, Listing, Segment
from training.datasets.video_folder import videos_under

BACKGROUND: Final = frozenset({"background", "_background", "none"})


def read_label_folders(root: Path, listing: Listing) -> None:
    """Reads a folder's subfolders into the listing; raises DatasetUnusable where they hold no video."""
    paths = sorted(path.relative_to(root) for path in videos_under(root))
    depth = min((len(path.parts) - 1 for path in paths if len(path.parts) > 1), default=0)
    if depth == 0:
        raise DatasetUnusable(
            f"{root}: no known form of annotations; allowed are a folder with annotations.json, .csv or .xml, one of "
            f"THUMOS' class files, or one of videos as LABEL/VIDEO or SUBSET/LABEL/VIDEO"
        )
    num_folders = min(depth, 2)
    for path in paths:
        if len(path.parts) <= num_folders:  # no label's; whoever checks the folder says so
            continue
        entry = listing.entry(path.as_posix(), None, root / path)
        if entry is None:
            continue
        *subset, label = path.parts[:num_folders]
        entry.subset = listing.word(entry, "subset", subset[0], None) if subset else None
        if label.lower() not in BACKGROUND:
            listing.segment(entry, Segment(label[: MAX_WORD_CHARACTERS + 1], 0.0, math.inf, root / path, None))
