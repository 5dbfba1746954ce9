"""What operator tests do on a stage: write resources, read statuses, edit records, pay as a Job's pod would."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import kopf
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException

from palio_kit.testing.waiting import eventually
from palio_operator.app import run
from palio_operator.settings import Settings
from palio_tournament import commands
from palio_tournament.errors import NotYetDue
from palio_tournament.settlement import Settler

_AT = ("palio.gg", "v1alpha1")
_MERGE = "application/merge-patch+json"


@asynccontextmanager
async def operating(
    settings: Settings, configuration: client.Configuration, login: kopf.ConnectionInfo
) -> AsyncIterator[None]:
    """The whole operator, in this loop, until the block ends."""
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(
        run(settings, configuration=configuration, login=login, stop=stop, ready=ready, liveness=False)
    )
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
    assert ready.is_set(), task
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait({task}, timeout=20)
        assert task.done(), "the operator did not end"
        task.result()


@dataclass
class ResourceStage:
    """The resources of one kind in one namespace of an API server."""

    api: client.ApiClient
    namespace: str
    made: list[str] = field(default_factory=list, kw_only=True)
    plural: ClassVar[str]

    @property
    def resources(self) -> client.CustomObjectsApi:
        return client.CustomObjectsApi(self.api)

    @property
    def jobs(self) -> client.BatchV1Api:
        return client.BatchV1Api(self.api)

    async def create(self, body: dict[str, Any]) -> str:
        """Make a resource; its uid."""
        created: Any = await self.resources.create_namespaced_custom_object(*_AT, self.namespace, self.plural, body)
        self.made.append(body["metadata"]["name"])
        return str(created["metadata"]["uid"])

    async def read(self, name: str) -> dict[str, Any] | None:
        try:
            found: Any = await self.resources.get_namespaced_custom_object(*_AT, self.namespace, self.plural, name)
        except ApiException as error:
            if error.status != 404:
                raise
            return None
        return dict(found)

    async def patch(self, name: str, body: dict[str, Any]) -> None:
        await self.resources.patch_namespaced_custom_object(
            *_AT, self.namespace, self.plural, name, body, _content_type=_MERGE
        )

    async def delete(self, name: str) -> None:
        await self.resources.delete_namespaced_custom_object(*_AT, self.namespace, self.plural, name)

    async def told(self, name: str) -> dict[str, str]:
        """Conditions as `status/reason`, and the phase."""
        body = await self.read(name)
        assert body is not None, "gone"
        status = body.get("status") or {}
        found = {one["type"]: f"{one['status']}/{one['reason']}" for one in status.get("conditions", [])}
        return found | {"phase": status.get("phase", "")}

    async def wait_for(self, name: str, *, within_s: float = 40, **wanted: str) -> dict[str, str]:
        """Wait until the status says so."""

        async def says_so() -> dict[str, str] | None:
            told = await self.told(name)
            assert {key: told.get(key) for key in wanted} == wanted
            return told

        found = await eventually(says_so, within_s=within_s)
        assert found is not None
        return found

    async def gone(self, name: str, *, within_s: float = 30) -> None:
        async def is_gone() -> bool:
            return await self.read(name) is None

        await eventually(is_gone, within_s=within_s)

    async def job(self, name: str) -> dict[str, Any] | None:
        try:
            found = await self.jobs.read_namespaced_job(name, self.namespace)
        except ApiException as error:
            if error.status != 404:
                raise
            return None
        return dict(self.api.sanitize_for_serialization(found))  # type: ignore[no-untyped-call]  # its own lack

    async def events(self, name: str) -> list[str]:
        """Reasons of the events on a resource, in the order in which they were posted."""
        listed = await client.CoreV1Api(self.api).list_namespaced_event(self.namespace)
        about = [one for one in listed.items if one.involved_object.name == name]
        return [
            str(one.reason) for one in sorted(about, key=lambda one: json.dumps(str(one.metadata.creation_timestamp)))
        ]


@dataclass
class Stage(ResourceStage):
    """Tournaments, and the tournament service's database as its owner sees it."""

    owner: Any
    settler: Settler
    plural: ClassVar[str] = "tournaments"

    async def apply(self, name: str, *, lasts_s: float = 3600, in_s: float = -1, **spec: Any) -> str:
        """Make a tournament; its uid."""
        start = datetime.now(UTC) + timedelta(seconds=in_s)
        body: dict[str, Any] = {
            "apiVersion": "palio.gg/v1alpha1", "kind": "Tournament", "metadata": {"name": name},
            "spec": {
                "game": "space-race", "startTime": stamp(start), "endTime": stamp(start + timedelta(seconds=lasts_s)),
                "prizePool": 100, "settlementDelaySeconds": 0,
            } | spec,
        }  # fmt: skip
        annotations = body["spec"].pop("annotations", None)
        if annotations:
            body["metadata"]["annotations"] = annotations
        return await self.create(body)

    async def play(self, tournament_id: str, players: int = 3) -> None:
        """Have so many players joined and scored, as the services would have written it."""
        for place in range(1, players + 1):
            user_id = UUID(int=int(tournament_id.replace("-", "")[:24], 16) * 2**32 + place)
            await self.owner.execute(
                "INSERT INTO tournament.entries (tournament_id, user_id) VALUES ($1, $2)", UUID(tournament_id), user_id
            )
            await self.owner.execute(
                "INSERT INTO score.standings (board, user_id, score, total, reached_at, version, submissions) "
                "VALUES ('tournament:' || $1::text, $2, $3, $3, now(), 1, 1)", tournament_id, user_id, 100 - place,
            )  # fmt: skip

    async def job_of(self, tournament_id: str, name: str, *, attempt: int = 0) -> dict[str, Any]:
        """The tournament's Job, as soon as it is there."""
        again = f"-r{attempt}" if attempt else ""

        async def is_there() -> dict[str, Any] | None:
            return await self.job(f"{name}-payout-{tournament_id[:8]}{again}")

        found = await eventually(is_there, within_s=30)
        assert found is not None
        return found

    async def pay(self, tournament_id: str) -> None:
        """What the Job's pod does (its images may not be in this cluster)."""
        await self.settler.settle(UUID(tournament_id))

    async def give_up(self, tournament_id: str, failure: str) -> None:
        """What a service does that settles by itself and failed to for the last time."""
        await self.owner.execute(
            "UPDATE tournament.tournaments SET state = 'failed', failure = $2 WHERE id = $1",
            UUID(tournament_id),
            failure,
        )

    async def pay_what_was_given_up(self, tournament_id: str) -> None:
        """What the pod of a Job that was asked for does, as soon as the tournament is over."""

        async def retried() -> bool:
            try:
                _, code = await commands.retry(self.settler, UUID(tournament_id))
            except NotYetDue:
                return False
            return code == 0

        await eventually(retried, within_s=30)

    async def paid(self, tournament_id: str) -> list[int]:
        """Every award of the ledger, largest first."""
        rows = await self.owner.fetch(
            "SELECT amount FROM tournament.transfers JOIN tournament.ledger_entries ON transfer_id = id "
            "WHERE tournament_id = $1 AND kind = 'award' AND amount > 0 ORDER BY amount DESC", UUID(tournament_id),
        )  # fmt: skip
        return [row["amount"] for row in rows]

    async def state(self, tournament_id: str) -> str | None:
        row = await self.owner.fetchrow("SELECT state FROM tournament.tournaments WHERE id = $1", UUID(tournament_id))
        return row["state"] if row else None


def stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
