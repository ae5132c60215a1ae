"""Frames to scores and events."""

import shared.service.openmp  # noqa: F401  (before any room of this package imports torch)
