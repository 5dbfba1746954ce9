"""What kopf is told to call."""

import re
from typing import Any

import kopf

from palio_operator import handlers
from palio_operator.loops import Loops
from palio_operator.resources import LOADTEST, TOURNAMENT
from palio_operator.turns import Outcome
from palio_operator.watching import Canary


async def nothing(*_: Any) -> Outcome:
    return Outcome(1.0)


def test_handlers_that_keep_progress_have_ids_that_are_names_of_annotations() -> None:
    registry = kopf.OperatorRegistry()
    handlers.register(registry, [Loops(kind, nothing, 1.0) for kind in (TOURNAMENT, LOADTEST)], Canary(1.0))
    kept = [*registry._changing.get_all_handlers(), *registry._spawning.get_all_handlers()]
    assert len(kept) == 4
    assert [one.id for one in kept if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", one.id)] == []
