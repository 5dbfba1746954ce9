"""How every service's app is put together: FastAPI in the middle, our layers around it, one lifespan."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from palio_kit import health, problems, tracing
from palio_kit.asgi import App, HotRoutes, problem_headers
from palio_kit.callers import ServiceCallers, UserTokens
from palio_kit.health import Health
from palio_kit.logs import logger
from palio_kit.middleware import DEFAULT_BODY_RULES, Bodies, BodyRule, Hot, Telemetry
from palio_kit.problems import FieldError, Invalid, Problem
from palio_kit.settings import ServiceSettings

log = logger(__name__)

Open = Callable[[FastAPI], AbstractAsyncContextManager[Health]]
"""Opens what the service holds, puts it on `app.state`, yields its `Health`, and closes in reverse order."""

_ERRORS_MAX = 20


def build_app(
    settings: ServiceSettings,
    *,
    title: str,
    open_context: Open,
    routers: Sequence[APIRouter],
    hot: HotRoutes | None = None,
    body_rules: Sequence[BodyRule] = DEFAULT_BODY_RULES,
    edge: Callable[[App], App] = lambda inner: inner,
    user_tokens: UserTokens | None = None,
) -> App:
    """A service's ASGI app.

    Args:
        hot: picks raw handlers that answer before FastAPI is asked.
        edge: a layer of the service's own, between telemetry and bodies.
        user_tokens: how access tokens are verified, if not by the user service's key set over HTTP.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_context(app) as state:
            app.state.health = state
            log.info("service_started", profile=settings.profile)
            yield
        log.info("service_stopped")

    api = FastAPI(title=title, version="1", lifespan=lifespan, docs_url=None, redoc_url=None, redirect_slashes=False)
    api.state.service = settings.service
    api.state.settings = settings
    api.state.user_tokens = user_tokens or UserTokens.of(settings)
    api.state.service_callers = ServiceCallers.of(settings)
    for router in (health.router, *routers):
        api.include_router(router)
    _render_problems(api)
    api.openapi = lambda: _openapi(api)  # type: ignore[method-assign]  # FastAPI's documented way to extend the schema
    inner: App = Hot(api, hot) if hot else api
    return Telemetry(edge(Bodies(inner, body_rules)), log_sample=settings.access_log_sample)


def _render_problems(api: FastAPI) -> None:
    async def known(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _response(
            error if isinstance(error, Problem) else problems.of_status(error.status_code, str(error.detail))
        )

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _response(Invalid(errors=[_field_error(item) for item in error.errors()[:_ERRORS_MAX]]))

    async def unknown(_: Request, error: Exception) -> Response:
        log.error("unhandled", exc_info=error)
        return _response(Problem())

    api.add_exception_handler(HTTPException, known)
    api.add_exception_handler(RequestValidationError, invalid)
    api.add_exception_handler(Exception, unknown)


def _response(problem: Problem) -> Response:
    headers = {key.decode(): value.decode() for key, value in problem_headers(problem)}
    return Response(problem.body(tracing.current().trace_id), problem.status, headers, media_type=problems.CONTENT_TYPE)


def _field_error(error: Mapping[str, Any]) -> FieldError:
    place = [str(part).replace("~", "~0").replace("/", "~1") for part in error["loc"]]
    where = place[1:] if place and place[0] == "body" else place
    return FieldError("".join(f"/{part}" for part in where), str(error["msg"]))


def _openapi(api: FastAPI) -> dict[str, Any]:
    if api.openapi_schema is None:
        schema = get_openapi(title=api.title, version=api.version, routes=api.routes)
        schema.setdefault("components", {}).setdefault("schemas", {})["Problem"] = problems.PROBLEM_SCHEMA
        api.openapi_schema = schema
    return api.openapi_schema
