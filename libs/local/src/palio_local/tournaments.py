"""`palio tournaments`: list, create, join and show."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from palio_local import tables
from palio_local.gateway import connected

app = typer.Typer(help="Tournaments.", no_args_is_help=True)

COLUMNS = ("id", "name", "game_id", "phase", "participants", "max_participants", "prize_pool", "start_time", "end_time")
STANDING_COLUMNS = ("rank", "username", "score", "reached_at")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Username = Annotated[str, typer.Option(help="Who you are.", envvar="PALIO_USERNAME", prompt=True)]
Password = Annotated[str, typer.Option(envvar="PALIO_PASSWORD", prompt=True, hide_input=True)]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command("list")
def list_(
    *, limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100)] = 20, as_json: AsJson = False
) -> None:
    """Tournaments, newest first."""
    with connected() as gateway:
        tables.show(gateway.get("/api/v1/tournaments", limit=limit)["items"], COLUMNS, as_json=as_json)


@app.command()
def create(
    name: str,
    *,
    username: Username,
    password: Password,
    game: Annotated[str, typer.Option(help="The game's id.")],
    places: Annotated[int, typer.Option(min=2)] = 100,
    prize_pool: Annotated[int, typer.Option(min=0)] = 1000,
    starts_in: Annotated[str, typer.Option(help="From now: 30s, 5m, 2h, 1d.")] = "0s",
    lasts: Annotated[str, typer.Option(help="30s, 5m, 2h, 1d.")] = "10m",
    as_json: AsJson = False,
) -> None:
    """Create a tournament for a game."""
    starts_at = datetime.now(UTC) + duration(starts_in)
    document = {
        "name": name, "game_id": game, "max_participants": places, "prize_pool": prize_pool,
        "start_time": starts_at.isoformat(), "end_time": (starts_at + duration(lasts)).isoformat(),
    }  # fmt: skip
    with connected(username, password) as gateway:
        tables.show_document(gateway.post("/api/v1/tournaments", document), as_json=as_json)


@app.command()
def join(tournament_id: str, *, username: Username, password: Password, as_json: AsJson = False) -> None:
    """Enter a tournament."""
    with connected(username, password) as gateway:
        entry = {"tournament_id": tournament_id, "user_id": gateway.user_id}
        tables.show_document(gateway.post("/api/v1/tournaments/register", entry), as_json=as_json)


@app.command()
def show(
    tournament_id: str,
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100)] = 10,
    as_json: AsJson = False,
) -> None:
    """One tournament with its standings."""
    with connected() as gateway:
        tournament: dict[str, Any] = gateway.get(f"/api/v1/tournaments/{tournament_id}")
        standings = gateway.get(f"/api/v1/tournaments/{tournament_id}/standings", limit=limit)["items"]
    if as_json:
        tables.show_document(tournament | {"standings": standings}, as_json=True)
        return
    tables.show_document(tournament, as_json=False)
    tables.show(standings, STANDING_COLUMNS, as_json=False)


def duration(text: str) -> timedelta:
    """`90s`, `5m`, `2h` or `1d`.

    Raises:
        typer.BadParameter: it is none of these.
    """
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a duration like 90s, 5m, 2h or 1d")
    return timedelta(seconds=int(match[1]) * _UNITS_S[match[2]])
