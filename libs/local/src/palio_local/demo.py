"""`palio demo` and `palio run`: the stack in the foreground, or detached from the terminal."""

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

from palio_local import state
from palio_local.display import Background, Terminal, addresses, console, errors
from palio_local.layout import Layout
from palio_local.logs import last_lines
from palio_local.part import StartFailed
from palio_local.stack import Plan, Stack

_WAIT_S = 90


def run(plan: Plan, *, detach: bool) -> int:
    """Run the stack of a plan; answers the exit code. If one runs there already, say where and be content."""
    if state.is_running(plan.layout):
        return _running_already(plan.layout)
    return _detached(plan) if detach else _in_foreground(plan)


def _running_already(layout: Layout) -> int:
    document = state.wait_for(layout, _WAIT_S)
    if document is None:
        errors.print("Another palio was starting here and did not get ready; try again.")
        return 1
    console.print("palio is running already", style="bold green")
    for line in addresses(document):
        console.print(line)
    return 0


def _in_foreground(plan: Plan) -> int:
    names = [service.name for service in plan.services]
    display = Terminal(names, {name: plan.layout.log_of(name) for name in names})
    try:
        Stack(plan, display).run()
    except StartFailed as failure:
        errors.print(_explained(failure))
        return 1
    except state.AlreadyRunning:
        return _running_already(plan.layout)
    console.print("palio has ended", style="dim")
    return 0


def _detached(plan: Plan) -> int:
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        _in_background(plan, writing)
    os.close(writing)
    return _report(plan, reading)


def _in_background(plan: Plan, pipe: int) -> NoReturn:
    status = 1
    display = Background(pipe)
    try:
        _leave_terminal(plan.layout)
        Stack(plan, display).run()
        status = 0
    except StartFailed as failure:
        display.failed(_explained(failure))
    except state.AlreadyRunning:
        display.note("another palio was faster")
        display.close()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        raise
    finally:
        sys.stdout.flush()
        os._exit(status)


def _leave_terminal(layout: Layout) -> None:
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    layout.prepare()
    log = os.open(layout.log_of("palio"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)


def _report(plan: Plan, pipe: int) -> int:
    """Show what the background tells until it is ready, failed or gone."""
    told = b""
    with os.fdopen(pipe, "rb", buffering=0) as reading, suppress(KeyboardInterrupt):
        while chunk := reading.read(4096):
            *messages, told = (told + chunk).split(b"\0")
            for message in messages:
                kind, _, text = message.decode().partition(" ")
                if kind == "note":
                    console.print(text, style="dim")
                elif kind == "ready":
                    console.print("palio is ready", style="bold green")
                    console.print(text)
                    console.print(_next_steps(plan.layout), style="dim")
                    return 0
                else:
                    errors.print(text)
                    return 1
    if state.is_running(plan.layout):
        return _running_already(plan.layout)
    log = plan.layout.log_of("palio")
    errors.print("palio ended while starting. It said last:", *last_lines(log, 20), f"The rest is in {log}.", sep="\n")
    return 1


def _next_steps(layout: Layout) -> str:
    """What to type next, for this stack and not for another one's data directory."""
    where = "" if layout == Layout.of(None) else f" --data-dir {layout.root}"
    return f"`palio stop{where}` ends it, `palio logs --follow{where}` shows what it does."


def _explained(failure: StartFailed) -> str:
    said = "\n".join(f"  | {line}" for line in failure.lines)
    return f"{failure.culprit} did not start. It said last:\n{said}\n{failure.suggestion}"
