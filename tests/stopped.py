"""A training run that is stopped as soon as it has written a checkpoint."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from training import checkpoint


@contextmanager
def stopped_after_a_checkpoint() -> Iterator[None]:
    """The block must run until a checkpoint is written; it is interrupted there, as by Ctrl-C."""
    write = checkpoint.save_checkpoint

    def stop_after_writing(*args: object) -> None:
        write(*args)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "save_checkpoint", stop_after_writing)
        with pytest.raises(KeyboardInterrupt):
            yield
