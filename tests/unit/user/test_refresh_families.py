"""Any interleaving of sign-ins, refreshes, replays, sign-outs and time keeps the rules of refresh-token families."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from palio_user import domain
from palio_user.domain import RefreshState, Verdict

START = datetime(2030, 1, 1)  # noqa: DTZ001 - an imagined clock


@pytest.mark.parametrize("expired", [False, True])
@pytest.mark.parametrize("ended", [False, True])
def test_a_used_token_always_ends_the_family(expired: bool, ended: bool) -> None:
    assert domain.judge(RefreshState(used=True, expired=expired, ended=ended)) is Verdict.REUSED


def test_only_the_newest_token_of_a_living_family_goes_on() -> None:
    assert domain.judge(RefreshState(used=False, expired=False, ended=False)) is Verdict.ROTATE
    assert domain.judge(RefreshState(used=False, expired=True, ended=False)) is Verdict.REFUSED
    assert domain.judge(RefreshState(used=False, expired=False, ended=True)) is Verdict.REFUSED
    assert domain.judge(None) is Verdict.REFUSED


@dataclass
class Token:
    family: int
    expires_at: datetime
    used: bool = False


class Families(RuleBasedStateMachine):
    """Tokens are their index; the machine does what the store's statements do."""

    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.kept: list[Token] = []
        self.ended: set[int] = set()
        self.families = 0
        self.replayed: set[int] = set()

    @rule(target=tokens)
    def sign_in(self) -> int:
        self.families += 1
        return self._hand_out(self.families)

    @rule(target=tokens, token=tokens)
    def refresh(self, token: int) -> int:
        kept = self.kept[token]
        was_dead = kept.family in self.ended
        was_newest = token == max(index for index, other in enumerate(self.kept) if other.family == kept.family)
        verdict = domain.judge(RefreshState(kept.used, kept.expires_at <= self.now, was_dead))
        if verdict is Verdict.ROTATE:
            assert was_newest
            assert not was_dead
            assert kept.family not in self.replayed
            kept.used = True
            return self._hand_out(kept.family)
        if verdict is Verdict.REUSED:
            assert not was_newest
            self.ended.add(kept.family)
            self.replayed.add(kept.family)
        return token

    @rule(token=consumes(tokens))
    def sign_out(self, token: int) -> None:
        self.ended.add(self.kept[token].family)

    @rule(hours=st.integers(1, 24 * 20))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @invariant()
    def a_family_has_one_token_that_may_go_on_at_most(self) -> None:
        going_on = [
            token.family
            for token in self.kept
            if domain.judge(RefreshState(token.used, token.expires_at <= self.now, token.family in self.ended))
            is Verdict.ROTATE
        ]
        assert len(going_on) == len(set(going_on))
        assert self.ended.isdisjoint(going_on)

    def _hand_out(self, family: int) -> int:
        self.kept.append(Token(family, self.now + domain.REFRESH_VALID))
        return len(self.kept) - 1


TestFamilies = Families.TestCase
