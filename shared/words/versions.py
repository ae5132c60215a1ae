"""What one version stores, others read: while workers are replaced, after a step back, from a backup.

The rule for all that lies in Redis:

1. A field that is missing has its default, which is what was so before there was that field.
2. A field that is not known is let be: who reads it goes on without it, and who writes a record back keeps it.
3. Where that would be wrong, the record says so by `v`, a number above the one that is known here. It is declined then:
   nothing is done by it, nothing is written in its place, and its stream's status says why.

`v` is 1 where it is missing, and 1 is not written. A field more of a closed part (thresholds, hours, a mark), and one
more word where only some are allowed, are declined likewise: they cannot be let be. What has no fields (progress,
leases, counters) is its own version: in another form it is declined. What a service says of its own work (statuses,
tracks, memories) it writes whole.
"""

from typing import Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, model_validator

VERSION_FIELD: Final = "v"


class LaterVersion(ValueError):
    """A later version wrote this, and says that this one must not go on with it; the message is a short reason."""


def check_version(found: Any, known: int) -> None:  # noqa: ANN401  (whatever stands there)
    """Raises LaterVersion for any but those up to the known one."""
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise LaterVersion("of an unknown version")
    if found > known:
        raise LaterVersion(f"of version {found}, known is {known}")


class VersionedRecord(BaseModel):
    """A record that other versions read and write, too."""

    model_config = ConfigDict(extra="allow", frozen=True)

    VERSION: ClassVar[int] = 1

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        check_version((self.model_extra or {}).get(VERSION_FIELD, 1), self.VERSION)
        return self
