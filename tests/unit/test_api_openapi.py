import re
from typing import Any, get_args

import pytest
from fastapi.routing import iter_route_contexts
from openapi_spec_validator import validate
from pydantic import BaseModel, SecretStr, ValidationError

from services.api.app import create_app
from services.api.kept.rollouts import views as rollouts
from services.api.openapi.document import query_of
from services.api.protocol.errors import ProblemBody
from services.api.schemas import history, keys, previews, probes, service, session, streams, targets
from services.api.security.policy import rule_for
from services.api.settings import ApiSettings
from shared.events import Event
from shared.life.delivery_rules import LabelDelivery

MODELS: dict[str, type[BaseModel]] = {
    **{
        name: kind
        for module in (streams, history, previews, service, probes, keys, session, targets, rollouts)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, BaseModel)
    },
    "ProblemBody": ProblemBody,
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
        if kind not in ("application/json", "application/problem+json") or "$ref" not in media["schema"]:
            continue
        assert "type" not in media["schema"], f"{operation}: what it leads to has a type of its own"
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
                    schema = response["content"]["application/problem+json"]["schema"]
                    assert schema["$ref"].endswith("/ProblemBody"), f"{method} {path} {status}"
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_document_is_valid_and_tidy(document: dict[str, Any]) -> None:
    validate(document)
    operations = [each for operations in document["paths"].values() for each in operations.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z]+(_[a-z]+)+", name) for name in names)
    known = {tag["name"] for tag in document["tags"]}
    assert {tag for operation in operations for tag in operation["tags"]} == known
    assert document["servers"] == [{"url": "/", "description": "the server that gives this document"}]
    for operation in operations:
        for response in operation["responses"].values():
            assert "X-Request-ID" in response["headers"], operation["operationId"]


def test_the_document_says_of_every_operation_whether_it_asks_for_a_key(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            is_public = rule_for(method.upper(), path).role is None
            assert operation["security"] == ([] if is_public else [{"key": []}, {"session": []}]), f"{method} {path}"


def keywords(part: Any) -> set[str]:
    """All names in it."""
    if isinstance(part, list):
        return set().union(*map(keywords, part))
    return set(part).union(*map(keywords, part.values())) if isinstance(part, dict) else set()


def test_each_documented_query_parameter_is_known_and_no_other(document: dict[str, Any]) -> None:
    app = create_app(ApiSettings())
    documented = {
        (path, method.upper()): [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    found = [each for each in iter_route_contexts(app.routes) if getattr(each, "include_in_schema", False)]
    known = {(each.path, method): query_of(each.dependant) for each in found for method in each.methods or ()}
    assert known == documented
    assert app.state.documented == document["paths"].keys()


def test_bounds_are_given_in_words_that_readers_of_a_schema_know(document: dict[str, Any]) -> None:
    known = keywords(document["components"]["schemas"]) | keywords(document["paths"])
    assert {"maximum", "minLength", "maxItems"} <= known
    assert not known & {"le", "lt", "ge", "gt", "multiple_of", "min_length", "max_length"}  # pydantic's own


def test_the_document_tells_nothing_of_the_settings(document: dict[str, Any]) -> None:
    assert "s3cret" not in str(document)


def models_in(annotation: Any) -> set[type[BaseModel]]:
    """Those that a value of this type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}.union(*(models_in(each.annotation) for each in annotation.model_fields.values()))
    return set().union(*map(models_in, get_args(annotation)))


def test_a_body_takes_no_value_of_another_type_than_documented() -> None:
    routes = iter_route_contexts(create_app(ApiSettings()).routes)
    bodies = [getattr(each.original_route, "body_field", None) for each in routes]
    models = set().union(*(models_in(body.field_info.annotation) for body in bodies if body))
    assert {keys.KeyCreate, targets.TargetPatch, LabelDelivery} <= models
    assert {each for each in models if not each.model_config.get("strict")} == set()
    assert {each for each in models if each.model_config.get("extra") != "forbid"} == set()


@pytest.mark.parametrize(
    ("model", "field", "values"),
    [
        (keys.KeyCreate, "expires_at_ms", (str(1 << 50), True)),
        (targets.TargetCreate, "enabled", (0, "true")),
        (targets.TargetPatch, "enabled", (1, "no")),
        (streams.StreamCreate, "delivery", ({"moved": {"cooldown_seconds": True}}, {"moved": {"min_seconds": "1"}})),
    ],
)
def test_a_number_is_no_word_and_a_truth_is_no_number(model: type[BaseModel], field: str, values: tuple[Any]) -> None:
    example = model.model_json_schema()["examples"][0]
    model.model_validate(example)
    for value in values:
        with pytest.raises(ValidationError, match=field):
            model.model_validate({**example, field: value})
