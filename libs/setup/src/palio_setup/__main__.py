"""`python -m palio_setup secrets|keys|migrate|release|delete`: one command for each hook Job of the charts."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from palio_setup import leaving, migrations, provision
from palio_setup.cluster import Cluster
from palio_setup.leaving import Leaving
from palio_setup.plan import KeySet, Plan

Report = list[str]


def main(arguments: list[str] | None = None) -> None:
    """Run one command and say in a line each what it did."""
    parser = argparse.ArgumentParser(prog="python -m palio_setup", description=__doc__)
    parser.add_argument("command", choices=sorted(COMMANDS))
    parser.add_argument("plan", type=Path, help="a JSON file: what the chart wants")
    asked = parser.parse_args(arguments)
    try:
        for line in COMMANDS[asked.command](asked.plan.read_bytes()) or ["nothing to do"]:
            sys.stdout.write(f"{line}\n")
    except (OSError, TimeoutError) as error:
        sys.exit(f"{asked.command}: {error}")


def _secrets(document: bytes) -> Report:
    plan = msgspec.json.decode(document, type=Plan)
    return provision.secrets(Cluster.of_pod(), plan, os.environ)


def _keys(document: bytes) -> Report:
    return provision.key_set(Cluster.of_pod(), msgspec.json.decode(document, type=KeySet))


def _migrate(document: bytes) -> Report:
    plan = msgspec.json.decode(document, type=migrations.Plan)
    return asyncio.run(migrations.run(plan, os.environ))


def _release(document: bytes) -> Report:
    return leaving.release(Cluster.of_pod(), msgspec.json.decode(document, type=Leaving))


def _delete(document: bytes) -> Report:
    return leaving.delete(Cluster.of_pod(), msgspec.json.decode(document, type=Leaving))


COMMANDS: dict[str, Callable[[bytes], Report]] = {
    "secrets": _secrets, "keys": _keys, "migrate": _migrate, "release": _release, "delete": _delete,
}  # fmt: skip

if __name__ == "__main__":
    main()
