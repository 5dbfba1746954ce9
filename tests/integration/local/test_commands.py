"""Subcommands that speak to a gateway, against one that answers by heart."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Body, FastAPI

from palio_kit.app import build_app
from palio_kit.asgi import App
from palio_kit.health import Health
from palio_kit.problems import Forbidden
from palio_kit.settings import ServiceSettings
from support import apps

PALIO = Path(sys.executable).with_name("palio")
ADA = "01900000-0000-7000-8000-000000000001"
CUP = {"id": "cup", "name": "Cup", "game_id": "space-race", "phase": "Active", "participants": 1, "prizes": []}

router = APIRouter(prefix="/api/v1")


class Settings(ServiceSettings):
    service: str = "gateway"
    port: int = 0


@router.post("/users/login")
async def login(body: dict[str, str]) -> dict[str, Any]:
    if body["password"] != "right":
        raise Forbidden("Not you.")
    return {"access_token": "a-token", "user": {"id": ADA, "username": body["username"]}}


@router.get("/leaderboard/{board:path}")
async def leaderboard(board: str, limit: int) -> dict[str, Any]:
    return {"items": [{"rank": rank, "username": f"{board} {rank}", "score": 9} for rank in range(1, limit + 1)]}


@router.get("/tournaments")
async def tournaments(limit: int) -> dict[str, Any]:
    return {"items": [CUP][:limit]}


@router.post("/tournaments")
async def create(body: dict[str, Any]) -> dict[str, Any]:
    return CUP | body


@router.post("/tournaments/register")
async def register(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
    return body


@router.get("/tournaments/{tournament_id}")
async def tournament(tournament_id: str) -> dict[str, Any]:
    return CUP | {"id": tournament_id}


@router.get("/tournaments/{tournament_id}/standings")
async def standings(tournament_id: str) -> dict[str, Any]:
    return {"items": [{"rank": 1, "username": "ada", "score": 7}]}


@asynccontextmanager
async def _open(_: FastAPI) -> AsyncIterator[Health]:
    yield Health()


def _create_app(settings: Settings) -> App:
    return build_app(settings, title="by heart", open_context=_open, routers=[router])


Palio = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def gateway_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    nowhere = tmp_path_factory.mktemp("identity")
    settings = Settings(
        database_url="postgresql://unused", redis_url="redis://unused", identity_dir=nowhere,
        identity_jwks=str(nowhere), identity_issuer="nobody",
    )  # fmt: skip
    with apps.running(_create_app, settings) as server:
        yield server.url


@pytest.fixture
def palio(gateway_url: str) -> Palio:
    def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        known = os.environ | {"PALIO_GATEWAY_URL": gateway_url, "NO_COLOR": "1"} | environment
        return subprocess.run(
            [str(PALIO), *arguments], env=known, capture_output=True, text=True, timeout=30, check=False
        )

    return run


def test_a_board_is_tab_separated_into_a_pipe_and_json_when_asked(palio: Palio) -> None:
    assert palio("boards", "top", "game/space-race", "--limit", "2").stdout == (
        "1\tgame/space-race 1\t9\t-\n2\tgame/space-race 2\t9\t-\n"
    )
    assert [row["rank"] for row in json.loads(palio("boards", "top", "--json").stdout)] == list(range(1, 11))


def test_tournaments_are_listed_and_shown_with_standings(palio: Palio) -> None:
    assert palio("tournaments", "list").stdout.startswith("cup\tCup\tspace-race\tActive\t1\t")
    shown = json.loads(palio("tournaments", "show", "other", "--json").stdout)
    assert (shown["id"], shown["standings"][0]["username"]) == ("other", "ada")


def test_creating_and_joining_sign_in_first(palio: Palio) -> None:
    login = ("--username", "ada", "--password", "right", "--json")
    created = json.loads(palio("tournaments", "create", "Cup", "--game", "space-race", "--lasts", "90s", *login).stdout)
    assert (created["max_participants"], created["prize_pool"]) == (100, 1000)
    assert created["end_time"] > created["start_time"]
    assert json.loads(palio("tournaments", "join", "cup", *login).stdout) == {"tournament_id": "cup", "user_id": ADA}


def test_a_refusal_is_told_with_its_code_and_ends_with_one(palio: Palio) -> None:
    done = palio("tournaments", "join", "cup", "--username", "ada", "--password", "wrong")
    assert done.returncode == 1
    assert "403 forbidden" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_absent_gateway_is_said(palio: Palio) -> None:
    done = palio("boards", "top", PALIO_GATEWAY_URL="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "palio demo" in done.stderr


def test_a_wrong_duration_is_a_usage_error(palio: Palio) -> None:
    done = palio("tournaments", "create", "Cup", "--game", "g", "--lasts", "soon", "--username", "a", "--password", "b")
    assert done.returncode == 2


def test_migrating_without_a_database_is_said(palio: Palio, tmp_path: Path) -> None:
    done = palio("db", "migrate", "--data-dir", str(tmp_path))
    assert done.returncode == 3
    assert "DATABASE_URL" in done.stderr


def test_migrations_can_be_checked_and_applied(palio: Palio, owner_dsn: str, tmp_path: Path) -> None:
    checked = palio("db", "migrate", "--check", "--data-dir", str(tmp_path), DATABASE_URL=owner_dsn)
    assert (checked.returncode, checked.stdout.splitlines()[-1]) == (0, "pending: 0")
