"""A program that speaks as an engine does, twenty times as fast, and misbehaves as told.

`engine_stub.py MODE`: `well` all its seconds and a report; `until-stopped` seconds until SIGTERM, then a report;
`fails` says so; `vanishes` dies after two seconds without a word; `chatters` prints things that are no messages.
"""

import itertools
import json
import os
import signal
import sys
import threading
import time

from palio_generator.load import messages
from palio_generator.load.messages import Ended, Failed, Preparing, Ready, Row, Started
from palio_generator.load.plan import read_plan
from support.load import report, second

SECOND_S = 0.05


def say(message: messages.Message) -> None:
    sys.stdout.buffer.write(messages.encode(message) + b"\n")
    sys.stdout.flush()


def main(mode: str) -> None:
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    plan = read_plan(sys.stdin.readline())
    say(Preparing("players", 1, plan.virtual_users))
    if mode == "fails":
        say(Failed("unreachable", "nobody answers there"))
        sys.exit(2)
    if mode == "chatters":
        print("a library says hello")
    say(Ready(len(plan.own_users), plan.own_sockets))
    while not stopped.is_set():
        if line := sys.stdin.readline():
            start_at = json.loads(line)["start_at"]
            say(Started(start_at))
            stopped.wait(max(0.0, start_at - time.time()))
            break
    numbers = itertools.count() if mode == "until-stopped" else range(int(plan.duration_s))
    for number in numbers:
        if mode == "vanishes" and number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        if stopped.wait(SECOND_S):
            break
        say(Row(second(number)))
    say(Ended(report(plan, [0.01, 0.02] * 50, was_stopped=stopped.is_set())))


if __name__ == "__main__":
    main(sys.argv[1])
