"""What both kinds of resources are: their names in the API, their metadata, their conditions. Frozen, parsed once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

GROUP, VERSION = "palio.gg", "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
FINALIZER = f"{GROUP}/cleanup"
PAUSE = f"{GROUP}/pause-reconciliation"

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"


class InvalidSpec(ValueError):
    """The resource cannot be understood; its text is for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource; `uid_label` marks what was made for one of them, in whatever namespace that is."""

    name: str
    plural: str
    uid_label: str


TOURNAMENT = Kind("Tournament", "tournaments", f"{GROUP}/tournament-uid")
LOADTEST = Kind("LoadTest", "loadtests", f"{GROUP}/loadtest-uid")


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """Which resource; each kind adds what its own annotations ask for."""

    kind: ClassVar[Kind]
    uid: str
    namespace: str
    name: str
    generation: int
    deleted_at: datetime | None = None
    paused: bool = False
    finalizers: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Namespace and name, as people and logs say it."""
        return f"{self.namespace}/{self.name}"


def metadata_fields(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `ObjectMeta` as a resource's `metadata` tells them."""
    deleted_at = metadata.get("deletionTimestamp")
    return {
        "uid": metadata["uid"],
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "generation": int(metadata.get("generation", 1)),
        "deleted_at": moment(deleted_at) if deleted_at else None,
        "paused": (metadata.get("annotations") or {}).get(PAUSE) == "true",
        "finalizers": tuple(metadata.get("finalizers") or ()),
    }


def owner_reference(meta: ObjectMeta) -> dict[str, Any]:
    """What makes an object of the same namespace go with its resource."""
    return {
        "apiVersion": API_VERSION, "kind": meta.kind.name, "name": meta.name, "uid": meta.uid,
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip


def owns(meta: ObjectMeta, metadata: Mapping[str, Any]) -> bool:
    """Whether an object is the resource's: owned by it, or labelled for it in another namespace."""
    if metadata["namespace"] == meta.namespace:
        return meta.uid in [owner.get("uid") for owner in metadata.get("ownerReferences") or []]
    return bool((metadata.get("labels") or {}).get(meta.kind.uid_label) == meta.uid)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a status."""

    type: str
    status: str
    reason: str
    message: str = ""


def moment(text: str) -> datetime:
    """Read an RFC 3339 time; fractions beyond microseconds are cut.

    Raises:
        ValueError: it is none, or has no offset.
    """
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return read.astimezone(UTC)


def rfc3339(when: datetime) -> str:
    """A time as a resource holds it: whole seconds if it is whole, else microseconds."""
    return when.isoformat().replace("+00:00", "Z")
