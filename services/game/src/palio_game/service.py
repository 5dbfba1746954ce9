"""What can be done with the catalogue: read it, add to it and tell everybody who listens."""

from dataclasses import dataclass

import msgspec

from palio_game import domain
from palio_game.domain import NewGame
from palio_game.models import GameAnswer
from palio_game.store import Game, Store
from palio_kit.callers import Caller
from palio_kit.events import Publisher
from palio_kit.idempotency import Idempotency, Keyed, Outcome
from palio_kit.paging import decode_cursor, encode_cursor
from palio_kit.postgres import Connection
from palio_kit.problems import FieldError, Invalid
from palio_kit.wire import Page

MAY_CREATE = ("organiser", "admin", "server")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All games there are."""

    store: Store
    idempotency: Idempotency
    publisher: Publisher

    async def create(self, caller: Caller, new: NewGame, keyed: Keyed) -> Outcome:
        """Add a game, once per key; the news goes out after the commit.

        Raises:
            Forbidden: the caller may not.
            Invalid: its rules contradict each other.
            GameExists: its id is taken.
        """
        caller.require(*MAY_CREATE)
        wrong = domain.contradictions(new.rules)
        if wrong:
            raise Invalid(errors=[FieldError(f"/{found.field}", found.why) for found in wrong])

        async def add(connection: Connection) -> Outcome:
            game = await self.store.add(connection, new)
            return Outcome(201, answer(game).model_dump_json().encode())

        outcome = await self.idempotency.run(str(caller.user_id), keyed, add)
        if not outcome.replayed:
            self.publisher.publish("game", {"change": "created", "game": msgspec.json.decode(outcome.body)})
        return outcome

    async def one(self, game_id: str) -> GameAnswer:
        """The game of that id.

        Raises:
            GameNotFound: there is none.
        """
        return answer(await self.store.one(game_id))

    async def page(self, limit: int, cursor: str | None) -> Page[GameAnswer]:
        """A page of the catalogue, by id.

        Raises:
            BadCursor: the cursor is none of ours.
        """
        games = await self.store.after(decode_cursor(cursor, str) if cursor else "", limit + 1)
        last = encode_cursor(games[limit - 1].game_id) if len(games) > limit else None
        return Page(items=[answer(game) for game in games[:limit]], next_cursor=last)


def answer(game: Game) -> GameAnswer:
    """A game as it goes over the wire."""
    rules = game.rules
    return GameAnswer(
        id=game.game_id, title=game.title, description=game.description, order=rules.order.value,
        keep=rules.keep.value, score_min=rules.score_min, score_max=rules.score_max, score_unit=rules.score_unit,
        counts_globally=rules.counts_globally, created_at=game.created_at,
    )  # fmt: skip
