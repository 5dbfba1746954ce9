"""What a client may ask of the live stream, and who may ask for what.

In the demo profile public channels are open. Elsewhere a socket shows an access token before it hears anything. A
player's own channel always needs his token; a token stands for the socket until it expires, and can be renewed by
another `subscribe`.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from palio_kit.callers import Caller, UserTokens
from palio_kit.problems import Unauthorized, Unavailable
from palio_kit.times import rfc3339
from palio_websocket import frames, metrics
from palio_websocket.channels import Channel
from palio_websocket.domain import ChannelName, Close, parse_channel
from palio_websocket.errors import (
    NotSubscribed,
    NotYours,
    Refusal,
    TokenNeeded,
    TokenRefused,
    TokensAway,
    TooManyChannels,
    UnknownChannel,
)
from palio_websocket.hub import Hub
from palio_websocket.models import ClientMessage, Ping, Resync, Subscribe, Unsubscribe
from palio_websocket.settings import Settings
from palio_websocket.sockets import Socket, Sockets


@dataclass(frozen=True, slots=True)
class Live:
    """The use cases; one for the process."""

    settings: Settings
    hub: Hub
    sockets: Sockets
    user_tokens: UserTokens

    async def handle(self, socket: Socket, message: ClientMessage) -> None:
        """Do what a message asks.

        Raises:
            Refusal: it is not done.
        """
        match message:
            case Subscribe():
                await self._subscribe(socket, message)
            case Unsubscribe():
                gone = socket.unfollow(dict.fromkeys(message.channels))
                socket.reply(frames.of({"type": "unsubscribed", "channels": gone}))
            case Resync():
                self._resync(socket, message.channel)
            case Ping():
                socket.reply(frames.of({"type": "pong", "at": now_text()}))

    def refuse(self, socket: Socket, refusal: Refusal) -> None:
        """Tell why something was not done; a client that does not learn is closed."""
        metrics.ERRORS.labels(refusal.code).inc()
        socket.reply(frames.error(refusal.code, refusal.told, refusal.channel))
        socket.errors += 1
        if socket.errors >= self.settings.errors_max:
            socket.end(Close.MISUSE, "too many errors")
        elif socket.caller is None and not self.settings.is_demo and isinstance(refusal, TokenNeeded | TokenRefused):
            socket.end(Close.UNAUTHORIZED, refusal.code)

    async def upkeep(self) -> float:
        """The heartbeat, and what ends by the clock: readers that are too slow, tokens, silence before a token."""
        self.sockets.heartbeat(now_text())
        self.sockets.close_slow(time.monotonic())
        self._end_tokens()
        return self.settings.heartbeat_interval_ms / 1000

    async def drain(self) -> int:
        """Close all sockets, batch by batch; answers how many."""
        settings = self.settings
        retry_ms = (settings.drain_retry_min_ms, max(settings.drain_retry_min_ms, settings.drain_retry_max_ms))
        return await self.sockets.drain(settings.drain_s, settings.drain_batch_interval_ms / 1000, retry_ms)

    async def _subscribe(self, socket: Socket, message: Subscribe) -> None:
        why_not = await self._identify(socket, message.token)
        if not socket.is_open:
            return
        if socket.caller is None and not self.settings.is_demo:
            raise why_not or TokenNeeded
        granted, refusals = self._grant(socket, list(dict.fromkeys(message.channels)), why_not)
        socket.reply(frames.of({
            "type": "subscribed", "channels": [channel.name.text for channel in granted],
            "heartbeat_ms": self.settings.heartbeat_interval_ms,
        }))  # fmt: skip
        socket.follow(granted)
        for refusal in refusals[1:]:
            metrics.ERRORS.labels(refusal.code).inc()
            socket.reply(frames.error(refusal.code, refusal.told, refusal.channel))
        if refusals:
            raise refusals[0]

    async def _identify(self, socket: Socket, token: str | None) -> Refusal | None:
        """Learn who is there, if a token was sent; why that failed, if it did."""
        if token is None:
            return None
        try:
            caller = await self.user_tokens.caller(token)
        except Unauthorized:
            return TokenRefused()
        except Unavailable:
            return TokensAway()
        if socket.caller is not None and socket.caller.user_id != caller.user_id:
            self._drop_private(socket, NotYours.code, NotYours.detail)
        socket.caller = caller
        return None

    def _grant(
        self, socket: Socket, wanted: Sequence[str], why_not: Refusal | None
    ) -> tuple[list[Channel], list[Refusal]]:
        granted: dict[str, Channel] = {}
        refusals: list[Refusal] = []
        room = self.settings.channels_per_socket_max - len(socket.channels)
        for text in wanted:
            try:
                name = parse_channel(text)
                if name is None:
                    raise UnknownChannel(text)
                _check_own(name, socket.caller, why_not)
                if text not in socket.channels and room <= 0:
                    raise TooManyChannels(text)
                granted[text] = self.hub.channel(name)
                room -= text not in socket.channels
            except TooManyChannels as refusal:
                refusals.append(refusal)
                break
            except Refusal as refusal:
                refusals.append(refusal)
        if why_not is not None and not refusals:
            refusals.append(why_not)
        return list(granted.values()), refusals

    def _resync(self, socket: Socket, text: str) -> None:
        channel = socket.channels.get(text)
        if channel is None:
            raise NotSubscribed(text)
        channel.enter(socket)

    def _end_tokens(self) -> None:
        now = time.time()
        silent_since = time.monotonic() - self.settings.first_token_s
        for socket in self.sockets:
            if socket.caller is not None and socket.caller.expires_at <= now:
                socket.caller = None
                if self.settings.is_demo:
                    self._drop_private(socket, TokenRefused.code, TokenRefused.detail)
                else:
                    socket.end(Close.UNAUTHORIZED, "token expired")
            elif socket.caller is None and not self.settings.is_demo and socket.opened_at < silent_since:
                socket.end(Close.UNAUTHORIZED, "no token")

    def _drop_private(self, socket: Socket, code: str, detail: str) -> None:
        private = [text for text, channel in socket.channels.items() if channel.name.is_private]
        for text in socket.unfollow(private):
            metrics.ERRORS.labels(code).inc()
            socket.reply(frames.error(code, detail, text))


def now_text() -> str:
    """The time, as it is told."""
    return rfc3339(datetime.now(UTC))


def _check_own(name: ChannelName, caller: Caller | None, why_not: Refusal | None) -> None:
    if not name.is_private:
        return
    if caller is None:
        raise type(why_not)(name.text) if why_not is not None else TokenNeeded(name.text)
    if str(caller.user_id) != name.key:
        raise NotYours(name.text)
