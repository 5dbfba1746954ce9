"""News of flushes: at once when it is quiet, gathered when there is much, the newest hundred."""

import asyncio
from typing import Any
from uuid import UUID

from palio_kit.ids import new_id
from palio_kit.testing.waiting import eventually
from palio_score.domain import DELETED_PLAYER
from palio_score.models import ScoreNews, ScoresEvent
from palio_score.news import NEWS_MAX, News


class Heard:
    """A publisher that remembers."""

    def __init__(self) -> None:
        self.events: list[ScoresEvent] = []
        self.erased: list[list[str]] = []

    def publish(self, kind: str, data: Any) -> None:
        if kind == "account":
            self.erased.append(data["user_ids"])
        else:
            self.events.append(data)


def piece(number: int, user_id: UUID | None = None) -> ScoreNews:
    return ScoreNews(str(number), str(user_id), "ada", "g", number, True, "", 1, None, None)


def numbers(event: ScoresEvent) -> list[int]:
    return [one.score for one in event.submissions]


async def test_the_first_flush_is_told_at_once_and_what_follows_as_one() -> None:
    heard = Heard()
    news = News(heard)  # type: ignore[arg-type]  # a fake
    for number in range(4):
        news.tell({"global": ("e", number)}, [piece(number)])
    assert [numbers(event) for event in heard.events] == [[0]]

    async def told() -> bool:
        return len(heard.events) == 2

    await eventually(told, within_s=1, every_s=0.005)
    assert numbers(heard.events[1]) == [1, 2, 3]
    assert heard.events[1].boards == {"global": ("e", 3)}


async def test_a_flush_that_comes_late_does_not_take_a_version_back() -> None:
    heard = Heard()
    news = News(heard)  # type: ignore[arg-type]
    news.tell({}, [piece(0)])
    for version in (5, 4):
        news.tell({"global": ("e", version)}, [piece(version)])
    news.tell({"game:a": ("new", 1)}, [])
    news.send()
    assert heard.events[-1].boards == {"global": ("e", 5), "game:a": ("new", 1)}


async def test_only_the_newest_hundred_are_told() -> None:
    heard = Heard()
    news = News(heard)  # type: ignore[arg-type]
    news.tell({}, [piece(0)])
    news.tell({}, [piece(number) for number in range(NEWS_MAX + 50)])
    news.send()
    assert numbers(heard.events[-1]) == list(range(50, NEWS_MAX + 50))


async def test_nothing_is_told_of_nothing() -> None:
    heard = Heard()
    news = News(heard)  # type: ignore[arg-type]
    news.send()
    await asyncio.sleep(0)
    assert heard.events == []


async def test_who_was_erased_is_named_in_nothing_that_is_told_from_then_on() -> None:
    heard = Heard()
    news = News(heard)  # type: ignore[arg-type]
    gone, stays = new_id(), new_id()
    news.tell({}, [piece(0, gone)])
    news.tell({}, [piece(1, gone), piece(2, stays)])
    news.forget(frozenset({gone}))
    news.forget(frozenset({gone}))
    news.send()
    assert heard.erased == [[str(gone)]]
    assert [one.username for one in heard.events[-1].submissions] == [DELETED_PLAYER, "ada"]
    assert [one.username for one in news.told] == [DELETED_PLAYER, DELETED_PLAYER, "ada"]

    news.tell({}, [piece(3, gone)])  # was under way
    news.forget(frozenset({gone}))
    assert [one.username for one in news.told][-1] == DELETED_PLAYER
    assert heard.erased == [[str(gone)]] * 2
