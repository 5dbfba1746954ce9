"""How an ordering of ids by (score, time, id) lies in Redis, shared by who writes it and who reads it.

A zset orders equal scores by the bytes of their members, so the tie-break is the member itself: 8 bytes of time,
16 bytes of id. That makes `ZRANK` exact without a second structure, and costs 8 bytes a member.
"""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME = struct.Struct(">Q")
_STATE = struct.Struct(">QQ")


@dataclass(frozen=True, slots=True)
class OrderingKeys:
    """The keys of one ordering; one hash tag, so they share a slot of a cluster."""

    order: str
    players: str
    meta: str

    @classmethod
    def of(cls, name: str) -> "OrderingKeys":
        """The keys of the ordering called `name`."""
        return cls(f"palio:{{{name}}}:order", f"palio:{{{name}}}:players", f"palio:{{{name}}}:meta")

    def all(self) -> list[str]:
        """In the order the scripts take them."""
        return [self.order, self.players, self.meta]


def to_microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970; exact, unlike `datetime.timestamp()`."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The moment, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def pack_member(reached_at_us: int, member_id: UUID) -> bytes:
    """What stands in the zset: earlier sorts first, then the smaller id."""
    return _TIME.pack(reached_at_us) + member_id.bytes


def unpack_member(member: bytes) -> tuple[int, UUID]:
    """Time in microseconds and id."""
    return _TIME.unpack_from(member)[0], UUID(bytes=member[8:])


def pack_state(reached_at_us: int, version: int) -> bytes:
    """What the players' hash holds for an id."""
    return _STATE.pack(reached_at_us, version)


def sort_score(score: int, order: str) -> int:
    """The zset's score: ascending rank order for both directions."""
    return -score if order == "desc" else score
