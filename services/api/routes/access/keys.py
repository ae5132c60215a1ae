"""Keys: make, list, show, revoke."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from services.api.context import Context
from services.api.protocol.docs import errors
from services.api.schemas.keys import KeyCreate, KeyCreated, KeyList, KeyView
from services.api.security.audit import ChangesOf

router = APIRouter(prefix="/v1/keys", tags=["access"])

KeyIdPath = Annotated[str, Path(pattern="^[0-9a-f]{16}$", examples=["2f9c41d07ab35e68"])]


@router.post("", status_code=201, responses=errors(400, 409, 413, 422, 503))
def create_key(wanted: KeyCreate, context: Context, changes: ChangesOf, response: Response) -> KeyCreated:
    """Makes a key and shows it, this once. The first one must be an admin's; from then on no request goes without."""
    key, record = context.keyring.create(wanted.name, wanted.role, wanted.groups, wanted.expires_at_ms)
    changes.note(None, record)
    response.headers["Location"] = f"{context.settings.api_root_path}{router.prefix}/{key.id}"
    return KeyCreated(**KeyView.of(record, None).model_dump(), key=key.text)


@router.get("", responses=errors(503))
def list_keys(context: Context) -> KeyList:
    """All keys without their secrets, the oldest first."""
    used = context.keyring.used_at_ms()
    return KeyList(items=[KeyView.of(each, used.get(each.id)) for each in context.keyring.records().values()])


@router.get("/{key_id}", responses=errors(404, 422, 503))
def show_key(key_id: KeyIdPath, context: Context) -> KeyView:
    """One key without its secret."""
    return KeyView.of(context.keyring.record(key_id), context.keyring.used_at_ms().get(key_id))


@router.delete("/{key_id}", status_code=204, responses=errors(404, 409, 422, 503))
def revoke_key(key_id: KeyIdPath, context: Context, changes: ChangesOf) -> None:
    """Revokes a key: it opens nothing from now on, and what it still receives ends within a second or two.

    It stays listed. The last admin key is not revoked.
    """
    before = context.keyring.revoke(key_id)
    changes.note(before, context.keyring.record(key_id))
