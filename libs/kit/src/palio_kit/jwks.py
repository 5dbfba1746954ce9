"""Key sets: where verification keys come from, kept while their source is away.

An unknown key id asks the source again, but at most once in 30 s, so forged ids cannot turn into a flood of fetches.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import jwt

from palio_kit.logs import logger
from palio_kit.problems import Unavailable

log = logger(__name__)

Loader = Callable[[], Awaitable[bytes]]

_FRESH_S = 300.0
_REFETCH_MIN_S = 30.0
_FIRST_RETRY_S = 1.0
_STALE_MAX_S = 1800.0
_FETCH_TIMEOUT_S = 2.0
_BYTES_MAX = 64 * 1024


class KeySet:
    """The verification keys of one issuer, by key id."""

    def __init__(self, load: Loader) -> None:
        self._load = load
        self._keys: dict[str, jwt.PyJWK] = {}
        self._loaded_at: float | None = None
        self._tried_at: float | None = None
        self._lock = asyncio.Lock()

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        """The key of that id, or None if the issuer has none.

        Raises:
            Unavailable: the source is away and nothing usable is at hand.
        """
        if key_id not in self._keys or self._age() > _FRESH_S:
            await self._refresh()
        if self._loaded_at is None or self._age() > _STALE_MAX_S:
            raise Unavailable("Tokens cannot be verified for now.")
        return self._keys.get(key_id)

    def _age(self) -> float:
        return float("inf") if self._loaded_at is None else time.monotonic() - self._loaded_at

    async def _refresh(self) -> None:
        async with self._lock:
            wait_s = _FIRST_RETRY_S if self._loaded_at is None else _REFETCH_MIN_S
            if self._tried_at is not None and time.monotonic() - self._tried_at < wait_s:
                return
            self._tried_at = time.monotonic()
            try:
                self._keys = parse_keys(await self._load())
                self._loaded_at = time.monotonic()
            except (OSError, TimeoutError, aiohttp.ClientError, ValueError, jwt.PyJWTError) as error:
                log.warning("key_set_not_loaded", error=repr(error))


def parse_keys(document: bytes) -> dict[str, jwt.PyJWK]:
    """The signature keys of a JWKS (RFC 7517) by id; encryption keys and keys without id are left out."""
    keys: list[dict[str, Any]] = json.loads(document)["keys"]
    return {key["kid"]: jwt.PyJWK(key) for key in keys if key.get("use", "sig") == "sig" and "kid" in key}


def from_location(location: str) -> Loader:
    """A loader for a path or an http(s) URL."""
    if not location.startswith(("http://", "https://")):
        return lambda: asyncio.to_thread(Path(location).read_bytes)

    async def fetch() -> bytes:
        timeout = aiohttp.ClientTimeout(total=_FETCH_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(location, allow_redirects=False) as answer,
        ):
            answer.raise_for_status()
            return await answer.content.read(_BYTES_MAX)

    return fetch
