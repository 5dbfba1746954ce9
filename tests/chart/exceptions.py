"""Where kube-score asks for something that is not done, and why. An entry that nothing needs any more fails a test."""

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Accepted:
    """A remark of a check, word for word, about objects (`Kind/name`, globs allowed)."""

    check: str
    says: str
    objects: tuple[str, ...]
    why: str

    def covering(self, check: str, says: str, name: str) -> set[str]:
        """Those of its globs that accept this remark."""
        same = (self.check, self.says) == (check, says)
        return {glob for glob in self.objects if same and fnmatchcase(name, glob)}


_BOUNDED = (
    "the root is read-only, every emptyDir has a limit (tested) and the kubelet rotates logs: nothing can fill up"
)
_STORES = ("StatefulSet/palio-data-postgres", "Deployment/palio-data-redis")
_ALONE = ("Deployment/palio-data-redis", "Deployment/palio-generator", "Deployment/palio-operator")

ACCEPTED = (
    Accepted("container-resources", "CPU limit is not set", ("*",),
        "a limit throttles in the middle of a request while the node idles; requests divide what is scarce"),
    Accepted("container-ephemeral-storage-request-and-limit", "Ephemeral Storage limit is not set", ("*",), _BOUNDED),
    Accepted("container-ephemeral-storage-request-and-limit", "Ephemeral Storage request is not set", ("*",), _BOUNDED),
    Accepted("container-image-pull-policy", "ImagePullPolicy is not set to Always", ("*",),
        "a tag is a version or an image's own id and never moves; Always would tie every restart to the registry"),
    Accepted("container-security-context-user-group-id", "The container is running with a low user ID", _STORES,
        "the official images of both stores know the user 999 and no other"),
    Accepted("container-security-context-user-group-id", "The container running with a low group ID", _STORES,
        "as its user"),
    Accepted("deployment-replicas", "Deployment few replicas", _ALONE, "there can be only one of it: see its strategy"),
    Accepted("deployment-replicas", "Deployment few replicas", (
        "Deployment/palio-game", "Deployment/palio-gateway", "Deployment/palio-leaderboard", "Deployment/palio-score",
        "Deployment/palio-tournament", "Deployment/palio-user", "Deployment/palio-websocket",
    ), "the default fits one node; more is each installation's decision: `replicas`, `autoscaling`"),
    Accepted("deployment-strategy", "Deployment update strategy", _ALONE,
        "two at once would split events, plan the same load twice, or write every status twice"),
    Accepted("deployment-has-host-podantiaffinity", "Deployment does not have a host podAntiAffinity set", (
        "Deployment/palio-gateway", "Deployment/palio-score", "Deployment/palio-websocket",
    ), "topologySpreadConstraints do that; kube-score does not know them"),
    Accepted("networkpolicy-targets-pod", "The NetworkPolicys selector doesn't match any pods",
        ("NetworkPolicy/palio-payout", "NetworkPolicy/palio-loadrunner"), "the operator makes these pods"),
    Accepted("pod-probes", "Container is missing a readinessProbe", ("Deployment/palio-operator",),
        "nobody calls the operator, so nobody would heed it"),
    Accepted("pod-probes-identical", "Container has the same readiness and liveness probe",
        ("Deployment/palio-data-redis",),
        "without its password a port can only be found open or not; one probe has six times the patience of the other"),
    Accepted("service-type", "The service is of type NodePort",
        ("Service/palio-gateway-nodes", "Service/palio-websocket-nodes"), "asked for by `nodePorts.enabled`"),
    Accepted("statefulset-has-servicename", "StatefulSet does not have a valid serviceName",
        ("StatefulSet/palio-data-postgres",),
        "kube-score wants a headless Service; there is one pod, which its ordinary Service names"),
)  # fmt: skip
