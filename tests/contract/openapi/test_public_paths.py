"""The gateway's list of public paths and what the services really offer are the same list."""

import importlib
from collections.abc import Iterator

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from palio_gateway.domain import PAGE_DEFAULT, PAGE_MAX, RADIUS_DEFAULT, RADIUS_MAX
from palio_gateway.routing import ROUTES

SERVICES = ("user", "game", "leaderboard", "score", "tournament", "generator")


def offered(service: str) -> Iterator[tuple[str, str]]:
    routes = importlib.import_module(f"palio_{service}.routes")
    for router in vars(routes).values():
        if isinstance(router, APIRouter):
            for route in router.routes:
                if isinstance(route, APIRoute) and not route.path.startswith("/internal/"):
                    yield from ((method, route.path) for method in route.methods or ())


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_offers_is_listed_and_nothing_else(service: str) -> None:
    listed = {(route.method, route.template) for route in ROUTES if route.service == service}
    assert listed == set(offered(service))


def test_pages_and_windows_have_the_same_sizes_on_both_sides() -> None:
    domain = importlib.import_module("palio_leaderboard.domain")
    theirs = domain.PAGE_DEFAULT, domain.PAGE_MAX, domain.RADIUS_DEFAULT, domain.RADIUS_MAX
    assert theirs == (PAGE_DEFAULT, PAGE_MAX, RADIUS_DEFAULT, RADIUS_MAX)
