"""The same sources give the same image: what the Dockerfile does with our members is repeated here, without Docker."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MEMBERS_STEP = re.compile(r"^RUN (for member in .*?)\n\n", re.MULTILINE | re.DOTALL)
MEMBERS = ("libs/kit", "services/game")


@pytest.fixture
def build(tmp_path: Path) -> Callable[[], str]:
    """Build the members as the image's stage does, anew; a hash over every path and byte that goes into the image."""
    work, members = tmp_path / "work", tmp_path / "members"
    for part in (*MEMBERS, "locks"):
        shutil.copytree(ROOT / part, work / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    step = MEMBERS_STEP.search((ROOT / "Dockerfile").read_text())
    assert step is not None
    script = step[1].replace("/wheels", str(tmp_path / "wheels")).replace("/app/members", str(members))
    path = f"{Path(sys.executable).parent}:{ROOT / '.uv' / 'bin'}:{os.environ['PATH']}"

    def run() -> str:
        for folder in (tmp_path / "wheels", members):
            shutil.rmtree(folder, ignore_errors=True)
        environment = {name: one for name, one in os.environ.items() if name != "PYTHONHASHSEED"}
        environment |= {"PATH": path, "MEMBERS": "services/game", "PYC_INVALIDATION_MODE": "UNCHECKED_HASH"}
        subprocess.run(["sh", "-c", script], cwd=work, env=environment, check=True, capture_output=True)
        total = hashlib.sha256()
        for file in sorted(file for file in members.rglob("*") if file.is_file()):
            total.update(str(file.relative_to(members)).encode() + b"\0" + file.read_bytes())
        return total.hexdigest()

    return run


def test_members_that_did_not_change_go_into_the_image_byte_for_byte(build: Callable[[], str], tmp_path: Path) -> None:
    first = build()
    for file in (tmp_path / "work").rglob("*.py"):
        file.touch()
    assert build() == first
    rules = tmp_path / "work" / "services" / "game" / "src" / "palio_game" / "domain.py"
    rules.write_text(f"{rules.read_text()}\nCHANGED = True\n")
    assert build() != first
    assert list((tmp_path / "members").rglob("__pycache__/domain.*.pyc"))
