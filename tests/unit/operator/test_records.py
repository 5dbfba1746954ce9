"""What the tournament service refuses is told in the resource's own words."""

from typing import Any

import pytest

from palio_operator.models import Refusal
from palio_operator.records import _refusal


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (
            {"code": "invalid", "detail": "not what this path takes.", "errors": [
                {"pointer": "/name", "detail": "Value error, something must be visible"},
                {"pointer": "/prizes/1/rank_first", "detail": "is taken"},
            ]},
            Refusal("InvalidSpec", "the spec makes no sense (spec.displayName: something must be visible; "
                                   "spec.prizes[1].rankFrom: is taken); correct the resource"),
        ),
        (
            {"code": "tournament_frozen", "detail": "It has begun.", "errors": [
                {"pointer": "/prize_pool", "detail": "may not change"},
            ]},
            Refusal("ImmutableFieldChanged", "It has begun. (spec.prizePool: may not change); correct the resource"),
        ),
        (
            {"code": "invalid", "errors": [{"pointer": "/end_time", "detail": "the end is in the past"}]},
            Refusal("EndTimeInPast", "endTime is already past; a tournament that was never open cannot be played: "
                                     "set a later one"),
        ),
        ({"code": "game_not_found", "detail": "There is no such game."},
         Refusal("InvalidSpec", "There is no such game.")),
    ],
)  # fmt: skip
def test_a_refusal_names_the_places_of_the_resource(problem: dict[str, Any], told: Refusal) -> None:
    assert _refusal(problem) == told
