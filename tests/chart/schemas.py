"""JSON schemas for kubeconform, made from what each API's own project publishes: one file for each kind.

Kubernetes' OpenAPI of the node's version, HTTPRoute from the Gateway API, and crds/. An object with named fields knows
no others: that is how a mistyped field is found, which an API server would drop in silence.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

Schema = dict[str, Any]

LOCATION = "{{ .Group }}_{{ .ResourceAPIVersion }}_{{ .ResourceKind }}.json"
"""How kubeconform is told to name a file; of the core group it says that it is called `v1`."""
_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_OPEN = "x-kubernetes-preserve-unknown-fields"


def write(folder: Path, published: Path, resources: Path) -> None:
    """Write the schemas of everything that `published` (swagger.json, CRDs) and `resources` (CRDs) define."""
    openapi = json.loads((published / "swagger.json").read_text())["definitions"]
    definitions = {name: strict(one) for name, one in openapi.items()}
    definitions[_QUANTITY] = {"type": ["string", "number"]}
    for name, definition in openapi.items():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            _write(folder, kind, definitions[name], definitions)
    for file in (*published.glob("*.yaml"), *resources.glob("*.yaml")):
        for kind, schema in _custom(yaml.safe_load_all(file.read_text())):
            metadata = {"metadata": {"$ref": f"#/definitions/{_OBJECT_META}"}}
            _write(folder, kind, strict(schema | {"properties": schema["properties"] | metadata}), definitions)


def strict(schema: Any) -> Any:
    """The same, but objects whose fields are named may have no others, and what may be two things is both."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(one) for key, one in schema.items()}
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string") is True:
        made = {key: one for key, one in made.items() if key not in ("type", "format")} | {
            "type": ["string", "integer"]
        }
    named = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if named and "additionalProperties" not in schema and not schema.get(_OPEN):
        made["additionalProperties"] = False
    return made


def _custom(documents: Iterable[Any]) -> Iterator[tuple[Mapping[str, str], Schema]]:
    for document in documents:
        if document and document["kind"] == "CustomResourceDefinition":
            spec = document["spec"]
            for version in spec["versions"]:
                kind = {"group": spec["group"], "version": version["name"], "kind": spec["names"]["kind"]}
                yield kind, version["schema"]["openAPIV3Schema"]


def _write(folder: Path, kind: Mapping[str, str], schema: Schema, definitions: Mapping[str, Schema]) -> None:
    needed: dict[str, Schema] = {}
    _gather(schema, definitions, needed)
    name = f"{kind['group'] or kind['version']}_{kind['version']}_{kind['kind'].lower()}.json"
    (folder / name).write_text(json.dumps(schema | {"definitions": needed}))


def _gather(schema: Any, definitions: Mapping[str, Schema], into: dict[str, Schema]) -> None:
    """Collect the definitions that a schema refers to, and those that these refer to."""
    for one in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(one, dict | list):
            _gather(one, definitions, into)
        elif isinstance(one, str) and one.startswith("#/definitions/"):
            name = one.removeprefix("#/definitions/")
            if name not in into:
                into[name] = definitions[name]
                _gather(definitions[name], definitions, into)
