"""The rules of the house that a linter of our own must keep."""

import ast
import re
import statistics
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ("user", "game", "leaderboard", "score", "gateway", "websocket", "tournament", "generator")
SOURCES = ("libs/*/src", "services/*/src", "operator/src")
NO_ROOMS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}
LINES_MAX = 60
LINES_MEDIAN_MAX = 10

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules() -> dict[Path, ast.Module]:
    files = (file for pattern in SOURCES for source in ROOT.glob(pattern) for file in source.rglob("*.py"))
    return {file.relative_to(ROOT): ast.parse(file.read_text()) for file in sorted(files)}


def functions() -> list[tuple[Path, Function]]:
    return [
        (path, node)
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def length(function: Function) -> int:
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def calls() -> list[tuple[Path, int, str]]:
    return [
        (path, node.lineno, node.func.attr)
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]


def test_every_module_opens_with_what_it_owns() -> None:
    assert [path for path, tree in modules().items() if not ast.get_docstring(tree)] == []


def test_no_room_is_called_utils() -> None:
    assert [path for path in modules() if NO_ROOMS & {*path.parts, path.stem}] == []


def test_no_function_is_over_sixty_lines() -> None:
    assert [f"{path}:{f.lineno} {f.name} {length(f)}" for path, f in functions() if length(f) > LINES_MAX] == []


def test_half_of_all_functions_are_under_ten_lines() -> None:
    assert statistics.median(length(function) for _, function in functions()) < LINES_MEDIAN_MAX


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_the_files_every_service_has(service: str) -> None:
    package = ROOT / "services" / service / "src" / f"palio_{service}"
    assert {"__init__.py", "__main__.py", "app.py", "settings.py", "py.typed"} <= {
        file.name for file in package.iterdir()
    }


def test_domain_modules_neither_wait_nor_look_at_a_clock() -> None:
    impure = {"time", "random", "asyncio", "os", "socket"}
    for path, tree in modules().items():
        if path.name != "domain.py":
            continue
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)], path
        assert not {"now", "utcnow"} & {name for at, _, name in calls() if at == path}, path
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert not (imported - {"random"}) & impure, path


def test_redis_is_only_written_absolutely() -> None:
    """redis-py repeats a command whose reply was lost, so an increment would count twice."""
    increments = {
        "incr",
        "incrby",
        "incrbyfloat",
        "zincrby",
        "hincrby",
        "hincrbyfloat",
        "lpush",
        "rpush",
        "xadd",
        "append_",
    }
    redis_files = [path for path in modules() if "services" in path.parts]
    assert [(at, line, name) for at, line, name in calls() if name in increments and at in redis_files] == []


def test_nobody_uses_base_http_middleware() -> None:
    assert [path for path in modules() if "import BaseHTTPMiddleware" in (ROOT / path).read_text()] == []


def test_sql_stands_in_stores_and_sql_files() -> None:
    statement = re.compile(r'"\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM)\s', re.IGNORECASE)
    allowed = {"store.py", "postgres.py", "migrate.py", "idempotency.py"}
    services = [path for path in modules() if path.parts[0] == "services" and path.name not in allowed]
    assert [path for path in services if statement.search((ROOT / path).read_text())] == []


def test_every_sql_file_begins_with_what_it_guarantees() -> None:
    files = [file for pattern in SOURCES for source in ROOT.glob(pattern) for file in source.rglob("sql/*.sql")]
    assert [file.relative_to(ROOT) for file in files if not file.read_text().startswith("-- ")] == []


def test_every_lua_file_begins_with_its_contract() -> None:
    files = [file for pattern in SOURCES for source in ROOT.glob(pattern) for file in source.rglob("lua/*.lua")]
    missing = [file for file in files if not (file.read_text().startswith("-- ") and "KEYS" in file.read_text()[:600])]
    assert [file.relative_to(ROOT) for file in missing] == []


def test_migrations_are_numbered_without_holes() -> None:
    for folder in ROOT.glob("services/*/src/*/migrations"):
        numbers = sorted(int(file.name[:4]) for file in folder.glob("*.sql"))
        assert numbers == list(range(1, len(numbers) + 1)), folder


def test_nothing_waits_to_be_written() -> None:
    unfinished = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b|NotImplementedError")
    assert [path for path in modules() if unfinished.search((ROOT / path).read_text())] == []
