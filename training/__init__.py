"""Data sets, training and evaluation."""

import shared.openmp  # noqa: F401  (before any room of this package imports torch)
