"""One document out of several: only public paths, no two schemas under one name."""

from typing import Any

from palio_gateway.documents import merge
from palio_gateway.routing import Route


def part(schema: dict[str, Any], *paths: str) -> dict[str, Any]:
    answer = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}, "description": "x"}
    return {
        "paths": {path: {"get": {"responses": {"200": answer, "401": answer}, "tags": ["old"]}} for path in paths},
        "components": {"schemas": {"Thing": schema}},
    }


ONE, OTHER = {"type": "string"}, {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}
A, B = Route("GET", "/a", "user"), Route("GET", "/b", "score")


def schema_of(document: dict[str, Any], path: str) -> str:
    answer: str = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    return answer.rpartition("/")[2]


def test_schemas_of_one_name_stay_apart() -> None:
    document = merge({"user": part(ONE, "/a"), "score": part(OTHER, "/b")}, [A, B])
    names = schema_of(document, "/a"), schema_of(document, "/b")
    schemas = document["components"]["schemas"]
    assert names[0] != names[1]
    assert schemas[names[0]] == ONE
    assert schemas[names[1]] == {"type": "array", "items": {"$ref": f"#/components/schemas/{names[1]}"}}


def test_equal_schemas_are_one() -> None:
    document = merge({"user": part(ONE, "/a"), "score": part(ONE, "/b")}, [A, B])
    assert schema_of(document, "/a") == schema_of(document, "/b") == "Thing"


def test_only_listed_paths_and_methods_are_told() -> None:
    told = part(ONE, "/a", "/internal/v1/x", "/hidden")
    told["paths"]["/a"]["post"] = told["paths"]["/a"]["get"]
    document = merge({"user": told}, [A, B])
    assert {path: set(methods) for path, methods in document["paths"].items()} == {"/a": {"get"}}


def test_a_service_speaks_only_for_its_own_paths() -> None:
    assert merge({"game": part(ONE, "/a")}, [A])["paths"] == {}


def test_each_operation_is_tagged_and_says_when_it_needs_a_token() -> None:
    operation = merge({"user": part(ONE, "/a")}, [A])["paths"]["/a"]["get"]
    assert (operation["tags"], operation["security"]) == (["user"], [{"bearer": []}])


def test_each_operation_tells_what_the_gateway_may_answer() -> None:
    responses = merge({"user": part(ONE, "/a")}, [A])["paths"]["/a"]["get"]["responses"]
    assert {"200", "400", "401", "429", "503"} == set(responses)
