"""A gateway (and the user service's internal call) that keeps what it is told, replays keys, and can be difficult."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Answer = tuple[int, dict[str, Any]]
PASSWORD = "palio-demo-player"
SERVER = "server-token"


@dataclass
class StubGateway:
    """State in the open, for tests to look at."""

    games: list[dict[str, Any]] = field(default_factory=list)
    users: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name → (id, password)."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    tournaments: list[dict[str, Any]] = field(default_factory=list)
    joined: set[tuple[str, str]] = field(default_factory=set)
    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    tokens: dict[str, str] = field(default_factory=dict)
    kept: dict[tuple[str, str], tuple[bytes, Answer]] = field(default_factory=dict)
    expires_in: int = 900
    interfere: Callable[[str, bool], Answer | None] = lambda path, done: None
    """Asked before (done false) and after the effect; its answer is sent instead."""

    def app(self) -> Starlette:
        """The ASGI app."""
        routes = {
            ("POST", "/api/v1/users/register"): self.register,
            ("POST", "/api/v1/users/login"): self.login,
            ("POST", "/api/v1/users/refresh"): self.refresh,
            ("GET", "/api/v1/games"): self.list_games,
            ("POST", "/api/v1/scores"): self.submit,
            ("POST", "/api/v1/scores/batch"): self.submit_batch,
            ("GET", "/api/v1/tournaments"): self.list_tournaments,
            ("POST", "/api/v1/tournaments"): self.create_tournament,
            ("POST", "/api/v1/tournaments/register"): self.join,
            ("POST", "/internal/v1/server-tokens"): self.server_token,
            ("GET", "/livez"): self.live,
        }
        return Starlette(
            routes=[Route(path, self._endpoint(path, run), methods=[verb]) for (verb, path), run in routes.items()]
        )

    def _endpoint(
        self, path: str, run: Callable[[Any, str], Awaitable[Answer]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            self.requests[f"{request.method} {path}"] += 1
            status, document, replayed = await self._answer(path, run, request)
            self.statuses[status] += 1
            headers = {"idempotency-replayed": "true"} if replayed else {}
            if status in (429, 503):
                headers["retry-after"] = str(document.get("retry_after_s", 0))
            return JSONResponse(document, status, headers)

        return endpoint

    async def _answer(
        self, path: str, run: Callable[[Any, str], Awaitable[Answer]], request: Request
    ) -> tuple[int, dict[str, Any], bool]:
        spoilt = self.interfere(path, False)
        if spoilt is not None:
            return *spoilt, False
        body = await request.body()
        caller = self.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "), "")
        key = request.headers.get("idempotency-key")
        if key is not None and (caller + path, key) in self.kept:
            known, answer = self.kept[caller + path, key]
            return (*answer, True) if known == body else (*problem(409, "idempotency_key_reused"), False)
        answer = await run(json.loads(body) if body else dict(request.query_params), caller)
        if key is not None and answer[0] < 300:
            self.kept[caller + path, key] = (body, answer)
        return *(self.interfere(path, True) or answer), False

    async def live(self, _: Any, __: str) -> Answer:
        return 200, {"status": "ok"}

    async def register(self, body: Any, _: str) -> Answer:
        if body["username"] in self.users:
            return problem(409, "username_taken")
        self.users[body["username"]] = (str(uuid4()), body["password"])
        return 201, {"id": self.users[body["username"]][0], "username": body["username"], "created_at": "x"}

    async def login(self, body: Any, _: str) -> Answer:
        user_id, password = self.users.get(body["username"], ("", ""))
        if password != body["password"]:
            return problem(401, "invalid_credentials")
        return 200, self._tokens(user_id, body["username"])

    async def refresh(self, body: Any, _: str) -> Answer:
        user_id = self.tokens.pop(body["refresh_token"], None)
        return problem(401, "refresh_reused") if user_id is None else (200, self._tokens(user_id, ""))

    def _tokens(self, user_id: str, username: str) -> dict[str, Any]:
        access, refresh = uuid4().hex, uuid4().hex
        self.tokens |= {access: user_id, refresh: user_id}
        user = {"id": user_id, "username": username}
        return {
            "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": self.expires_in,
            "user": user,
        }  # fmt: skip

    async def server_token(self, _: Any, __: str) -> Answer:
        self.tokens[SERVER] = SERVER
        return 200, {"access_token": SERVER, "expires_in": self.expires_in}

    async def list_games(self, _: Any, __: str) -> Answer:
        return 200, {"items": self.games, "next_cursor": None}

    async def submit(self, body: Any, caller: str) -> Answer:
        if caller != body["user_id"]:
            return problem(403 if caller else 401, "not_yourself")
        self.rows.append(body)
        return 201, {"submission_id": str(uuid4())}

    async def submit_batch(self, body: Any, caller: str) -> Answer:
        if caller != SERVER:
            return problem(403, "forbidden")
        self.rows += body["items"]
        return 200, {"items": [{"status": 201} for _ in body["items"]], "accepted": len(body["items"]), "refused": 0}

    async def list_tournaments(self, query: Any, _: str) -> Answer:
        return 200, {
            "items": [one for one in self.tournaments if one["phase"] == query["phase"]],
            "next_cursor": None,
        }

    async def create_tournament(self, body: Any, caller: str) -> Answer:
        if not caller:
            return problem(401, "unauthorized")
        if datetime.fromisoformat(body["end_time"]) <= datetime.now().astimezone():
            return problem(422, "invalid")
        self.tournaments.append(tournament(**body))
        return 201, self.tournaments[-1]

    async def join(self, body: Any, caller: str) -> Answer:
        if caller not in (SERVER, body["user_id"]):
            return problem(403, "not_yourself")
        found = next(one for one in self.tournaments if one["id"] == body["tournament_id"])
        entry = (body["tournament_id"], body["user_id"])
        if entry in self.joined:
            return 200, {}
        if found["participants"] >= found["max_participants"]:
            return problem(409, "tournament_full")
        self.joined.add(entry)
        found["participants"] += 1
        return 201, {}


def problem(status: int, code: str, **more: Any) -> Answer:
    """A problem document."""
    document = {"type": f"urn:palio:problem:{code}", "title": code, "status": status, "detail": code, "code": code}
    return status, document | {"errors": [], "trace_id": "0" * 32} | more


def game(game_id: str, order: str = "desc", score_min: int = 0, score_max: int = 1_000_000) -> dict[str, Any]:
    """A game as the catalogue tells it."""
    return {"id": game_id, "title": game_id, "order": order, "score_min": score_min, "score_max": score_max}


def tournament(**body: Any) -> dict[str, Any]:
    """A tournament as the list tells it."""
    return {"id": str(UUID(int=uuid4().int)), "phase": "Active", "participants": 0} | body
