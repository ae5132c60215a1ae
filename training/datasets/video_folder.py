"""Finds the videos that annotations name."""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from shared.errors import DatasetUnusable
from shared.sources import VIDEO_SUFFIXES

MAX_FILES: Final = 200_000


class VideoFolder:
    """The videos in a folder and its subfolders; `open` lists them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: list[Path] = []
        """paths from the root on, sorted"""
        self._by_path: defaultdict[str, list[Path]] = defaultdict(list)
        self._by_name: defaultdict[str, list[Path]] = defaultdict(list)

    def open(self) -> None:
        """Lists the folder; raises DatasetUnusable where there is none or it holds too many videos."""
        if not self.root.is_dir():
            raise DatasetUnusable(
                f"videos folder {self.root}: {'no folder' if self.root.exists() else 'no such folder'}"
            )
        self.files = sorted(path.relative_to(self.root) for path in videos_under(self.root))
        for file in self.files:
            stem = file.with_name(file.name[: -len(file.suffix)])
            for path in (file, stem):
                self._by_path[path.as_posix()].append(file)
                self._by_name[path.name].append(file)

    def find(self, name: str) -> list[Path]:
        """The paths that a name can mean, from the root on: none, the one, or several where it is ambiguous.

        The name may lack the suffix, ActivityNet's `v_` or the subfolder; the nearest way to read it wins.
        """
        plain = PurePosixPath(name)
        if self._is_file(name):
            return [Path(plain)]
        for path in (plain, plain.with_name(f"v_{plain.name}")) if plain.name else ():
            found = self._by_path.get(path.as_posix()) or self._by_name.get(path.as_posix())
            if found:
                return found
        return []

    def _is_file(self, name: str) -> bool:
        try:
            return (self.root / name).is_file()
        except OSError:  # a part of the name is longer than the file system allows
            return False


def videos_under(root: Path) -> Iterator[Path]:
    """Every video file in a folder and its subfolders, hidden ones left out; raises DatasetUnusable past the limit.

    Links to folders are followed, each folder once.
    """
    num_files = 0
    seen = {root.resolve()}
    for folder, subfolders, names in os.walk(root, followlinks=True):
        subfolders[:] = [name for name in sorted(subfolders) if not name.startswith((".", "__MACOSX"))]
        real = {name: (Path(folder) / name).resolve() for name in subfolders}
        subfolders[:] = [name for name in subfolders if real[name] not in seen]
        seen.update(real.values())
        for name in names:
            if name.startswith(".") or Path(name).suffix.lower() not in VIDEO_SUFFIXES:
                continue
            num_files += 1
            if num_files > MAX_FILES:
                raise DatasetUnusable(f"videos folder {root}: holds more than {MAX_FILES} videos")
            yield Path(folder) / name
