"""Idempotency keys: one effect, one answer, for ever (72 hours)."""

import asyncio
import json
from collections import Counter
from typing import Any
from uuid import UUID

import msgspec
import pytest

from palio_kit.problems import Unavailable
from palio_kit.testing.waiting import eventually
from palio_score.flushes import Flusher
from palio_score.store import Store

KEY = "a-key-of-enough-letters"


async def test_a_repeated_request_gets_the_same_bytes_and_changes_nothing(service: Any, world: Any) -> None:
    game, ada = await world.game("desc", "sum"), await world.player()
    first = await service.submit(ada, game, 5, key=KEY)
    again = await service.submit(ada, game, 5, key=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len(await world.submissions(ada)) == 1
    assert await world.agreed(f"game:{game}") == [(ada.user_id, 5)]


async def test_a_key_with_another_body_is_a_conflict(service: Any, world: Any) -> None:
    game, ada = await world.game(), await world.player()
    await service.submit(ada, game, 5, key=KEY)
    other = await service.submit(ada, game, 6, key=KEY)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert len(await world.submissions(ada)) == 1


async def test_an_answer_that_cannot_be_kept_is_not_shown(
    service: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    game, ada = await world.game("desc", "sum"), await world.player()

    async def away(self: Store, answers: Any) -> None:
        raise Unavailable

    with monkeypatch.context() as broken:
        broken.setattr(Store, "keep_bodies", away)
        refused = await service.submit(ada, game, 5, key=KEY)
        assert (refused.status_code, refused.json()["code"]) == (503, "outcome_unknown")
        assert (await service.submit(ada, game, 5)).status_code == 201, "without a key there is nothing to keep"

    async def answered() -> Any:
        answer = await service.submit(ada, game, 5, key=KEY)
        return answer if answer.status_code == 201 else None

    seen = await eventually(answered)
    assert (await service.submit(ada, game, 5, key=KEY)).content == seen.content
    assert len(await world.submissions(ada)) == 2


async def test_a_key_belongs_to_its_caller(service: Any, world: Any) -> None:
    game, ada, bob = await world.game(), await world.player(), await world.player()
    await service.submit(ada, game, 5, key=KEY)
    assert (await service.submit(bob, game, 5, key=KEY)).json()["user_id"] == bob.user_id


@pytest.mark.parametrize("key", ["short", "x" * 65, "with spaces in between", "<script>alert(1)</script>"])
async def test_a_malformed_key_is_refused(service: Any, world: Any, key: str) -> None:
    response = await service.submit(await world.player(), await world.game(), 5, key=key)
    assert (response.status_code, response.json()["code"]) == (400, "bad_idempotency_key")


async def test_a_refused_submission_leaves_its_key_unused(service: Any, world: Any) -> None:
    game, ada = await world.game(high=10), await world.player()
    assert (await service.submit(ada, game, 11, key=KEY)).status_code == 422
    assert (await service.submit(ada, game, 10, key=KEY)).status_code == 201


async def test_a_thousand_racing_twins_have_one_effect(service: Any, world: Any) -> None:
    game, ada = await world.game("desc", "sum"), await world.player()
    body = json.dumps({"user_id": ada.user_id, "game_id": game, "score": 1}).encode()
    entries = [[ada.token, body, KEY, None]] * 50
    calls = await asyncio.gather(*(service.internal(entries) for _ in range(20)))
    replies = [reply for call in calls for reply in msgspec.msgpack.decode(call.content)]
    assert len(replies) == 1000
    assert set(Counter(status for status, *_ in replies)) <= {201, 409}
    assert len({body for status, body, *_ in replies if status == 201}) == 1
    assert sum(status == 201 and not replayed for status, _, _, replayed in replies) == 1
    assert {json.loads(body)["code"] for status, body, *_ in replies if status == 409} <= {"idempotency_key_in_flight"}
    assert all(retry > 0 for status, _, retry, _ in replies if status == 409)
    assert len(await world.submissions(ada)) == 1
    assert await world.agreed(f"game:{game}") == [(ada.user_id, 1)]


async def test_twins_at_two_replicas_have_one_effect(
    service: Any, world: Any, client_of: Any, make_settings: Any, service_issuer: Any
) -> None:
    from palio_score.app import create_app
    from palio_score.settings import Settings

    game, ada = await world.game("desc", "sum"), await world.player()
    async with client_of(create_app, make_settings(Settings)) as client:
        other = type(service)(client, service_issuer)
        for number in range(20):
            key = f"twins-at-two-places-{number}"
            one, two = await asyncio.gather(service.submit(ada, game, 1, key=key), other.submit(ada, game, 1, key=key))
            assert 201 in (one.status_code, two.status_code)
            assert {one.status_code, two.status_code} <= {201, 409}
    assert len(await world.submissions(ada)) == 20


async def test_an_answer_that_was_never_kept_is_made_anew(
    service: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    game, ada = await world.game(), await world.player()

    async def lost(*_: Any) -> bool:
        return True

    with monkeypatch.context() as patch:
        patch.setattr(Flusher, "_kept", lost)
        first = (await service.submit(ada, game, 5, key=KEY)).json()
    at_once = await service.submit(ada, game, 5, key=KEY)
    assert (at_once.status_code, at_once.json()["code"]) == (409, "idempotency_key_in_flight")
    await world.owner.execute("UPDATE score.idempotency_keys SET created_at = created_at - interval '3 seconds'")
    anew = await service.submit(ada, game, 5, key=KEY)
    assert anew.json() == first | {"ranks": None, "replayed": True}
    assert anew.headers["idempotency-replayed"] == "true"
    assert (await service.submit(ada, game, 5, key=KEY)).content == anew.content


async def test_a_lost_commit_is_answered_definitely_where_there_is_a_key(
    service: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import asynccontextmanager

    from palio_kit.problems import OutcomeUnknown

    game, ada, bob = await world.game(), await world.player(), await world.player()
    flush = Store.flush

    @asynccontextmanager
    async def lose_the_answer(self: Store) -> Any:
        async with flush(self) as opened:
            yield opened
        raise OutcomeUnknown

    monkeypatch.setattr(Store, "flush", lose_the_answer)
    keyed, unkeyed = await asyncio.gather(service.submit(ada, game, 5, key=KEY), service.submit(bob, game, 6))
    assert (keyed.status_code, keyed.json()["replayed"]) == (201, False)
    assert keyed.json()["submission_id"] == str((await world.submissions(ada))[0]["id"])
    assert (unkeyed.status_code, unkeyed.json()["code"]) == (503, "outcome_unknown")
    assert unkeyed.headers["retry-after"] == "1"
    monkeypatch.undo()
    assert (await service.submit(ada, game, 5, key=KEY)).content == keyed.content


async def test_a_commit_that_did_not_happen_stays_unknown_and_can_be_repeated(
    service: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import asynccontextmanager

    from palio_kit.problems import OutcomeUnknown

    game, ada = await world.game(), await world.player()
    flush = Store.flush

    class Undone(Exception):
        pass

    @asynccontextmanager
    async def lose_everything(self: Store) -> Any:
        try:
            async with flush(self) as opened:
                yield opened
                raise Undone
        except Undone:
            raise OutcomeUnknown from None

    with monkeypatch.context() as patch:
        patch.setattr(Store, "flush", lose_everything)
        response = await service.submit(ada, game, 5, key=KEY)
    assert (response.status_code, response.json()["code"]) == (503, "outcome_unknown")
    assert (await service.submit(ada, game, 5, key=KEY)).status_code == 201
    assert len(await world.submissions(ada)) == 1


async def test_keys_are_stored_with_the_submission_they_stand_for(service: Any, world: Any) -> None:
    game, ada = await world.game(), await world.player()
    answer = (await service.submit(ada, game, 5, key=KEY)).json()
    row = await world.owner.fetchrow("SELECT * FROM score.idempotency_keys WHERE caller = $1", ada.user_id)
    assert row["submission_id"] == UUID(answer["submission_id"])
    assert json.loads(row["body"]) == answer
