"""LoadTest resources, as the Stress API makes them in a cluster: their uid is the run's id.

The operator does the rest: it writes the run, starts its pods, and reads `desiredState` when somebody wants it stopped.
"""

import secrets
from dataclasses import dataclass
from math import ceil
from typing import Any
from uuid import UUID

from palio_generator.load.plan import RUNNERS_MAX
from palio_generator.runs.requests import StressRequest
from palio_kit.apiserver import CONFLICT, ERRORS, NOT_FOUND, UNPROCESSABLE, ApiServer, refusal
from palio_kit.logs import logger
from palio_kit.problems import Unavailable

log = logger(__name__)

RATE_OF_A_RUNNER = 4_000
USERS_OF_A_RUNNER = 5_000
"""What one pod carries with half of a core to spare."""


@dataclass(frozen=True, slots=True)
class Resources:
    """The LoadTests of one namespace."""

    server: ApiServer
    namespace: str

    async def create(self, wish: StressRequest) -> tuple[UUID, str]:
        """Create a LoadTest; its uid and name.

        Raises:
            Invalid: the API server will not have it.
            Unavailable, OutcomeUnknown: it does not answer, or says no for now.
        """
        body = manifest(wish, f"stress-{secrets.token_hex(4)}")
        status, told = await self.server.send("POST", _path(self.namespace), body)
        if status == UNPROCESSABLE:
            raise refusal(told)
        if status >= ERRORS:
            log.warning("resource_not_created", status=status, reason=told.get("reason"))
            raise Unavailable("The cluster does not take the run for now.")
        return UUID(told["metadata"]["uid"]), told["metadata"]["name"]

    async def stop(self, namespace: str, name: str, uid: UUID) -> None:
        """Have a LoadTest want to be stopped; one that is gone, or another of the same name, is left alone.

        Raises:
            Unavailable, OutcomeUnknown: the API server does not answer, or says no for now.
        """
        body = {"metadata": {"uid": str(uid)}, "spec": {"desiredState": "Stopped"}}
        status, told = await self.server.send("PATCH", f"{_path(namespace)}/{name}", body)
        if status >= ERRORS and status not in (NOT_FOUND, CONFLICT):
            log.warning("resource_not_stopped", status=status, reason=told.get("reason"))
            raise Unavailable("The cluster does not stop the run for now.")


def manifest(wish: StressRequest, name: str) -> dict[str, Any]:
    """A wish as a LoadTest against the platform's own gateway."""
    return {
        "apiVersion": "palio.gg/v1alpha1",
        "kind": "LoadTest",
        "metadata": {"name": name},
        "spec": {
            "scenario": wish.scenario.value,
            "load": {
                "parallelism": runners_for(wish.users, wish.actions_per_second),
                "virtualUsers": wish.users, "requestsPerSecond": wish.actions_per_second,
                "rampUpSeconds": int(wish.ramp_up_s), "durationSeconds": wish.duration_seconds,
            },
            "thresholds": [
                {"metric": one.metric.value, "op": one.op.value, "value": _whole(one.value)} for one in wish.thresholds
            ],
        },
    }  # fmt: skip


def runners_for(users: int, actions_per_second: int) -> int:
    """How many pods carry that."""
    wanted = max(ceil(actions_per_second / RATE_OF_A_RUNNER), ceil(users / USERS_OF_A_RUNNER))
    return min(wanted, users, RUNNERS_MAX)


def _whole(value: float) -> float | int:
    """A whole number as one: the resource takes no other."""
    return int(value) if value.is_integer() else value


def _path(namespace: str) -> str:
    return f"/apis/palio.gg/v1alpha1/namespaces/{namespace}/loadtests"
