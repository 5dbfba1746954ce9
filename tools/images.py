"""Build palio's images: `python tools/images.py [NAME...]`; prints name and reference of each.

Every image is tagged with a part of its own id, so an upgrade restarts only what changed.
"""

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_ID_DIGITS = 12


@dataclass(frozen=True)
class Image:
    """One image of the Dockerfile, as build arguments besides SERVICE."""

    name: str
    arguments: dict[str, str] = field(default_factory=dict)

    def build_arguments(self) -> dict[str, str]:
        """All of them."""
        return {"SERVICE": self.name, **self.arguments}


_MIGRATING = ("user", "game", "tournament", "score", "generator")


def images() -> list[Image]:
    """One for each service, one for the operator, one for setting up."""
    services = sorted(manifest.parent.name for manifest in ROOT.glob("services/*/pyproject.toml"))
    setup = " ".join(["libs/setup", *(f"services/{name}" for name in _MIGRATING)])
    return [
        *(Image(name) for name in services),
        Image("operator", {"MEMBERS": "operator", "LOCK": "operator"}),
        Image("setup", {"MEMBERS": setup}),
    ]


def build(image: Image, base: str = "") -> str:
    """Build and tag one; answers its reference. With `base` that image is what it is built on."""
    arguments = image.build_arguments() | ({"BASE": base} if base else {})
    options = [part for key, value in arguments.items() for part in ("--build-arg", f"{key}={value}")]
    built = _docker("build", "--quiet", *options, str(ROOT))
    reference = f"palio-{image.name}:{built.strip().removeprefix('sha256:')[:_ID_DIGITS]}"
    _docker("tag", built.strip(), reference)
    return reference


def _docker(*arguments: str) -> str:
    has_buildx = subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode == 0
    environment = os.environ | ({} if has_buildx else {"DOCKER_BUILDKIT": "0"})
    done = subprocess.run(["docker", *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"docker {arguments[0]} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def main() -> None:
    """Build those that are named, or all."""
    parser = argparse.ArgumentParser(prog="tools/images.py", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--base", default="", help="an image with Python and venv; the Dockerfile's own if left out")
    asked = parser.parse_args()
    for image in images():
        if not asked.names or image.name in asked.names:
            sys.stdout.write(f"{image.name} {build(image, asked.base)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
