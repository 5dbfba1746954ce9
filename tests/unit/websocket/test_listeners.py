"""Who gets which frame: a state machine of ready, held and behind, against a model of what each client knows."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from typing_extensions import override

from palio_websocket.channels import Channel
from palio_websocket.domain import ChannelName


@dataclass
class Counter:
    """A source whose state is its version; frames are `s:VERSION` and `d:BASE:VERSION`."""

    epoch: int = 1
    version: int = 0
    known: bool = True

    def told(self) -> tuple[str, int] | None:
        return (str(self.epoch), self.version) if self.known else None

    def snapshot(self, name: ChannelName) -> bytes | None:
        return f"s:{self.epoch}:{self.version}".encode() if self.known else None


@dataclass(eq=False)
class Reader:
    """A socket whose buffer holds two frames; it applies what it reads and never a gap."""

    channel: Channel
    is_held: bool = False
    buffer: list[bytes] = field(default_factory=list)
    holds: tuple[int, int] | None = None
    gaps: int = 0
    left_out: int = 0

    def write(self, frame: bytes) -> None:
        assert not self.is_held, "written to although its buffer is full"
        self.buffer.append(frame)
        if len(self.buffer) > 2:
            self.is_held = True
            self.channel.hold(self)

    def leave_out(self, bytes_: int) -> None:
        self.left_out += bytes_

    def read(self) -> None:
        for frame in self.buffer:
            kind, *numbers = frame.decode().split(":")
            if kind == "s":
                self.holds = (int(numbers[0]), int(numbers[1]))
            elif self.holds == (int(numbers[0]), int(numbers[1])):
                self.holds = (int(numbers[0]), int(numbers[2]))
            else:
                self.gaps += 1
        self.buffer.clear()
        if self.is_held:
            self.is_held = False
            self.channel.release(self)


class Listeners(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.source = Counter()
        self.channel = Channel(ChannelName("score", "score"), self.source)
        self.readers: list[Reader] = []

    @rule()
    def somebody_comes(self) -> None:
        reader = Reader(self.channel)
        self.readers.append(reader)
        self.channel.enter(reader)

    @rule(which=st.integers(0, 9))
    def somebody_goes(self, which: int) -> None:
        if self.readers:
            self.channel.leave(self.readers.pop(which % len(self.readers)))

    @rule(which=st.integers(0, 9))
    def somebody_asks_for_a_snapshot(self, which: int) -> None:
        if self.readers:
            self.channel.enter(self.readers[which % len(self.readers)])

    @rule()
    def something_is_told(self) -> None:
        if self.source.known:
            base = self.source.version
            self.source.version += 1
            self.channel.tell(f"d:{self.source.epoch}:{base}:{self.source.version}".encode())

    @rule()
    def history_is_lost(self) -> None:
        if self.source.known:
            self.source.epoch, self.source.version = self.source.epoch + 1, 0
            self.channel.restart()

    @rule(which=st.integers(0, 9))
    def somebody_reads(self, which: int) -> None:
        if self.readers:
            self.readers[which % len(self.readers)].read()

    @rule()
    def the_state_becomes_known_or_not(self) -> None:
        self.source.known = not self.source.known
        self.channel.catch_up()

    @invariant()
    def nobody_ever_reads_a_gap(self) -> None:
        assert all(reader.gaps == 0 for reader in self.readers)

    @invariant()
    def everybody_is_somewhere(self) -> None:
        assert set(map(id, self.channel.listeners)) == set(map(id, self.readers))
        assert self.channel.is_empty is (not self.readers)

    @override
    def teardown(self) -> None:
        if not self.source.known:
            self.the_state_becomes_known_or_not()
        for reader in self.readers:
            while reader.buffer or reader.is_held:
                reader.read()
            assert reader.holds == (self.source.epoch, self.source.version)


TestListeners = Listeners.TestCase
TestListeners.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
