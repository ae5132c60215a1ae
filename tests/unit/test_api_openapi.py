from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from services.api.app import create_app
from services.api.protocol.errors import ErrorBody
from services.api.schemas import history, keys, probes, service, session, streams, targets
from services.api.settings import ApiSettings
from shared.events import Event

MODELS: dict[str, type[BaseModel]] = {
    **{
        name: kind
        for module in (streams, history, service, probes, keys, session, targets)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, BaseModel)
    },
    "ErrorBody": ErrorBody,
    "Event": Event,
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(ApiSettings(redis_url=SecretStr("redis://user:s3cret@127.0.0.1:1/0"))).openapi()


def contents(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """(operation, media type, media) of every body that goes in or out."""
    found = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for body in (operation.get("requestBody", {}), *operation["responses"].values()):
                found += [(f"{method} {path}", kind, media) for kind, media in body.get("content", {}).items()]
    return found


def examples_in(document: dict[str, Any], media: dict[str, Any]) -> list[Any]:
    schema = document["components"]["schemas"].get(media.get("schema", {}).get("$ref", "").rpartition("/")[2], {})
    return [media["example"]] if "example" in media else schema.get("examples", [])


def test_every_json_body_has_an_example_that_is_valid(document: dict[str, Any]) -> None:
    checked = 0
    for operation, kind, media in contents(document):
        if kind != "application/json":
            continue
        name = media["schema"]["$ref"].rpartition("/")[2]
        examples = examples_in(document, media)
        assert examples, f"{operation}: {name} has no example"
        for example in examples:
            parsed = MODELS[name].model_validate(example)
            assert set(example) <= set(type(parsed).model_fields), f"{operation}: {name}"
            checked += 1
    assert checked > 40


def test_every_operation_documents_its_errors_in_the_one_shape(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], f"{method} {path}"
            for status, response in operation["responses"].items():
                if status[0] in "45":
                    schema = response["content"]["application/json"]["schema"]
                    assert schema["$ref"].endswith("/ErrorBody"), f"{method} {path} {status}"
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_document_tells_nothing_of_the_settings(document: dict[str, Any]) -> None:
    assert "s3cret" not in str(document)
