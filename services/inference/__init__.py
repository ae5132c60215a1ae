"""Frames to scores and events."""

import shared.openmp  # noqa: F401  (before any room of this package imports torch)
