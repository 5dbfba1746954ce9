"""The generator's side of a load test: write its run down, see how it stands, end it."""

from typing import Any

from palio_kit.http import Peer
from palio_operator.loadtests.fence import Target
from palio_operator.loadtests.models import LoadTestSpec, Meta, Refusal, Run
from palio_operator.stores import ERRORS, Store, StoreAway, document_of, json_of, refusal_of

_NOT_FOUND, _CONFLICT = 404, 409
_REFUSALS = (400, 422)


class Refused(Exception):
    """The generator will not write this run down; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Runs:
    """A client of the generator's internal routes for load tests."""

    def __init__(self, service: Peer) -> None:
        self._store = Store(service)

    async def get(self, run_id: str) -> Run | None:
        """The run; None if there is none.

        Raises:
            StoreAway: it is not known.
        """
        reply = await self._store.send("GET", _path(run_id))
        return None if reply.status == _NOT_FOUND else _run(document_of(reply))

    async def put(self, meta: Meta, spec: LoadTestSpec, target: Target) -> None:
        """Write the run down. One that is there already and says something else is left as it is: it counts.

        Raises:
            Refused: the generator will not have it.
            StoreAway: it is not known whether it did.
        """
        reply = await self._store.send("PUT", _path(meta.uid), document(meta, spec, target))
        if reply.status in _REFUSALS:
            raise Refused(Refusal("RunRefused", _why(json_of(reply))))
        if reply.status != _CONFLICT:
            document_of(reply)

    async def stop(self, run_id: str) -> None:
        """Ask the runners to end early; a run that has ended meanwhile needs no asking.

        Raises:
            StoreAway: it is not known whether that was done.
        """
        await self._tell(f"{_path(run_id)}/stop", None)

    async def finish(self, run_id: str, lost: tuple[int, ...], *, stopped: bool) -> None:
        """End the run with what was reported.

        Raises:
            StoreAway: it is not known whether that was done.
        """
        await self._tell(f"{_path(run_id)}/finish", {"lost": list(lost), "stopped": stopped})

    async def _tell(self, path: str, body: dict[str, Any] | None) -> None:
        reply = await self._store.send("POST", path, body)
        if reply.status >= ERRORS and reply.status not in (_NOT_FOUND, _CONFLICT):
            raise StoreAway(refusal_of(reply))


def document(meta: Meta, spec: LoadTestSpec, target: Target) -> dict[str, Any]:
    """A load test as the generator takes it."""
    return {
        "name": meta.name, "namespace": meta.namespace, "scenario": spec.scenario, "virtual_users": spec.users,
        "requests_per_second": spec.rate, "ramp_up_s": spec.ramp_up_s, "duration_s": spec.duration_s,
        "seed": spec.seed, "base_url": target.base_url, "live_url": target.live_url,
        "allowed_hosts": list(target.hosts), "runners": spec.runners, "startup_deadline_s": spec.startup_deadline_s,
        "thresholds": [{"metric": one.metric, "op": one.op, "value": one.value} for one in spec.thresholds],
    }  # fmt: skip


def _path(run_id: str) -> str:
    return f"/internal/v1/loadtests/{run_id}"


def _run(told: dict[str, Any]) -> Run:
    try:
        return Run.parse(told)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreAway(f"does not answer with a run: {error!r}") from error


def _why(problem: dict[str, Any]) -> str:
    places = [f"{one.get('pointer')}: {one.get('detail')}" for one in problem.get("errors") or []]
    said = str(problem.get("detail") or problem.get("code") or "the generator refuses it")
    return f"{said} ({'; '.join(places)})" if places else said
