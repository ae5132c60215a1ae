"""The `afterimage` command in the test's own process, where everything is loaded: for what ends at once."""

import sys
from dataclasses import dataclass

import pytest

from afterimage.__main__ import main


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class InProcess:
    """Runs commands as their entry point does."""

    patch: pytest.MonkeyPatch
    captured: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Outcome:
        self.patch.setattr(sys, "argv", ["afterimage", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return Outcome(int(end.value.code or 0), *self.captured.readouterr())
