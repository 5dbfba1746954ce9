"""Moments as text. Apart from `wire`, because a Job that lives for a second does not wait for FastAPI's imports."""

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """A time as we send it: UTC, `Z`, always six digits of a second, so that texts sort as times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
