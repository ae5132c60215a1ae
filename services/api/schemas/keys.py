"""What the api takes and gives of keys."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.api.schemas import examples
from services.api.security.keys import MAX_GROUPS, AccessRole, KeyRecord
from shared.clock import now_ms
from shared.life.delivery_rules import AS_LIST
from shared.streams import Group
from shared.words.redaction import redact

MAX_MS = 1 << 53


def _in_future(at_ms: int) -> int:
    if at_ms <= now_ms():
        raise ValueError("lies in the past; allowed is a time to come, in ms since 1970")
    return at_ms


def _plain(name: str) -> str:
    if not name.isprintable() or redact(name) != name:
        raise ValueError("reads like a login, or cannot be printed; allowed is what people call it")
    return name


class KeyCreate(BaseModel):
    """A key to make."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, json_schema_extra={"examples": [examples.KEY_CREATE]}
    )

    name: Annotated[str, AfterValidator(_plain)] = Field(min_length=1, max_length=100, description="whose, or what for")
    role: AccessRole = Field(
        default="viewer", description="viewer: reads; operator: changes streams, too; admin: makes keys, too"
    )
    groups: Annotated[tuple[Group, ...], AS_LIST] = Field(
        default=(), max_length=MAX_GROUPS, description="it is for streams of these groups alone; empty: for all"
    )
    expires_at_ms: Annotated[int, Field(le=MAX_MS), AfterValidator(_in_future)] | None = Field(
        default=None, description="opens nothing from then on, in ms since 1970; null: until it is revoked"
    )


class KeyView(BaseModel):
    """A key, but for its secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.KEY]})

    id: str
    name: str
    role: AccessRole
    groups: tuple[str, ...]
    created_at_ms: int | None = Field(default=None, description="null: it is the one that the settings name")
    expires_at_ms: int | None = None
    revoked_at_ms: int | None = None
    last_used_at_ms: int | None = Field(default=None, description="to the minute")

    @classmethod
    def of(cls, record: KeyRecord, last_used_at_ms: int | None) -> "KeyView":
        """The record as the api shows it."""
        return cls(**record.model_dump(exclude={"digest"}), last_used_at_ms=last_used_at_ms)


class KeyCreated(KeyView):
    """A new key, this once with its secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.KEY_CREATED]})

    key: str = Field(description="what to send as `Authorization: Bearer …`; it is shown never again")


class KeyList(BaseModel):
    """All keys, oldest first, those that were revoked among them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [examples.KEY]}]})

    items: list[KeyView]
