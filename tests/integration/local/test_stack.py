"""The stack as its user meets it, with toys for services: start, status, restart, stop, and ways to go wrong."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from palio_kit.testing.waiting import eventually
from palio_local import operations
from palio_local.layout import Layout
from support.local_stack import note
from support.stores import reachable_directory

PALIO = Path(sys.executable).with_name("palio")
TESTS = Path(__file__).parents[2]
BACK_WITHIN_S = 20
"""The goal is 5 s on a quiet machine."""
START_TIMEOUT_S = 60


@dataclass(frozen=True)
class ToyStack:
    """A data directory and the commands a user would type."""

    data_dir: Path

    def launch(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        note(self.data_dir)
        command = [sys.executable, "-m", "support.toy.launcher", str(self.data_dir), "--detach", *arguments]
        return subprocess.run(
            command, cwd=TESTS, env=os.environ | environment, capture_output=True, text=True,
            timeout=START_TIMEOUT_S, check=False,
        )  # fmt: skip

    def palio(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(PALIO), *arguments, "--data-dir", str(self.data_dir)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def status(self) -> Any:
        """Asked in this process: polling a command costs half a second of CPU each time."""
        return operations.status(Layout.of(self.data_dir))

    def launcher(self) -> psutil.Process:
        return psutil.Process(int((self.data_dir / "run" / "lock").read_text()))

    def processes(self) -> list[psutil.Process]:
        launcher = self.launcher()
        return [launcher, *launcher.children(recursive=True)]


@pytest.fixture
def stack() -> Iterator[ToyStack]:
    with reachable_directory() as place:
        stack = ToyStack(place / "data")
        yield stack
        stack.palio("stop")


@pytest.fixture(scope="module")
def shared() -> Iterator[ToyStack]:
    """One that runs for the tests that leave it as they found it."""
    with reachable_directory() as place:
        stack = ToyStack(place / "data")
        done = stack.launch()
        assert done.returncode == 0, done.stdout + done.stderr
        yield stack
        stack.palio("stop")


def _pid(status: Any, name: str) -> int:
    pid: int = (status["services"] | {"postgres": status["postgres"], "redis": status["redis"]})[name]["pid"]
    return pid


def test_status_has_the_documented_shape(shared: ToyStack) -> None:
    status = json.loads(shared.palio("status", "--json").stdout)
    assert status == shared.status()
    assert set(status) == {"urls", "services", "postgres", "redis"}
    assert set(status["urls"]) == {"ui", "gateway", "websocket"}
    assert all(set(service) == {"pid", "url", "ready"} for service in status["services"].values())
    assert all(service["ready"] for service in status["services"].values())
    assert set(status["postgres"]) == {"pid", "dsn"}
    assert set(status["redis"]) == {"pid", "url"}


def test_a_second_start_tells_where_the_first_one_runs(shared: ToyStack) -> None:
    before = shared.status()
    done = shared.launch()
    assert done.returncode == 0
    assert "running already" in done.stdout
    assert before["urls"]["ui"] in done.stdout
    assert shared.status() == before


def test_data_is_not_removed_under_a_running_stack(shared: ToyStack) -> None:
    assert shared.palio("clean").returncode == 1
    assert shared.status() is not None


def test_plain_lines_go_into_a_pipe(shared: ToyStack) -> None:
    done = shared.palio("status")
    assert "\x1b" not in done.stdout
    assert done.returncode == 0


def test_logs_are_shown_by_service(shared: ToyStack) -> None:
    done = shared.palio("logs", "user")
    assert "service_started" in done.stdout
    assert all(line.startswith("user") for line in done.stdout.splitlines())


async def test_a_child_keeps_nothing_of_its_parent_but_its_sockets(shared: ToyStack) -> None:
    services = shared.status()["services"]
    async with httpx2.AsyncClient() as client:
        user, gateway = [(await client.get(f"{services[name]['url']}/process")).json() for name in ("user", "gateway")]
    assert gateway["descriptors"] == user["descriptors"] + 1  # the port of the UI
    lock = str(shared.data_dir / "run" / "lock")
    opened = {file.path for name in services for file in psutil.Process(_pid(shared.status(), name)).open_files()}
    assert lock not in opened


@pytest.mark.parametrize("name", ["user", "gateway", "redis", "postgres"])
async def test_what_is_killed_is_back_at_the_same_address(shared: ToyStack, name: str) -> None:
    before = shared.status()
    os.kill(_pid(before, name), signal.SIGKILL)

    async def back() -> bool:
        now = await asyncio.to_thread(shared.status)
        pid = _pid(now, name)
        return bool(pid and pid != _pid(before, name) and all(each["ready"] for each in now["services"].values()))

    await eventually(back, within_s=BACK_WITHIN_S)
    after = shared.status()
    assert after["urls"] == before["urls"]
    assert after["postgres"]["dsn"] == before["postgres"]["dsn"]
    assert after["redis"]["url"] == before["redis"]["url"]


async def test_postgres_restarted_at_once_is_back(shared: ToyStack) -> None:
    before = shared.status()["postgres"]["pid"]
    os.kill(before, signal.SIGQUIT)

    async def back() -> bool:
        return bool(await asyncio.to_thread(lambda: shared.status()["postgres"]["pid"] != before))

    await eventually(back, within_s=BACK_WITHIN_S)


def test_stop_leaves_no_process_no_identity_and_the_data(stack: ToyStack) -> None:
    assert stack.launch().returncode == 0
    processes = stack.processes()
    done = stack.palio("stop")
    assert done.returncode == 0
    assert _alive(processes) == []
    assert sorted(path.name for path in (stack.data_dir / "run").iterdir()) == ["lock", "log"]
    assert stack.palio("status").returncode == 3
    assert stack.palio("stop").returncode == 0
    assert (stack.data_dir / "postgres" / "data" / "PG_VERSION").exists()
    assert stack.palio("clean").returncode == 0
    assert not stack.data_dir.exists()


def test_a_launcher_killed_with_9_leaves_nothing_and_does_not_block_the_next(stack: ToyStack) -> None:
    assert stack.launch().returncode == 0
    processes = stack.processes()
    os.kill(stack.launcher().pid, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=20)
    assert _alive(processes) == []
    assert stack.palio("status").returncode == 3
    assert stack.launch().returncode == 0


def test_a_taken_port_is_replaced_and_said(stack: ToyStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = squatter.getsockname()[1]
        done = stack.launch("--ports", f"{port},0,0")
    assert done.returncode == 0
    assert f"port {port} is taken" in done.stdout
    assert stack.status()["services"]["user"]["url"] != f"http://127.0.0.1:{port}"


def test_a_failed_start_shows_the_culprits_last_lines_and_leaves_nothing(stack: ToyStack) -> None:
    done = stack.launch(TOY_BROKEN="yes")
    assert done.returncode == 1
    assert "did not start" in done.stderr
    assert "the toy is broken on purpose" in done.stderr
    assert "palio logs" in done.stderr
    assert stack.palio("status").returncode == 3
    assert not [process for process in psutil.process_iter() if str(stack.data_dir) in " ".join(_command(process))]


def test_services_can_be_executed_instead_of_forked(stack: ToyStack) -> None:
    done = stack.launch("--exec")
    assert done.returncode == 0, done.stdout + done.stderr
    pid = _pid(stack.status(), "user")
    assert "palio_local.child" in " ".join(psutil.Process(pid).cmdline())
    processes = stack.processes()
    stack.palio("stop")
    assert _alive(processes) == []


def test_ctrl_c_ends_a_stack_in_the_foreground(stack: ToyStack) -> None:
    command = [sys.executable, "-m", "support.toy.launcher", str(stack.data_dir)]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        for line in launcher.stdout:
            if line.startswith("Ctrl-C"):
                break
        processes = stack.processes()
        launcher.send_signal(signal.SIGINT)
        rest = launcher.stdout.read()
        assert launcher.wait(15) == 0
    assert "palio has ended" in rest
    assert _alive(processes) == []


def _alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still do something; one that waits for init to read its status does not."""
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
