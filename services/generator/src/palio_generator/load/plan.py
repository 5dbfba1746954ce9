"""What is to be run, and who of several runners does which part of it. Pure, and frozen once made.

Shares are exact: request `i` of the whole run belongs to runner `i mod count`, virtual user `n` to `n mod count`.
So the runners' schedules together are the schedule of one runner, to the microsecond, whatever the numbers are.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil

import msgspec

from palio_generator.load.verdicts import Threshold

USERS_MAX = 20_000
RATE_MAX = 100_000
DURATION_MAX_S = 86_400
RUNNERS_MAX = 50
_ROUNDING = 1e-9


class Scenario(StrEnum):
    """What the virtual users do; names as in crds/loadtest.yaml."""

    SUBMIT_SCORES = "SubmitScores"
    READ_TOP = "ReadTop"
    READ_AROUND = "ReadAround"
    LIVE_UPDATES = "LiveUpdates"
    MIXED = "Mixed"
    TOURNAMENT_RUSH = "TournamentRush"


SOCKETS_PER_USER = {
    Scenario.LIVE_UPDATES: 1.0,
    Scenario.MIXED: 0.1,
    Scenario.TOURNAMENT_RUSH: 0.5,
}
"""Live sockets a scenario opens for each virtual user if the plan names no number; none in the others."""


class PlanRefused(ValueError):
    """The numbers of a plan do not go together; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Share:
    """Which of how many runners: `0 <= index < count`."""

    index: int = 0
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run, or one runner's share of it: all numbers speak of the whole run, `share` says whose part this is.

    `base_url` is a gateway's, `live_url` a web socket's (the gateway's own if None). `requests_per_second` is the
    arrivals of all users together; None lets the users act at their own pace. Load grows linearly for `ramp_up_s`
    and ends at `duration_s`, the ramp included. `sockets` None leaves their number to the scenario. `game_id` None
    plays the first game of the catalogue in which more is better.
    """

    base_url: str
    virtual_users: int
    duration_s: float
    live_url: str | None = None
    scenario: Scenario = Scenario.MIXED
    requests_per_second: float | None = None
    ramp_up_s: float = 5.0
    seed: int = 1
    share: Share = Share()
    thresholds: tuple[Threshold, ...] = ()
    sockets: int | None = None
    game_id: str | None = None
    connections_max: int = 256
    """Open connections to the gateway, of one runner."""
    request_timeout_s: float = 10.0
    run_id: str = ""
    """Names what a run makes for itself, so that all its runners find it: TournamentRush's tournament."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts besides this machine's own that the target may have (see `targets`)."""

    def __post_init__(self) -> None:
        """
        Raises:
            PlanRefused: the numbers do not go together.
        """
        _check(self)

    @property
    def is_paced(self) -> bool:
        """Whether a rate was asked for; else the users' own pace makes one."""
        return self.requests_per_second is not None

    @property
    def measured_from_s(self) -> float:
        """Where measuring begins: after the ramp; a run that is all ramp is measured whole."""
        return self.ramp_up_s if self.ramp_up_s < self.duration_s else 0.0

    @property
    def measured_s(self) -> float:
        """How long it is measured."""
        return self.duration_s - self.measured_from_s

    @property
    def own_users(self) -> range:
        """The numbers of this runner's virtual users."""
        return range(self.share.index, self.virtual_users, self.share.count)

    @property
    def sockets_in_all(self) -> int:
        """Live sockets of all runners."""
        if self.sockets is not None:
            return self.sockets
        return ceil(self.virtual_users * SOCKETS_PER_USER.get(self.scenario, 0.0))

    @property
    def own_sockets(self) -> int:
        """This runner's live sockets."""
        return len(range(self.share.index, self.sockets_in_all, self.share.count))

    @property
    def arrivals_in_all(self) -> int:
        """Requests that a paced run schedules before its end; 0 for one that is not paced."""
        if self.requests_per_second is None:
            return 0
        return ceil(self.requests_per_second * (self.duration_s - self.ramp_up_s / 2) - _ROUNDING)

    def share_of(self, index: int, count: int) -> "Plan":
        """The part of one of `count` runners.

        Raises:
            PlanRefused: there is no such runner, or more runners than users.
        """
        return replace(self, share=Share(index, count))

    def shares(self, count: int) -> "list[Plan]":
        """The parts of `count` runners, which together are this plan.

        Raises:
            PlanRefused: more runners than users, or more than 50.
        """
        return [self.share_of(index, count) for index in range(count)]


def _check(plan: Plan) -> None:
    """Every rule of a plan, the first one broken told."""
    rate = plan.requests_per_second
    rules = (
        (1 <= plan.virtual_users <= USERS_MAX, f"virtual users must be 1 to {USERS_MAX}"),
        (rate is None or 0 < rate <= RATE_MAX, f"requests per second must be above 0 and at most {RATE_MAX}"),
        (1 <= plan.duration_s <= DURATION_MAX_S, f"the duration must be 1 to {DURATION_MAX_S} s"),
        (0 <= plan.ramp_up_s <= plan.duration_s, "the ramp may not be longer than the run"),
        (1 <= plan.share.count <= RUNNERS_MAX, f"there may be 1 to {RUNNERS_MAX} runners"),
        (plan.share.count <= plan.virtual_users, "there may not be more runners than virtual users"),
        (0 <= plan.share.index < plan.share.count, "no such runner"),
        (plan.sockets is None or 0 <= plan.sockets <= USERS_MAX, f"sockets must be 0 to {USERS_MAX}"),
        (1 <= plan.connections_max <= USERS_MAX, f"connections must be 1 to {USERS_MAX}"),
        (0 < plan.request_timeout_s <= 60, "the request timeout must be above 0 and at most 60 s"),  # noqa: PLR2004 - said
        (len({t.key for t in plan.thresholds}) == len(plan.thresholds), "a threshold is named twice"),
    )
    for holds, told in rules:
        if not holds:
            raise PlanRefused(told)


def read_plan(document: bytes | str) -> Plan:
    """A plan from JSON with the fields' names.

    Raises:
        PlanRefused: it is not one.
    """
    try:
        return msgspec.json.decode(document, type=Plan)
    except msgspec.MsgspecError as error:
        raise PlanRefused(str(error)) from error
