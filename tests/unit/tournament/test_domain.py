"""Prizes over final standings: nothing lost, nothing made, nobody paid twice."""

import hashlib
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio_tournament import domain
from palio_tournament.domain import (
    BadPrizes,
    BadWindow,
    EntryPolicy,
    Keep,
    Order,
    Phase,
    Prize,
    Reckoning,
    Rules,
    Standing,
    Ties,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AMOUNT_MAX = 2**53 - 1


def rules(prizes: tuple[Prize, ...] = (), *, ties: Ties = Ties.EARLIEST_ACHIEVED, pool: int | None = None) -> Rules:
    return Rules(
        id=UUID(int=1), name="Cup", game_id="space-race", keep=Keep.BEST, order=Order.DESCENDING, ties=ties,
        starts_at=NOON, ends_at=NOON + timedelta(hours=1), settles_at=NOON + timedelta(hours=1, seconds=2),
        entry=EntryPolicy.UNTIL_END, max_participants=100,
        prize_pool=sum(prize.total for prize in prizes) if pool is None else pool,
        currency="coins", prizes=prizes, created_by=UUID(int=2),
    )  # fmt: skip


@st.composite
def prize_lists(draw: st.DrawFn) -> tuple[Prize, ...]:
    """Ranges that lie apart, in any order."""
    bounds = sorted(draw(st.sets(st.integers(1, 40), max_size=12)))
    ranges = list(zip(bounds[::2], bounds[1::2], strict=False))
    amounts = draw(st.lists(st.integers(1, 10**12), min_size=len(ranges), max_size=len(ranges)))
    prizes = [Prize(domain.prize_key(*bound), *bound, amount) for bound, amount in zip(ranges, amounts, strict=True)]
    return tuple(draw(st.permutations(prizes)))


@st.composite
def final_standings(draw: st.DrawFn, ties: Ties) -> list[Standing]:
    """Boards with many equal scores, in their total order."""
    scores = sorted(draw(st.lists(st.integers(0, 6), max_size=45)), reverse=True)
    ranks = [1 + sum(other > score for other in scores) for score in scores]
    return [
        Standing(at, ranks[at - 1] if ties is Ties.SHARED else at, UUID(int=at), score, NOON + timedelta(seconds=at))
        for at, score in enumerate(scores, start=1)
    ]


@given(st.integers(0, AMOUNT_MAX), st.integers(1, 1000))
def test_a_split_conserves_the_sum_and_is_even(total: int, parts: int) -> None:
    shares = domain.split_evenly(total, parts)
    assert len(shares) == parts
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


@given(st.integers(0, AMOUNT_MAX))
def test_the_default_split_gives_the_whole_pool_away(pool: int) -> None:
    prizes = domain.default_prizes(pool)
    assert sum(prize.total for prize in prizes) == pool
    assert [prize.amount for prize in prizes] == sorted((prize.amount for prize in prizes), reverse=True)
    assert all(prize.amount > 0 for prize in prizes)
    domain.check_prizes(prizes, pool)


@pytest.mark.parametrize(
    ("pool", "amounts"), [(0, []), (1, [1]), (2, [2]), (4, [3, 1]), (100, [50, 30, 20]), (101, [51, 30, 20])]
)
def test_the_remainder_of_the_default_split_goes_to_the_first(pool: int, amounts: list[int]) -> None:
    assert [prize.amount for prize in domain.default_prizes(pool)] == amounts


@given(prize_lists(), final_standings(Ties.EARLIEST_ACHIEVED))
def test_by_position_each_row_in_a_range_gets_exactly_that_prize(
    prizes: tuple[Prize, ...], standings: list[Standing]
) -> None:
    awards = {award.user_id: award for award in domain.award(rules(prizes), standings)}
    for row in standings:
        promised = [prize for prize in prizes if prize.rank_first <= row.position <= prize.rank_last]
        found = [awards[row.user_id]] if row.user_id in awards else []
        assert [(one.prize_key, one.amount, one.rank) for one in found] == [
            (prize.key, prize.amount, row.position) for prize in promised
        ]


@given(prize_lists(), final_standings(Ties.SHARED))
def test_shared_ties_get_what_their_positions_would_have_got_together(
    prizes: tuple[Prize, ...], standings: list[Standing]
) -> None:
    apart = {award.user_id: award.amount for award in domain.award_by_position(prizes, standings)}
    shared = domain.award(rules(prizes, ties=Ties.SHARED), standings)
    together = {award.user_id: award.amount for award in shared}
    assert len(shared) == len(together)
    for rank in {row.rank for row in standings}:
        tied = [row.user_id for row in standings if row.rank == rank]
        shares = [together.get(user, 0) for user in tied]
        assert sum(shares) == sum(apart.get(user, 0) for user in tied)
        assert max(shares) - min(shares) <= 1
        assert shares == sorted(shares, reverse=True)


def test_a_hundred_coins_among_three_tied_players() -> None:
    standings = [Standing(at, 1, UUID(int=at), 7, NOON + timedelta(seconds=at)) for at in (1, 2, 3)]
    awards = domain.award(rules(domain.default_prizes(100), ties=Ties.SHARED), standings)
    assert [(award.prize_key, award.amount) for award in awards] == [("rank-1", 34), ("rank-1", 33), ("rank-1", 33)]


def test_a_tie_across_the_last_paid_rank_is_paid_to_all_who_share_it() -> None:
    prizes = (Prize("rank-1", 1, 1, 10),)
    standings = [Standing(at, 1, UUID(int=at), 7, NOON + timedelta(seconds=at)) for at in range(1, 5)]
    assert [award.amount for award in domain.award(rules(prizes, ties=Ties.SHARED), standings)] == [3, 3, 2, 2]


@given(st.sampled_from(Ties), prize_lists(), st.data())
def test_a_reckoning_awards_as_if_it_had_kept_every_row(
    ties: Ties, prizes: tuple[Prize, ...], data: st.DataObject
) -> None:
    standings = data.draw(final_standings(ties))
    reckoning = Reckoning(rules(prizes, ties=ties))
    for row in standings:
        reckoning.add(row)
    assert reckoning.players == len(standings)
    assert reckoning.awards() == domain.award(rules(prizes, ties=ties), standings)


@given(st.sampled_from(Ties), prize_lists(), st.integers(0, 10**6), st.data())
def test_every_transfer_balances_and_the_pool_keeps_what_nobody_won(
    ties: Ties, prizes: tuple[Prize, ...], spare: int, data: st.DataObject
) -> None:
    total = sum(prize.total for prize in prizes) + spare
    agreed = rules(prizes, ties=ties, pool=total)
    awards = domain.award(agreed, data.draw(final_standings(ties)))
    made = domain.transfers(agreed, awards, (UUID(int=number) for number in count()))
    assert all(sum(posting.amount for posting in transfer.postings) == 0 for transfer in made)
    assert all(posting.amount != 0 for transfer in made for posting in transfer.postings)
    assert len({(transfer.prize_key, transfer.user_id) for transfer in made}) == len(made)
    balances: dict[str, int] = {}
    for transfer in made:
        for posting in transfer.postings:
            balances[posting.account] = balances.get(posting.account, 0) + posting.amount
    paid = sum(amount for account, amount in balances.items() if account.startswith("player:"))
    assert paid == sum(award.amount for award in awards) <= total
    assert balances.get(domain.pool_account(agreed.id), 0) == total - paid
    assert balances.get(domain.HOUSE, 0) == -total


def test_a_reversal_moves_the_same_money_back_and_names_the_award() -> None:
    award = domain.Award("rank-1", UUID(int=7), 1, 50)
    (_, paid) = domain.transfers(rules(pool=50), [award], (UUID(int=number) for number in count()))
    back = domain.reversal(paid, UUID(int=9))
    assert (back.reverses, back.user_id, back.prize_key) == (paid.id, award.user_id, "rank-1")
    assert {one.account: one.amount for one in back.postings} == {one.account: -one.amount for one in paid.postings}


@given(prize_lists())
def test_prizes_that_lie_apart_and_fit_the_pool_are_taken(prizes: tuple[Prize, ...]) -> None:
    total = sum(prize.total for prize in prizes)
    domain.check_prizes(prizes, total)
    if prizes:
        with pytest.raises(BadPrizes, match="more than"):
            domain.check_prizes(prizes, total - 1)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=2, max_size=5))
