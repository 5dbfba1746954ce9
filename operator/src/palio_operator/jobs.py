"""The Job that pays a tournament's prizes: one absolute manifest. Pure.

A Job may run its program twice; the ledger's own fences make that harmless. Exit code 42 says that repeating will not
help, an evicted pod does not count as a failure, and a pod is replaced only after it is gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from palio_operator.models import JobState, Meta, Payout, PayoutJob
from palio_operator.resources import owner_reference, owns

_USELESS_TO_REPEAT = 42
_CONTAINER = "settle"
_UID = 65532
_ENDING_S = 60


@dataclass(frozen=True, slots=True)
class PayoutRun:
    """How prize Jobs are run; `namespace` is empty if they run beside their resource."""

    namespace: str
    image: str
    pull_policy: str
    database_secret: str
    database_key: str
    service_account: str
    labels: tuple[tuple[str, str], ...] = ()


def namespace_of(meta: Meta, run: PayoutRun) -> str:
    """Where the tournament's Job runs."""
    return run.namespace or meta.namespace


def manifest(name: str, meta: Meta, payout: Payout, run: PayoutRun) -> dict[str, Any]:
    """The Job, owned by the resource if that is in the same namespace, and labelled with its uid anyway."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace_of(meta, run), "labels": labels(meta)}
    if metadata["namespace"] == meta.namespace:
        metadata["ownerReferences"] = [owner_reference(meta)]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": payout.backoff_limit,
            "activeDeadlineSeconds": payout.active_deadline_s,
            "ttlSecondsAfterFinished": payout.ttl_s,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": [
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                {"action": "FailJob", "onExitCodes": {
                    "containerName": _CONTAINER, "operator": "In", "values": [_USELESS_TO_REPEAT],
                }},
            ]},
            "template": {
                "metadata": {"labels": {**dict(run.labels), **labels(meta)}},
                "spec": _pod(meta, payout, run),
            },
        },
    }  # fmt: skip


def labels(meta: Meta) -> dict[str, str]:
    """What marks the Job and its pod as this tournament's."""
    return {
        "app.kubernetes.io/name": "palio-payout", "app.kubernetes.io/component": "payout",
        "app.kubernetes.io/part-of": "palio", "app.kubernetes.io/managed-by": "palio-operator",
        meta.kind.uid_label: meta.uid,
    }  # fmt: skip


def _pod(meta: Meta, payout: Payout, run: PayoutRun) -> dict[str, Any]:
    patience_s = max(0, payout.active_deadline_s - _ENDING_S)  # it waits for the database as long as it may run
    container = {
        "name": _CONTAINER,
        "image": run.image,
        "imagePullPolicy": run.pull_policy,
        "command": ["python", "-m", "palio_tournament", "retry" if meta.attempt else "settle", meta.record_id],
        "env": [
            {"name": "PALIO_PATIENCE_S", "value": str(patience_s)},
            {"name": "PALIO_DATABASE_URL", "valueFrom": {
                "secretKeyRef": {"name": run.database_secret, "key": run.database_key},
            }},
        ],
        "resources": {
            "requests": {"cpu": "20m", "memory": "96Mi"}, "limits": {"cpu": "1", "memory": "512Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        },
    }  # fmt: skip
    return {
        "restartPolicy": "Never",
        "serviceAccountName": run.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": _UID, "runAsGroup": _UID, "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }  # fmt: skip


def observed(job: Mapping[str, Any], meta: Meta) -> PayoutJob:
    """A Job that was read, as plans see it."""
    name, owned = job["metadata"]["name"], owns(meta, job["metadata"])
    for condition in (job.get("status") or {}).get("conditions") or []:
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            state = JobState.SUCCEEDED if condition["type"] == "Complete" else JobState.FAILED
            reason = condition.get("reason", "") if state is JobState.FAILED else ""
            return PayoutJob(name, owned, state, reason)
    return PayoutJob(name, owned, JobState.RUNNING)
