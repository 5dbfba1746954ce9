"""The public paths, each with the service that answers it. What is not in this list does not exist here.

Board reads and single scores stand in it too, for the answers 404 and 405 and for the document, but hot handlers take
them before the proxy is asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

_V1 = "/api/v1"


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path template of one service."""

    method: str
    template: str
    service: str
    demo_only: bool = False
    signs_in: bool = False


def _of(service: str, *lines: str, demo_only: bool = False, signs_in: bool = False) -> list[Route]:
    return [
        Route(method, template, service, demo_only, signs_in)
        for methods, template in (line.split() for line in lines)
        for method in methods.split("|")
    ]


ROUTES: tuple[Route, ...] = (
    *_of("user", f"POST {_V1}/users/register", f"POST {_V1}/users/login", signs_in=True),
    *_of(
        "user",
        f"POST {_V1}/users/refresh",
        f"POST {_V1}/users/logout",
        f"GET|PATCH|DELETE {_V1}/users/me",
        f"GET {_V1}/users/{{user_id}}",
        f"GET {_V1}/users/{{user_id}}/stats",
        f"PUT {_V1}/users/{{user_id}}/roles",
        "GET /.well-known/jwks.json",
    ),
    *_of("game", f"GET|POST {_V1}/games", f"GET {_V1}/games/{{game_id}}"),
    *_of("score", f"GET|POST {_V1}/scores", f"POST {_V1}/scores/batch"),
    *_of(
        "leaderboard",
        *(
            f"GET {_V1}/leaderboard/{board}{view}"
            for board in ("global", "game/{game_id}", "tournament/{tournament_id}")
            for view in ("", "/rank/{user_id}", "/around/{user_id}")
        ),
    ),
    *_of(
        "tournament",
        f"GET|POST {_V1}/tournaments",
        f"POST {_V1}/tournaments/register",
        f"GET {_V1}/tournaments/{{tournament_id}}",
        f"GET {_V1}/tournaments/{{tournament_id}}/standings",
        f"GET {_V1}/tournaments/{{tournament_id}}/prizes",
        f"POST {_V1}/tournaments/{{tournament_id}}/prizes/{{transfer_id}}/reverse",
        f"DELETE {_V1}/tournaments/{{tournament_id}}/entries/{{user_id}}",
        f"POST {_V1}/tournaments/{{tournament_id}}/cancel",
        f"GET {_V1}/wallet",
        f"GET {_V1}/wallet/entries",
    ),
    *_of(
        "generator",
        f"GET|POST|DELETE {_V1}/demo/populate",
        f"GET|POST|DELETE {_V1}/demo/simulation",
        f"GET|POST {_V1}/demo/stress",
        f"GET|DELETE {_V1}/demo/stress/{{run_id}}",
        f"GET {_V1}/demo/stress/{{run_id}}/compare",
        f"GET {_V1}/demo/stress/{{run_id}}/report",
        demo_only=True,
    ),
)


@dataclass(slots=True)
class _Node:
    named: dict[str, "_Node"] = field(default_factory=dict)
    any: "_Node | None" = None
    routes: dict[str, Route] = field(default_factory=dict)


class RouteMap:
    """Finds a path's routes; a named segment wins over a parameter."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._root = _Node()
        for route in routes:
            self._add(route)

    @classmethod
    def of_profile(cls, *, demo: bool) -> "RouteMap":
        """The public paths of a profile; outside the demo its paths are absent, not forbidden."""
        return cls([route for route in ROUTES if demo or not route.demo_only])

    def at(self, path: str) -> dict[str, Route]:
        """The routes of a path by method; empty if there is no such path."""
        node: _Node | None = self._root
        for segment in path.split("/")[1:]:
            if node is None:
                return {}
            node = node.named.get(segment) or (node.any if segment else None)
        return node.routes if node is not None else {}

    def _add(self, route: Route) -> None:
        node = self._root
        for segment in route.template.split("/")[1:]:
            if segment.startswith("{"):
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.named.setdefault(segment, _Node())
        node.routes[route.method] = route
