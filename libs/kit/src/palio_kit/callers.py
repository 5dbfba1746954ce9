"""Who is calling: a user by access token, or a service by its own.

Each service decides by itself: the gateway is no trust boundary.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request

from palio_kit import jwks, tokens
from palio_kit.asgi import Scope, header
from palio_kit.problems import Forbidden, NotYourself, Unauthorized
from palio_kit.settings import ServiceSettings

ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type (RFC 9068)
SERVICE_TOKEN_HEADER = "palio-service-token"  # noqa: S105 - a header's name


@dataclass(frozen=True, slots=True)
class Caller:
    """A user with a valid access token; `token` is what to forward, until `expires_at` (seconds since 1970)."""

    user_id: UUID
    username: str
    roles: frozenset[str]
    token: str
    expires_at: int = 0

    def has_role(self, *roles: str) -> bool:
        """Whether the caller has one of the roles."""
        return not self.roles.isdisjoint(roles)

    def acting_as(self, user_id: UUID) -> UUID:
        """The user a body speaks for: the caller, or anyone if the caller is a `server`.

        Raises:
            NotYourself: it is someone else.
        """
        if user_id != self.user_id and not self.has_role("server"):
            raise NotYourself
        return user_id

    def require(self, *roles: str) -> None:
        """Go on only with one of the roles.

        Raises:
            Forbidden: the caller has none of them.
        """
        if not self.has_role(*roles):
            raise Forbidden(f"One of these roles is needed: {', '.join(roles)}.")


class UserTokens:
    """Turns access tokens into callers; verified ones are remembered, those of erased users refused."""

    def __init__(self, verifier: tokens.Verifier) -> None:
        self._verifier = verifier
        self._remembered: tokens.Remembered[Caller] = tokens.Remembered()
        self._erased: frozenset[UUID] = frozenset()

    @classmethod
    def of(cls, settings: ServiceSettings, load: jwks.Loader | None = None) -> "UserTokens":
        """Verify against the user service's key set (or another loader's)."""
        keys = jwks.KeySet(load or jwks.from_location(f"{settings.user_url}/.well-known/jwks.json"))
        verifier = tokens.Verifier(
            "user", keys, issuer=settings.token_issuer, audience=settings.token_audience,
            algorithms=tokens.ACCESS_ALGORITHMS, header_type=ACCESS_TOKEN_TYPE,
        )  # fmt: skip
        return cls(verifier)

    def remembered(self, token: str) -> Caller | None:
        """The caller of a token that was verified before; no awaiting, for hot paths."""
        known = self._remembered.get(token, time.time())
        return None if self._erased and known is not None and known.user_id in self._erased else known

    def refuse(self, erased: frozenset[UUID]) -> None:
        """Believe no token of these users, remembered or new, instead of those refused so far."""
        self._erased = erased

    async def caller(self, token: str) -> Caller:
        """The caller of a token.

        Raises:
            Unauthorized, Unavailable: as `Verifier.verify`; its user was erased.
        """
        known = self.remembered(token)
        if known is not None:
            return known
        claims = await self._verifier.verify(token)
        caller = _caller(claims, token)
        if caller.user_id in self._erased:
            raise Unauthorized
        self._remembered.put(token, claims.expires_at, caller)
        return caller


def _caller(claims: tokens.Claims, token: str) -> Caller:
    username, roles, token_id = (claims.extra.get(name) for name in ("username", "roles", "jti"))
    if not isinstance(username, str) or not isinstance(roles, list) or not isinstance(token_id, str):
        raise Unauthorized
    try:
        user_id = UUID(claims.subject)
    except ValueError as error:
        raise Unauthorized from error
    return Caller(user_id, username, frozenset(str(role) for role in roles), token, claims.expires_at)


def bearer_token(scope: Scope) -> str | None:
    """The token of the `Authorization: Bearer` header; None if there is no such header.

    Raises:
        Unauthorized: there is one of another scheme or shape.
    """
    value = header(scope, b"authorization")
    if value is None:
        return None
    scheme, _, token = value.partition(b" ")
    if scheme.lower() != b"bearer" or not token or len(token) > tokens.TOKEN_BYTES_MAX:
        raise Unauthorized
    return token.decode("latin-1")


async def _required(request: Request) -> Caller:
    token = bearer_token(request.scope)
    if token is None:
        raise Unauthorized
    user_tokens: UserTokens = request.app.state.user_tokens
    return await user_tokens.caller(token)


async def _optional(request: Request) -> Caller | None:
    return None if bearer_token(request.scope) is None else await _required(request)


SignedIn = Annotated[Caller, Depends(_required)]
"""A route's caller; 401 without a valid token."""

MaybeSignedIn = Annotated[Caller | None, Depends(_optional)]
"""A route's caller if a token was sent; a bad token is still 401."""


class ServiceCallers:
    """Verifies which palio service is calling an internal route."""

    def __init__(self, verifier: tokens.Verifier, namespace: str) -> None:
        self._verifier = verifier
        self._prefix = f"system:serviceaccount:{namespace}:palio-"
        self._remembered: tokens.Remembered[str] = tokens.Remembered(1_000)

    @classmethod
    def of(cls, settings: ServiceSettings) -> "ServiceCallers":
        """Verify against the cluster's (or the local launcher's) key set, for this service's own audience."""
        verifier = tokens.Verifier(
            "service", jwks.KeySet(jwks.from_location(settings.identity_jwks)), issuer=settings.identity_issuer,
            audience=f"palio-{settings.service}", algorithms=tokens.IDENTITY_ALGORITHMS, header_type=None,
        )  # fmt: skip
        return cls(verifier, settings.identity_namespace)

    async def service(self, scope: Scope, allowed: frozenset[str]) -> str:
        """The calling service's name.

        Raises:
            Unauthorized: no or no valid service token.
            Forbidden: a service that may not call this.
        """
        value = header(scope, SERVICE_TOKEN_HEADER.encode())
        if value is None:
            raise Unauthorized("A service token is needed.")
        token = value.decode("latin-1")
        name = self._remembered.get(token, time.time())
        if name is None:
            claims = await self._verifier.verify(token)
            name = claims.subject.removeprefix(self._prefix) if claims.subject.startswith(self._prefix) else ""
            self._remembered.put(token, claims.expires_at, name)
        if name not in allowed:
            raise Forbidden("This service may not call that.")
        return name


def only(*services: str) -> Any:
    """A dependency that lets only these services in: `dependencies=[only("gateway")]`."""
    allowed = frozenset(services)

    async def check(request: Request) -> None:
        callers: ServiceCallers = request.app.state.service_callers
        await callers.service(request.scope, allowed)

    return Depends(check)


CallerCheck = Callable[[Scope], Awaitable[str]]
