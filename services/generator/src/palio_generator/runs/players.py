"""Accounts for the runners of a LoadTest: the user service knows this service, and runners are known only here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from palio_generator.errors import RunOver, TargetElsewhere
from palio_generator.load.players import MADE_PATH
from palio_generator.runs.service import Runs
from palio_kit.http import Peer


@dataclass(frozen=True, slots=True)
class Players:
    """Makes them. Tokens of this platform are given only for load on its own gateway."""

    runs: Runs
    user: Peer
    gateway_url: str

    async def made(self, run_id: UUID, numbers: Sequence[int]) -> Any:
        """The user service's answer: an account and a token for each virtual user.

        Raises:
            RunNotFound, RunOver: nobody needs them.
            TargetElsewhere: the load goes to another platform.
        """
        run = await self.runs.get(run_id)
        if run.is_over:
            raise RunOver
        if run.wanted.plan.base_url.rstrip("/") != self.gateway_url.rstrip("/"):
            raise TargetElsewhere
        return await self.user.call("POST", MADE_PATH, {"numbers": list(numbers)}, safe_to_repeat=True)
