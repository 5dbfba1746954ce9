"""The list of public paths, and how a path finds its routes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio_gateway.routing import ROUTES, RouteMap

DEMO, PRODUCTION = RouteMap.of_profile(demo=True), RouteMap.of_profile(demo=False)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_every_listed_route_is_found(route: object) -> None:
    path = route.template.replace("{", "").replace("}", "")  # type: ignore[attr-defined]
    assert DEMO.at(path)[route.method] is route  # type: ignore[attr-defined]


def test_a_name_wins_over_a_parameter() -> None:
    assert set(DEMO.at("/api/v1/users/me")) == {"GET", "PATCH", "DELETE"}
    assert set(DEMO.at("/api/v1/users/somebody")) == {"GET"}
    assert set(DEMO.at("/api/v1/tournaments/register")) == {"POST"}


def test_demo_paths_are_absent_outside_the_demo() -> None:
    assert set(DEMO.at("/api/v1/demo/populate")) == {"GET", "POST", "DELETE"}
    assert PRODUCTION.at("/api/v1/demo/populate") == {}
    assert not [route for route in PRODUCTION.routes if route.service == "generator"]


@pytest.mark.parametrize(
    "path",
    [
        "", "/api", "/api/v1", "/api/v1/", "/api/v1/users", "/api/v1/users/", "/api/v1/users/me/",
        "/api/v1/users//stats",
        "/api/v1/games/x/y", "/api/v2/games", "/API/v1/games", "/internal/v1/submissions", "/metrics", "/readyz",
        "/api/v1/internal", "/ws/main", "/api/v1/users/a/b/c", "/.well-known",
    ],
)  # fmt: skip
def test_what_is_not_listed_is_not_there(path: str) -> None:
    assert DEMO.at(path) == {}


@given(st.text(max_size=40))
def test_no_text_finds_an_internal_path(text: str) -> None:
    for prefix in ("/internal/", "/metrics", "/livez", "/version"):
        assert DEMO.at(prefix + text) == {}


def test_no_two_routes_claim_the_same_method_and_path() -> None:
    keys = [(route.method, route.template) for route in ROUTES]
    assert len(keys) == len(set(keys))


def test_registration_and_login_are_the_paths_that_sign_in() -> None:
    assert {route.template.rpartition("/")[2] for route in ROUTES if route.signs_in} == {"register", "login"}
