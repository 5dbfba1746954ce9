"""`palio boards`: a leaderboard once, or as it moves."""

import time
from typing import Annotated, Any

import typer

from palio_local import tables
from palio_local.display import console
from palio_local.gateway import Gateway, connected

app = typer.Typer(help="Leaderboards.", no_args_is_help=True)

COLUMNS = ("rank", "username", "score", "reached_at")
_WATCH_S = 1.0

Board = Annotated[str, typer.Argument(help="global, game/ID or tournament/ID.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="How many ranks.")]


@app.command()
def top(
    board: Board = "global", *, limit: Limit = 10, as_json: Annotated[bool, typer.Option("--json")] = False
) -> None:
    """The best of a board."""
    with connected() as gateway:
        tables.show(_rows(gateway, board, limit), COLUMNS, as_json=as_json)


@app.command()
def watch(
    board: Board = "global", *, limit: Limit = 10, as_json: Annotated[bool, typer.Option("--json")] = False
) -> None:
    """The best of a board, again each second, until Ctrl-C. Into a pipe: only when it changed."""
    with connected() as gateway:
        if console.is_terminal and not as_json:
            _redraw(gateway, board, limit)
        else:
            _repeat(gateway, board, limit, as_json=as_json)


def _redraw(gateway: Gateway, board: str, limit: int) -> None:
    from rich.live import Live  # noqa: PLC0415 - only needed here

    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(tables.table(_rows(gateway, board, limit), COLUMNS), refresh=True)
            time.sleep(_WATCH_S)


def _repeat(gateway: Gateway, board: str, limit: int, *, as_json: bool) -> None:
    shown: list[dict[str, Any]] | None = None
    while True:
        rows = _rows(gateway, board, limit)
        if rows != shown:
            tables.show(rows, COLUMNS, as_json=as_json)
            shown = rows
        time.sleep(_WATCH_S)


def _rows(gateway: Gateway, board: str, limit: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = gateway.get(f"/api/v1/leaderboard/{board}", limit=limit)["items"]
    return rows
