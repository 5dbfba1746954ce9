"""`python -m support.toy.launcher DATA_DIR [--detach] [--exec] [--ports A,B,C]`: the local stack with toy services."""

import argparse
import sys
from pathlib import Path

from palio_local import demo
from palio_local.layout import Layout
from palio_local.services import Service
from palio_local.stack import Plan

TOYS = ("user", "gateway", "websocket")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--detach", action="store_true")
    parser.add_argument("--exec", action="store_true", dest="execute")
    parser.add_argument("--ports", default="0,0,0")
    arguments = parser.parse_args()
    ports = map(int, arguments.ports.split(","))
    toys = [
        Service(name, port, "support.toy", further_ports=(0,) if name == "gateway" else ())
        for name, port in zip(TOYS, ports, strict=True)
    ]
    plan = Plan(
        Layout.of(arguments.data_dir), services=toys, forked=not arguments.execute, migrate=lambda dsn, passwords: None
    )
    return demo.run(plan, detach=arguments.detach)


if __name__ == "__main__":
    sys.exit(main())
