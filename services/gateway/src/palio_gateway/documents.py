"""One OpenAPI document of everything public, merged from the services' own; what a service does not say is not there.

A service that was away when the document was made is asked again on the next request.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from palio_gateway.pages import SECURITY_HEADERS
from palio_gateway.proxy import Upstream
from palio_gateway.routing import Route
from palio_kit.asgi import Receive, Scope, Send, respond
from palio_kit.logs import logger
from palio_kit.problems import PROBLEM_SCHEMA, BadRequest, Problem, TooManyRequests, Unavailable, documented

log = logger(__name__)

Document = dict[str, Any]

OPENAPI_PATH, DOCS_PATH, STYLE_PATH = "/openapi.json", "/docs", "/docs.css"
_REF = "#/components/schemas/"
_OK = 200
_OUR_ANSWERS: Document = {
    str(status): answer for status, answer in documented(BadRequest, TooManyRequests, Unavailable).items()
}
_METHODS = ("get", "put", "post", "delete", "patch")
_STYLE = (
    b"body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    b"code{font:0.95rem ui-monospace,monospace}dt{margin-top:.8rem}dd{margin-left:1.5rem}"
    b"b{display:inline-block;width:5rem}"
)


class Documents:
    """Serves the merged document and a page made of it."""

    def __init__(self, upstreams: Mapping[str, Upstream], routes: Sequence[Route]) -> None:
        self._upstreams = upstreams
        self._routes = routes
        self._parts: dict[str, Document] = {}
        self._lock = asyncio.Lock()

    async def openapi(self, scope: Scope, _: Receive, send: Send) -> None:
        """Answer with the document."""
        scope["palio.route"] = OPENAPI_PATH
        await respond(send, _OK, json.dumps(await self._merged()).encode(), headers=[(b"cache-control", b"no-cache")])

    async def docs(self, scope: Scope, _: Receive, send: Send) -> None:
        """Answer with a page that lists every path."""
        scope["palio.route"] = DOCS_PATH
        page = _page(await self._merged()).encode()
        await respond(send, _OK, page, content_type=b"text/html; charset=utf-8", headers=SECURITY_HEADERS)

    async def style(self, scope: Scope, _: Receive, send: Send) -> None:
        """Answer with the page's style sheet: the policy forbids styles inside pages."""
        scope["palio.route"] = STYLE_PATH
        await respond(send, _OK, _STYLE, content_type=b"text/css; charset=utf-8", headers=SECURITY_HEADERS)

    async def _merged(self) -> Document:
        async with self._lock:
            missing = [name for name in self._upstreams if name not in self._parts]
            fetched = await asyncio.gather(*(self._fetch(name) for name in missing))
        self._parts |= {name: part for name, part in zip(missing, fetched, strict=True) if part is not None}
        return merge(self._parts, self._routes)

    async def _fetch(self, name: str) -> Document | None:
        try:
            with self._upstreams[name].call() as peer:
                reply = await peer.send("GET", OPENAPI_PATH, safe_to_repeat=True)
            document = json.loads(reply.body)
        except (Problem, ValueError) as error:
            log.warning("openapi_not_fetched", service=name, error=repr(error))
            return None
        return document if reply.status == _OK and isinstance(document, dict) else None


def merge(parts: Mapping[str, Document], routes: Sequence[Route]) -> Document:
    """One document of the listed routes, as their services tell them, with what the gateway itself may answer."""
    schemas: Document = {"Problem": PROBLEM_SCHEMA}
    renamed = {name: _take_schemas(name, part, schemas) for name, part in sorted(parts.items())}
    paths: dict[str, Document] = {}
    for route in routes:
        operation = _operation(route, renamed.get(route.service, {}))
        if operation is not None:
            paths.setdefault(route.template, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "palio", "version": "1", "description": "Leaderboards and tournaments for games."},
        "tags": [{"name": name} for name in dict.fromkeys(route.service for route in routes)],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(route: Route, paths: Document) -> Document | None:
    own = paths.get(route.template, {}).get(route.method.lower())
    if own is None:
        return None
    operation = {**own, "tags": [route.service], "responses": _OUR_ANSWERS | own.get("responses", {})}
    if "401" in own.get("responses", {}):
        operation["security"] = [{"bearer": []}]
    return operation


def _take_schemas(service: str, part: Document, schemas: Document) -> Document:
    """Add a service's schemas under names of their own; its paths, with references to the new names."""
    own: Document = part.get("components", {}).get("schemas", {})
    names = {
        name: name if schemas.get(name, schema) == schema else f"{service.title()}{name}"
        for name, schema in own.items()
    }
    for name, schema in own.items():
        schemas[names[name]] = _renamed(schema, names)
    paths: Document = _renamed(part.get("paths", {}), names)
    return paths


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, list):
        return [_renamed(item, names) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.startswith(_REF):
        old = reference.removeprefix(_REF)
        return {**node, "$ref": _REF + names.get(old, old)}
    return {key: _renamed(value, names) for key, value in node.items()}


def _page(document: Document) -> str:
    listed = "".join(_entries(document["paths"]))
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>palio API</title><link rel=stylesheet href={STYLE_PATH}>"
        f"<h1>palio API</h1><p>The document: <a href={OPENAPI_PATH}>{OPENAPI_PATH}</a>. "
        "Live stream: <code>/ws/main</code>.</p>"
        f"<dl>{listed}</dl></html>"
    )


def _entries(paths: Mapping[str, Document]) -> Iterator[str]:
    for path, operations in paths.items():
        for method in _METHODS:
            if method in operations:
                said = operations[method].get("description") or operations[method].get("summary") or ""
                codes = " ".join(operations[method].get("responses", {}))
                yield (
                    f"<dt><b>{method.upper()}</b> <code>{escape(path)}</code></dt>"
                    f"<dd>{escape(said)} <small>{escape(codes)}</small></dd>"
                )
