"""What the api takes and gives of a browser's session."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from services.api.schemas import examples
from services.api.security.keys import AccessRole, Caller


class SessionCreate(BaseModel):
    """A key to log in with."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, json_schema_extra={"examples": [examples.SESSION_CREATE]}
    )

    key: SecretStr = Field(min_length=1, max_length=200, description="as it was shown when it was made")


class SessionView(BaseModel):
    """Who asks, and what it may."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SESSION]})

    key_id: str | None = Field(default=None, description="null: there is no key yet, and this machine needs none")
    name: str
    role: AccessRole
    groups: list[str] = Field(description="the groups whose streams it sees; empty: all")
    csrf_token: str | None = Field(
        default=None, description="what a session's writes carry as X-CSRF-Token; null for who sends a key"
    )
    expires_at_ms: int | None = Field(default=None, description="when the session ends; null for who sends a key")

    @classmethod
    def of(cls, caller: Caller) -> "SessionView":
        """The caller as the api shows it to itself."""
        session = caller.session
        return cls(
            key_id=caller.key_id,
            name=caller.name,
            role=caller.role,
            groups=sorted(caller.groups),
            csrf_token=session.csrf if session else None,
            expires_at_ms=session.expires_at_ms if session else None,
        )