def test_ranges_are_refused_exactly_if_some_rank_has_two_prizes(ranges: list[tuple[int, int]]) -> None:
    prizes = [Prize(f"p{number}", first, last, 1) for number, (first, last) in enumerate(ranges)]
    ranks = [rank for first, last in ranges for rank in range(first, last + 1)]
    good = len(ranks) == len(set(ranks)) and all(first <= last for first, last in ranges)
    try:
        domain.check_prizes(prizes, 10**6)
    except BadPrizes:
        assert not good
    else:
        assert good


def test_keys_of_prizes_differ() -> None:
    with pytest.raises(BadPrizes, match="differ"):
        domain.check_prizes([Prize("a", 1, 1, 1), Prize("a", 2, 2, 1)], 2)


@pytest.mark.parametrize(("start", "end"), [(0, 0), (5, 0), (-10, 0), (-10, -5)])
def test_windows_that_are_backward_or_over_are_refused(start: int, end: int) -> None:
    with pytest.raises(BadWindow):
        domain.check_window(NOON + timedelta(seconds=start), NOON + timedelta(seconds=end), NOON)


@pytest.mark.parametrize(
    ("entry", "phase", "seconds", "open_"),
    [
        (EntryPolicy.UNTIL_END, Phase.SCHEDULED, -1, True),
        (EntryPolicy.UNTIL_END, Phase.ACTIVE, 3599, True),
        (EntryPolicy.UNTIL_END, Phase.SETTLING, 3600, False),
        (EntryPolicy.UNTIL_START, Phase.SCHEDULED, -1, True),
        (EntryPolicy.UNTIL_START, Phase.ACTIVE, 0, False),
        (EntryPolicy.UNTIL_END, Phase.CANCELLED, 0, False),
        (EntryPolicy.UNTIL_END, Phase.FAILED, 0, False),
    ],
)
def test_entry_is_open_until_the_end_or_the_start(entry: EntryPolicy, phase: Phase, seconds: int, open_: bool) -> None:
    agreed = Rules(**{field: getattr(rules(), field) for field in Rules.__slots__} | {"entry": entry})
    assert domain.may_join(agreed, phase, NOON + timedelta(seconds=seconds)) is open_


