"""The Job of the runners: one absolute manifest, and what its pods are in trouble with. Pure.

An Indexed Job: pod `i` of `n` does share `i` of `n`. It is never begun anew: a pod that fails is a lost runner and
fails the Job, which ends the others too, because a smaller load is another measurement.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from palio_operator.loadtests.models import JobState, LoadTestSpec, Meta, RunnerJob, Trouble
from palio_operator.resources import moment, owner_reference, owns

_CONTAINER = "runner"
_UID = 65532
_IDENTITY = "/var/run/palio/identity"
_SCRATCH = "/tmp"  # noqa: S108 - the pod's own, and all of it that can be written
_REPORTING_S = 60
_WORDS_MAX = 300


@dataclass(frozen=True, slots=True)
class RunnerPods:
    """How runners are run; `namespace` is empty if they run beside their resource."""

    namespace: str
    image: str
    pull_policy: str
    service_account: str
    generator_url: str
    token_s: int
    resources: Mapping[str, Any]


def namespace_of(meta: Meta, pods: RunnerPods) -> str:
    """Where the runners run."""
    return pods.namespace or meta.namespace


def manifest(meta: Meta, spec: LoadTestSpec, pods: RunnerPods) -> dict[str, Any]:
    """The Job, owned by the resource if that is in the same namespace, and labelled with its uid anyway."""
    metadata: dict[str, Any] = {
        "name": meta.job_name, "namespace": namespace_of(meta, pods), "labels": labels(meta),
    }  # fmt: skip
    if metadata["namespace"] == meta.namespace:
        metadata["ownerReferences"] = [owner_reference(meta)]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "completionMode": "Indexed",
            "completions": spec.runners,
            "parallelism": spec.runners,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "activeDeadlineSeconds": spec.startup_deadline_s + spec.duration_s + _REPORTING_S,
            "ttlSecondsAfterFinished": spec.ttl_s,
            "template": {"metadata": {"labels": labels(meta)}, "spec": _pod(meta, pods)},
        },
    }


def labels(meta: Meta) -> dict[str, str]:
    """What marks the Job and its pods as this load test's, and for the NetworkPolicy of all runners."""
    return {
        "app.kubernetes.io/name": "palio-loadrunner", "app.kubernetes.io/component": "loadrunner",
        "app.kubernetes.io/part-of": "palio", "app.kubernetes.io/managed-by": "palio-operator",
        meta.kind.uid_label: meta.uid,
    }  # fmt: skip


def _pod(meta: Meta, pods: RunnerPods) -> dict[str, Any]:
    return {
        "restartPolicy": "Never",
        "serviceAccountName": pods.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # Longer than a runner needs to end early and report what it measured.
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": _UID, "runAsGroup": _UID, "fsGroup": _UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # Spread over machines if there are several, on one if there is one.
        "topologySpreadConstraints": [{
            "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {meta.kind.uid_label: meta.uid}},
        }],
        "containers": [_container(meta, pods)],
        "volumes": [
            {"name": "identity", "projected": {"sources": [{"serviceAccountToken": {
                "audience": "palio-generator", "expirationSeconds": pods.token_s, "path": "generator",
            }}]}},
            {"name": "scratch", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }  # fmt: skip


def _container(meta: Meta, pods: RunnerPods) -> dict[str, Any]:
    """JOB_COMPLETION_INDEX is given by the Job itself."""
    return {
        "name": _CONTAINER,
        "image": pods.image,
        "imagePullPolicy": pods.pull_policy,
        "command": ["python", "-m", "palio_generator.runner"],
        "env": [
            {"name": "PALIO_RUN_ID", "value": meta.uid},
            {"name": "PALIO_GENERATOR_URL", "value": pods.generator_url},
            {"name": "PALIO_IDENTITY_DIR", "value": _IDENTITY},
            {"name": "PALIO_LOG_FORMAT", "value": "json"},
        ],
        "resources": dict(pods.resources),
        # So the last words of a runner that failed are told in the conditions.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "identity", "mountPath": _IDENTITY, "readOnly": True}, {"name": "scratch", "mountPath": _SCRATCH},
        ],
    }  # fmt: skip


def observed(job: Mapping[str, Any], meta: Meta) -> RunnerJob:
    """A Job that was read, as plans see it."""
    metadata, status = job["metadata"], job.get("status") or {}
    state, reason = _state(metadata, status)
    return RunnerJob(
        uid=metadata["uid"], owned=owns(meta, metadata), state=state, reason=reason,
        created_at=moment(metadata["creationTimestamp"]), done=_indexes(status.get("completedIndexes") or ""),
        ready_pods=int(status.get("ready") or 0), failed_pods=int(status.get("failed") or 0),
    )  # fmt: skip


def _state(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[JobState, str]:
    """What ended it stays what ended it, also while it is being deleted."""
    for condition in status.get("conditions") or []:
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            done = condition["type"] == "Complete"
            return (JobState.SUCCEEDED, "") if done else (JobState.FAILED, str(condition.get("reason") or ""))
    return (JobState.LEAVING if metadata.get("deletionTimestamp") else JobState.ACTIVE), ""


def _indexes(text: str) -> frozenset[int]:
    """`1,3-5` as numbers."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        low, _, high = part.partition("-")
        found.update(range(int(low), int(high or low) + 1))
    return frozenset(found)


def troubles(pods: Iterable[Mapping[str, Any]]) -> tuple[Trouble, ...]:
    """What keeps these pods from running, or ended them; nothing for those that are well."""
    return tuple(found for pod in pods if (found := _trouble(pod)) is not None)


_WAITING = {
    "ImagePullBackOff": "ImagePullBackOff", "ErrImagePull": "ImagePullBackOff", "InvalidImageName": "ImagePullBackOff",
    "ErrImageNeverPull": "ImagePullBackOff", "CrashLoopBackOff": "CrashLoop",
    "CreateContainerConfigError": "ContainerNotCreated", "CreateContainerError": "ContainerNotCreated",
    "RunContainerError": "ContainerNotCreated",
}  # fmt: skip
_PUT_OUT = ("Evicted", "Preempting", "NodeShutdown", "NodeLost", "Shutdown", "Terminated")


def _trouble(pod: Mapping[str, Any]) -> Trouble | None:
    status, who = pod.get("status") or {}, f"runner {_index(pod)}"
    if status.get("reason") in _PUT_OUT:
        return Trouble("Evicted", f"{who} was put out: {_words(status.get('message') or status['reason'])}")
    for container in status.get("containerStatuses") or []:
        found = _of_state(container.get("state") or {}, who)
        if found is not None:
            return found
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return Trouble("Unschedulable", f"{who}: {_words(condition.get('message'))}")
    return None


def _of_state(state: Mapping[str, Any], who: str) -> Trouble | None:
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    if waiting.get("reason") in _WAITING:
        return Trouble(_WAITING[waiting["reason"]], f"{who}: {_words(waiting.get('message') or waiting['reason'])}")
    if ended.get("reason") == "OOMKilled":
        return Trouble("OOMKilled", f"{who} needed more memory than its limit")
    if ended.get("exitCode"):
        said = _words(ended.get("message"))
        return Trouble("RunnerFailed", f"{who} ended with exit code {ended['exitCode']}{f': {said}' if said else ''}")
    return None


def _index(pod: Mapping[str, Any]) -> str:
    return str((pod["metadata"].get("annotations") or {}).get("batch.kubernetes.io/job-completion-index", "?"))


def _words(text: Any) -> str:
    """The end of a text, on one line."""
    return " ".join(str(text or "").split())[-_WORDS_MAX:]
