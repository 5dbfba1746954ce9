"""The lock files meet what the manifests ask for and name no place to fetch from."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[3]
LOCKS = sorted(ROOT.glob("locks/*.txt"))
MANIFESTS = [*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")]
MANIFESTS.append(ROOT / "operator" / "pyproject.toml")


def _pins(*names: str) -> dict[str, set[Version]]:
    """Locked versions by package; there may be two for different platforms."""
    pins: dict[str, set[Version]] = {}
    for name in names:
        for package, version in re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "locks" / name).read_text(), re.MULTILINE):
            pins.setdefault(canonicalize_name(package), set()).add(Version(version))
    return pins


def _requirements() -> Iterator[tuple[str, Requirement]]:
    for manifest in MANIFESTS:
        project = tomllib.loads(manifest.read_text())["project"]
        for text in project["dependencies"]:
            requirement = Requirement(text)
            if not requirement.name.startswith("palio-"):
                yield project["name"], requirement


def _tools() -> Iterator[Requirement]:
    for group in tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"].values():
        yield from map(Requirement, group)


def test_every_member_finds_its_dependencies_locked() -> None:
    pins = _pins("palio.txt")
    unmet = [
        f"{member} needs {requirement}"
        for member, requirement in _requirements()
        if not any(version in requirement.specifier for version in pins.get(canonicalize_name(requirement.name), ()))
    ]
    assert unmet == [], "run `make lock`"


def test_every_tool_is_locked() -> None:
    pins = _pins("palio.txt", "dev.txt")
    unmet = [
        str(requirement)
        for requirement in _tools()
        if not any(version in requirement.specifier for version in pins.get(canonicalize_name(requirement.name), ()))
    ]
    assert unmet == [], "run `make lock`"


def test_the_locks_agree_with_each_other() -> None:
    palio, dev = _pins("palio.txt"), _pins("dev.txt")
    assert {name: versions for name, versions in dev.items() if palio.get(name, versions) != versions} == {}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_holds_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"://|^\s*-{1,2}(index|extra|find|trusted|i|f)\b", text, re.MULTILINE)
    entries = re.split(r"\n(?=[\w.-]+==)", text)
    assert all("--hash=sha256:" in entry for entry in entries if re.match(r"[\w.-]+==", entry))


def test_the_pages_lock_names_no_registry() -> None:
    lock = ROOT / "ui" / "package-lock.json"
    assert '"resolved"' not in lock.read_text()
