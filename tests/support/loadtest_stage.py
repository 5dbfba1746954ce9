"""What tests of load tests do on a stage: write resources, read statuses, be the runners."""

from dataclasses import dataclass
from typing import Any, ClassVar

from palio_kit.testing.waiting import eventually
from support.fake_runs import FakeRuns
from support.operator_stage import ResourceStage


@dataclass
class LoadStage(ResourceStage):
    """Load tests, and the generator that keeps their runs."""

    runs: FakeRuns
    plural: ClassVar[str] = "loadtests"

    async def apply(self, name: str, *, runners: int = 2, **spec: Any) -> str:
        """Make a load test; its uid. Its threshold is p99 <= 50 ms."""
        load = {"parallelism": runners, "virtualUsers": 10, "rampUpSeconds": 0, "durationSeconds": 5}
        threshold = {"metric": "P99LatencyMs", "op": "AtMost", "value": 50}
        return await self.create({
            "apiVersion": "palio.gg/v1alpha1", "kind": "LoadTest", "metadata": {"name": name},
            "spec": {"load": load, "thresholds": [threshold]} | spec,
        })  # fmt: skip

    def job_name(self, name: str, uid: str) -> str:
        return f"{name}-run-{uid[:8]}"

    async def job_of(self, name: str, uid: str) -> dict[str, Any]:
        """The Job of its runners, as soon as it is there."""

        async def is_there() -> dict[str, Any] | None:
            return await self.job(self.job_name(name, uid))

        found = await eventually(is_there, within_s=30)
        assert found is not None
        return found

    async def without_job(self, name: str, uid: str, *, within_s: float = 40) -> None:
        """Wait until the Job is gone."""

        async def is_gone() -> bool:
            return await self.job(self.job_name(name, uid)) is None

        await eventually(is_gone, within_s=within_s)

    async def status(self, name: str) -> dict[str, Any]:
        body = await self.read(name)
        assert body is not None
        return dict(body["status"])
