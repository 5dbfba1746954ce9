"""What can be wrong: problems of the handshake (HTTP), and of messages (error frames)."""

from palio_kit.problems import Forbidden, Unavailable


class ForeignOrigin(Forbidden):
    """Pages of this origin may not connect."""

    code, title = "foreign_origin", "This origin is not allowed"


class TooManySockets(Unavailable):
    """All places for sockets are taken, or too many connect at once."""

    code, title = "too_many_sockets", "Too many live sockets for now"


class Draining(Unavailable):
    """This process is about to end; connect again to reach another."""

    code, title = "draining", "This process is about to end"


class NotLocal(Forbidden):
    """Only this host may do that."""

    code, title = "not_local", "Only for this host"


class Refusal(Exception):
    """Something a message asked for is not given; the socket stays."""

    code = "invalid_message"
    detail = "The message is not understood."

    def __init__(self, channel: str | None = None, detail: str | None = None) -> None:
        super().__init__(self.code)
        self.channel = channel
        self.told = detail or self.detail


class MalformedJson(Refusal):
    """The message is no JSON."""

    code, detail = "malformed_json", "The message is not valid JSON."


class InvalidMessage(Refusal):
    """The message is JSON, but none of those a client may send."""

    code = "invalid_message"
    detail = "A message is subscribe, unsubscribe, resync or ping; see docs/api/live.md."


class UnknownChannel(Refusal):
    """There is no such channel."""

    code, detail = "unknown_channel", "There is no such channel."


class NotSubscribed(Refusal):
    """Resync is for channels one is subscribed to."""

    code, detail = "not_subscribed", "This channel was not subscribed to."


class TooManyChannels(Refusal):
    """One socket follows a bounded number of channels."""

    code, detail = "too_many_channels", "This socket follows as many channels as it may."


class TokenNeeded(Refusal):
    """The channel needs an access token in the message."""

    code, detail = "token_needed", "An access token is needed."


class TokenRefused(Refusal):
    """The access token is not valid (any more)."""

    code, detail = "token_refused", "The access token is not valid, or not any more."


class NotYours(Refusal):
    """The channel is another player's."""

    code, detail = "not_yours", "This channel is another player's."


class TokensAway(Refusal):
    """Tokens cannot be verified for now."""

    code, detail = "unavailable", "Tokens cannot be verified for now. Try again."
