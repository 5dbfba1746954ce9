"""Who may go on: token buckets per address and per player, in this process (see docs/adr/0008)."""

import time
from collections.abc import Hashable
from functools import lru_cache
from math import ceil

from palio_gateway import metrics
from palio_gateway.domain import bucket_key, client_address, rate_left, rate_policy
from palio_gateway.errors import TooFast
from palio_gateway.settings import Settings
from palio_kit.asgi import Scope, headers_of
from palio_kit.limits import Allowance, Buckets

Headers = list[tuple[bytes, bytes]]


class Limit:
    """One kind of bucket, and the headers that tell a caller about it."""

    def __init__(self, name: str, allowance: Allowance) -> None:
        self._name = name
        self._buckets = Buckets(allowance)
        self._policy = (b"ratelimit-policy", rate_policy(name, allowance))
        self._headers = lru_cache(4096)(self._headers_with)

    def take(self, key: Hashable) -> None:
        """Take one from a key's bucket.

        Raises:
            TooFast: the bucket is empty.
        """
        wait_s = self._buckets.take(key, time.monotonic())
        if wait_s:
            metrics.LIMITED.labels(self._name).inc()
            raise TooFast(self.headers(key), max(1, ceil(wait_s)))

    def headers(self, key: Hashable) -> Headers:
        """What to tell about a key's bucket."""
        return self._headers(self._buckets.remaining(key))

    def _headers_with(self, remaining: int) -> Headers:
        return [self._policy, (b"ratelimit", rate_left(self._name, self._buckets.allowance, remaining))]


class Admission:
    """All limits; with `limits` off every request goes on."""

    def __init__(self, settings: Settings) -> None:
        self._on = settings.limits == "on"
        self._trusted = settings.trusted_proxies
        self._addresses = Limit("address", Allowance(settings.address_per_second, settings.address_burst))
        self._players = Limit("player", Allowance(settings.player_per_second, settings.player_burst))
        self._sign_ins = Limit("sign-in", Allowance(settings.sign_ins_per_second, settings.sign_in_burst))

    def address_of(self, scope: Scope) -> str:
        """The client's address."""
        peer = scope["client"][0] if scope.get("client") else "unknown"
        if not self._trusted:
            return str(peer)
        forwarded = headers_of(scope).get(b"x-forwarded-for")
        return client_address(peer, forwarded.decode("latin-1") if forwarded else None, self._trusted)

    def request(self, scope: Scope) -> None:
        """Count one request against its address.

        Raises:
            TooFast: it is one too many.
        """
        if self._on:
            self._addresses.take(bucket_key(self.address_of(scope)))

    def submission(self, player: Hashable) -> Headers:
        """Count one submission of a player; what to tell about the allowance.

        Raises:
            TooFast: it is one too many.
        """
        if not self._on:
            return []
        self._players.take(player)
        return self._players.headers(player)

    def sign_in(self, scope: Scope) -> Headers:
        """Count one registration or login against its address; what to tell about the allowance.

        Raises:
            TooFast: it is one too many.
        """
        if not self._on:
            return []
        key = bucket_key(self.address_of(scope))
        self._sign_ins.take(key)
        return self._sign_ins.headers(key)
