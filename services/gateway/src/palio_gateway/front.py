"""Which handler answers a request: hot ones first, then files, documents and the proxy; nothing else exists."""

from dataclasses import dataclass

from palio_gateway import documents
from palio_gateway.boards import Boards
from palio_gateway.documents import Documents
from palio_gateway.domain import BOARDS_PREFIX, check_path
from palio_gateway.errors import WrongMethod
from palio_gateway.pages import Pages
from palio_gateway.proxy import Proxy
from palio_gateway.routing import RouteMap
from palio_gateway.scores import TEMPLATE as SCORES_PATH
from palio_gateway.scores import Submissions
from palio_kit.asgi import HotHandler, Receive, Scope, Send, respond_problem
from palio_kit.problems import NotFound, Unavailable

_OPERATIONS = frozenset({"/livez", "/readyz", "/metrics", "/version"})
_READS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Context:
    """What the gateway holds while it runs."""

    submissions: Submissions
    boards: Boards
    proxy: Proxy
    documents: Documents


class Front:
    """Picks the handler; knows the public paths before the service has started."""

    def __init__(self, routes: RouteMap, pages: Pages) -> None:
        self._routes = routes
        self._pages = pages
        self.context: Context | None = None

    def pick(self, scope: Scope) -> HotHandler | None:
        """The handler of a request; None for operations, which FastAPI answers."""
        context = self.context
        if context is None:
            return _starting
        path: str = scope["path"]
        method: str = scope["method"]
        if b"%" in scope["raw_path"]:
            return self._refuse
        if path == SCORES_PATH and method == "POST":
            return context.submissions.handle
        if method == "GET" and path.startswith(BOARDS_PREFIX):
            return context.boards.handle
        return None if path in _OPERATIONS else self._rest(context, path, method)

    def _rest(self, context: Context, path: str, method: str) -> HotHandler:
        if method in _READS:
            page = self._pages.find(path) or _document(context.documents, path)
            if page is not None:
                return page
        route = self._routes.at(path).get(method)
        return context.proxy.handler(route) if route is not None else self._refuse

    async def _refuse(self, scope: Scope, _: Receive, __: Send) -> None:
        """Say why there is no answer: the path is malformed, unknown, or takes other methods."""
        check_path(scope["raw_path"])
        methods = ", ".join(self._routes.at(scope["path"]))
        if not methods:
            raise NotFound
        raise WrongMethod(methods)


def _document(pages: Documents, path: str) -> HotHandler | None:
    return {
        documents.OPENAPI_PATH: pages.openapi,
        documents.DOCS_PATH: pages.docs,
        documents.STYLE_PATH: pages.style,
    }.get(path)


async def _starting(_: Scope, __: Receive, send: Send) -> None:
    await respond_problem(send, Unavailable("The gateway is starting."))
