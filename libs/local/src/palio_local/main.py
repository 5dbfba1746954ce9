"""The `palio` command. Each group of subcommands lives in a module of its own and is imported when it is used."""

from pathlib import Path
from typing import Annotated

import typer

from palio_local import boards, tournaments
from palio_local.bench import commands as bench
from palio_local.layout import Layout

app = typer.Typer(help="Run and use palio on this machine.", no_args_is_help=True, pretty_exceptions_enable=False)
database = typer.Typer(help="The local stack's database.", no_args_is_help=True)
app.add_typer(database, name="db")
app.add_typer(bench.app, name="bench")
app.add_typer(boards.app, name="boards")
app.add_typer(tournaments.app, name="tournaments")

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where data lives (default: .palio here).")]
Execute = Annotated[bool, typer.Option("--exec", help="Start each service as its own program instead of forking it.")]
Limits = Annotated[str, typer.Option(help="`off` lifts the rate limits, for measuring.", metavar="on|off")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command()
def demo(
    *,
    detach: Annotated[bool, typer.Option(help="Return when everything is ready.")] = False,
    data_dir: DataDir = None,
    fresh: Annotated[bool, typer.Option(help="Throw all data away first.")] = False,
    limits: Limits = "on",
    execute: Execute = False,
) -> None:
    """Start the whole platform: eight services, PostgreSQL, Valkey, the demo UI."""
    from palio_local import demo as demonstration  # noqa: PLC0415 - the other commands need not load the stack
    from palio_local.stack import Plan  # noqa: PLC0415

    if limits not in ("on", "off"):
        raise typer.BadParameter("on or off", param_hint="--limits")
    plan = Plan(Layout.of(data_dir), limits=limits == "on", fresh=fresh, forked=not execute)
    raise typer.Exit(demonstration.run(plan, detach=detach))


@app.command()
def run(
    services: Annotated[list[str], typer.Argument(help="user, game, leaderboard, score, ...")],
    *,
    data_dir: DataDir = None,
    execute: Execute = False,
) -> None:
    """Start one service (or some) alone, with its stores; the others are expected at their usual ports."""
    from palio_local import demo as demonstration  # noqa: PLC0415
    from palio_local.services import SERVICES, by_name  # noqa: PLC0415
    from palio_local.stack import Plan  # noqa: PLC0415

    unknown = set(services) - {service.name for service in SERVICES}
    if unknown:
        raise typer.BadParameter(f"no such service: {', '.join(sorted(unknown))}")
    plan = Plan(Layout.of(data_dir), services=[by_name(name) for name in services], forked=not execute)
    raise typer.Exit(demonstration.run(plan, detach=False))


@app.command()
def status(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """What runs, where, and whether it is ready."""
    from palio_local import operations  # noqa: PLC0415

    raise typer.Exit(operations.show_status(Layout.of(data_dir), as_json=as_json))


@app.command()
def stop(*, data_dir: DataDir = None) -> None:
    """End everything."""
    from palio_local import operations  # noqa: PLC0415

    raise typer.Exit(operations.stop(Layout.of(data_dir)))


@app.command()
def clean(*, data_dir: DataDir = None) -> None:
    """Remove all data: accounts, scores, tournaments, logs, passwords."""
    from palio_local import operations  # noqa: PLC0415

    raise typer.Exit(operations.clean(Layout.of(data_dir)))


@app.command()
def logs(
    service: Annotated[
        str | None, typer.Argument(help="One service, `postgres` or `redis`; all services if left out.")
    ] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=10_000)] = 100,
    data_dir: DataDir = None,
) -> None:
    """What the services said."""
    from palio_local import operations  # noqa: PLC0415

    raise typer.Exit(operations.show_logs(Layout.of(data_dir), service, follow=follow, count=lines))


@app.command()
def doctor(*, data_dir: DataDir = None) -> None:
    """Look for what could stand in the way on this machine."""
    from palio_local import operations  # noqa: PLC0415

    raise typer.Exit(operations.doctor(Layout.of(data_dir)))


@database.command()
def migrate(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what is pending; exit code 1 if anything is.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Bring the running stack's database (or that of DATABASE_URL) up to date."""
    from palio_local import databases  # noqa: PLC0415

    raise typer.Exit(databases.migrate(Layout.of(data_dir), check=check))