def test_the_digest_is_what_its_description_says() -> None:
    agreed = rules(domain.default_prizes(100))
    reckoning = Reckoning(agreed)
    reckoning.add(Standing(1, 1, UUID(int=5), -3, NOON))
    text = (
        '{"currency":"coins","ends_at":1767272400000000,"format":"ScoreRace","game_id":"space-race",'
        '"id":"00000000-0000-0000-0000-000000000001","keep":"best","order":"desc","prize_pool":100,'
        '"prizes":[["rank-1",1,1,50],["rank-2",2,2,30],["rank-3",3,3,20]],"starts_at":1767268800000000,'
        '"ties":"EarliestAchieved"}\n'
        "1 1 00000000-0000-0000-0000-000000000005 -3 1767268800000000\n"
    )
    assert reckoning.digest == hashlib.sha256(text.encode()).hexdigest()


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 3)), min_size=1, max_size=6), st.data())
def test_the_digest_changes_with_every_field_of_every_row(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    def digest(standings: list[Standing]) -> str:
        reckoning = Reckoning(rules())
        for row in standings:
            reckoning.add(row)
        return reckoning.digest

    standings = [
        Standing(at, at, UUID(int=at), score, NOON + timedelta(microseconds=us))
        for at, (score, us) in enumerate(rows, start=1)
    ]
    at = data.draw(st.integers(0, len(standings) - 1))
    old = standings[at]
    changed = data.draw(
        st.sampled_from([
            Standing(old.position + 1, old.rank, old.user_id, old.score, old.reached_at),
            Standing(old.position, old.rank + 1, old.user_id, old.score, old.reached_at),
            Standing(old.position, old.rank, UUID(int=99), old.score, old.reached_at),
            Standing(old.position, old.rank, old.user_id, old.score + 1, old.reached_at),
            Standing(old.position, old.rank, old.user_id, old.score, old.reached_at + timedelta(microseconds=1)),
        ])
    )  # fmt: skip
    assert digest([*standings[:at], changed, *standings[at + 1 :]]) != digest(standings)
    assert digest(standings[:at]) != digest(standings)


def test_a_prize_without_a_key_is_named_after_its_ranks() -> None:
    assert [domain.prize_key(1, 1), domain.prize_key(2, 10)] == ["rank-1", "rank-2-10"]
