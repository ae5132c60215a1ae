"""Which model each stream runs on."""

from dataclasses import dataclass

from services.inference.models.catalog import Catalog
from services.inference.models.runner import Runner
from shared.errors import ModelUnusable
from shared.streams import StreamSpec


@dataclass(frozen=True, slots=True)
class Choice:
    """The runner that answers a stream's wish for a model."""

    generation: int
    model: str
    model_asks: int
    runner: Runner

    def answers(self, spec: StreamSpec) -> bool:
        """Whether the stream still asks for what it asked for then."""
        return (self.generation, self.model, self.model_asks) == (spec.generation, spec.model, spec.model_asks)


class Choices:
    """Gives each stream what its model's folder held when the stream last asked. Used by one thread.

    A stream asks when this worker first sees it, and whenever a change names a model, the same one included: so a
    folder that is overwritten disturbs no stream that was not told to use it. Until the model asked for is loaded, and
    where it cannot be, a stream stays on the one it has.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._choices: dict[str, Choice] = {}
        self._problems: dict[str, str] = {}

    def runner_for(self, spec: StreamSpec) -> Runner | None:
        """What the stream is to run on now; None while there is nothing yet."""
        former = self._choices.get(spec.id)
        if former and former.answers(spec):
            return former.runner
        present = former.runner if former and former.generation == spec.generation else None
        try:
            runner = self._catalog.find(spec.model)
        except ModelUnusable as err:
            self._problems[spec.id] = str(err)
            return present
        if runner is None:
            return present
        self._choices[spec.id] = Choice(spec.generation, spec.model, spec.model_asks, runner)
        self._problems.pop(spec.id, None)
        return runner

    def is_met(self, spec: StreamSpec) -> bool:
        """Whether the stream has got what it asks for."""
        choice = self._choices.get(spec.id)
        return choice is not None and choice.answers(spec)

    def problem(self, stream_id: str) -> str | None:
        """Why a stream does not get the model it asks for, if so."""
        return self._problems.get(stream_id)

    def runners(self) -> set[Runner]:
        """All that streams are to run on."""
        return {choice.runner for choice in self._choices.values()}

    def keep_only(self, specs: dict[str, StreamSpec]) -> None:
        """Forgets streams that are gone, and models that nobody asks for; with no stream at all, models stay warm."""
        self._choices = {stream_id: choice for stream_id, choice in self._choices.items() if stream_id in specs}
        self._problems = {stream_id: reason for stream_id, reason in self._problems.items() if stream_id in specs}
        if specs:
            self._catalog.keep_only({spec.model for spec in specs.values()})
