"""A text that may hold a secret, in a record that Redis keeps.

The record's JSON is written and read with a Vault as the context, which seals the text and opens it again. Who has no
vault, or not its key, finds SEALED there.
"""

from typing import Annotated

from pydantic import BeforeValidator, FieldSerializationInfo, PlainSerializer, ValidationInfo

from shared.sources import SEALED


def _opened(stored: object, info: ValidationInfo) -> object:
    match stored:
        case {"sealed": str(token)}:
            return info.context.opened(token) if info.context else SEALED
    return stored


def _sealed(text: str, info: FieldSerializationInfo) -> str | dict[str, str]:
    stored: str | dict[str, str] = info.context.sealed(text) if info.context else text
    return stored


SealedText = Annotated[str, BeforeValidator(_opened), PlainSerializer(_sealed, when_used="json")]
