"""What people said of an event. It lies beside the event, whose later course leaves it as it is."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.words.versions import VersionedRecord

MARKS_SUFFIX = "/marks"
"""An event's marks lie under its id and this."""

Who = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
Note = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
Judgement = Literal["right", "wrong"]


class Mark(BaseModel):
    """Who did something to an event, and when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_ms: int
    by: Who | None = None


class Feedback(Mark):
    """Whether the event was one."""

    verdict: Judgement
    note: Note = ""


class EventMarks(VersionedRecord):
    """All that was said of an event: who has seen it, whether it was right, and who wants it kept."""

    acknowledged: Mark | None = None
    feedback: Feedback | None = None
    kept: Mark | None = Field(default=None, description="it has no lifetime then")

    def with_acknowledged(self, mark: Mark) -> "EventMarks":
        """Who was first stays."""
        return self if self.acknowledged else self.model_copy(update={"acknowledged": mark})

    def with_kept(self, mark: Mark | None) -> "EventMarks":
        """Who was first stays; None: it is not kept any more."""
        return self if self.kept and mark else self.model_copy(update={"kept": mark})

    def with_feedback(self, feedback: Feedback | None) -> "EventMarks":
        """The newest stands; the same again is none."""
        former = self.feedback
        is_same = former and feedback and former.model_copy(update={"at_ms": feedback.at_ms}) == feedback
        return self if is_same else self.model_copy(update={"feedback": feedback})
