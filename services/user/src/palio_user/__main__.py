"""`python -m palio_user` starts the service; `python -m palio_user grant USERNAME ROLE` makes the first admin."""

import argparse
import asyncio
import sys

from palio_kit import postgres, serve
from palio_kit.problems import Problem
from palio_user import domain
from palio_user.app import create_app
from palio_user.settings import GrantSettings, Settings
from palio_user.store import Store


async def _grant(username: str, role: str) -> None:
    async with postgres.connect(GrantSettings()) as database:
        await Store(database).grant(username, role)


def main() -> None:
    """Serve, or grant a role to a user; it counts from the user's next access token on."""
    parser = argparse.ArgumentParser(prog="python -m palio_user", description=__doc__)
    grant = parser.add_subparsers(dest="command").add_parser("grant", help="give a user a role")
    grant.add_argument("username")
    grant.add_argument("role", choices=sorted(domain.GRANTABLE))
    arguments = parser.parse_args()
    if arguments.command is None:
        serve.run(create_app, Settings())
        return
    try:
        asyncio.run(_grant(arguments.username, arguments.role))
    except Problem as problem:
        sys.exit(f"{arguments.username}: {problem.detail}")
    sys.stdout.write(f"{arguments.username} is now {arguments.role}\n")


if __name__ == "__main__":
    main()
