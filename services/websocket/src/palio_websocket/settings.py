"""The websocket service's settings. It keeps nothing, so it needs no database."""

from pydantic import Field, SecretStr

from palio_kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the websocket service knows about itself."""

    service: str = Field("websocket", description="this service's name")
    port: int = Field(23456, ge=0, le=65535, description="port to listen on")
    database_url: SecretStr = Field(SecretStr(""), description="not used: the websocket service has no database")

    origins: tuple[str, ...] | None = Field(
        None,
        description="origins whose pages may connect, as a JSON list; by default the UI's and the gateway's ports on"
        " this host, in the demo profile every port on it. No Origin at all is no browser, and is let in",
    )
    ui_port: int = Field(3000, ge=0, le=65535, description="where people open the UI, for the default origins")
    gateway_port: int = Field(23455, ge=0, le=65535, description="the gateway's port, for the default origins")

    sockets_max: int = Field(10_000, ge=0, description="open sockets; one more is refused with 503")
    accepts_per_second: float = Field(1_000.0, gt=0, description="handshakes accepted on average; more is 503")
    accepts_burst: int = Field(2_000, ge=1, description="handshakes accepted at once")
    first_token_s: float = Field(10.0, gt=0, le=60, description="a socket outside the demo shows a token within this")

    channels_per_socket_max: int = Field(100, ge=1, le=1_000)
    channels_max: int = Field(20_000, ge=1, description="distinct channels with subscribers in this process")
    errors_max: int = Field(20, ge=1, description="messages answered with an error before the socket is closed")
    messages_per_second: float = Field(50.0, gt=0, description="messages read from one socket on average")
    messages_burst: int = Field(200, ge=1)

    frame_interval_ms: int = Field(100, ge=10, le=5_000, description="at least this between frames of one channel")
    poll_interval_ms: int = Field(1_000, ge=100, le=60_000, description="every board is asked for at least this often")
    heartbeat_interval_ms: int = Field(1_000, ge=100, le=60_000)
    ping_interval_s: float = Field(20.0, gt=0, le=600)
    ping_timeout_s: float = Field(60.0, gt=0, le=600, description="without a pong for this long the socket is closed")

    held_back_bytes: int = Field(
        64 * 1024, ge=1_024, description="above this in a socket's buffer, frames are left out"
    )
    slow_bytes_max: int = Field(256 * 1024, ge=1_024, description="unsent and left out; above it a reader is too slow")
    slow_s: float = Field(10.0, gt=0, le=600, description="a reader that is too slow for this long is closed")
    close_timeout_s: float = Field(5.0, gt=0, le=60, description="for the peer's answer to our close")

    drain_s: float = Field(8.0, ge=0, le=300, description="all sockets are closed within this, in batches")
    drain_batch_interval_ms: int = Field(100, ge=1, le=10_000)
    drain_retry_min_ms: int = Field(200, ge=0, le=60_000, description="what closed clients are told to wait at least")
    drain_retry_max_ms: int = Field(3_000, ge=1, le=60_000)

    @property
    def allowed_origins(self) -> frozenset[str]:
        """The origins that are let in by name."""
        if self.origins is not None:
            return frozenset(origin.lower().rstrip("/") for origin in self.origins)
        ports = (self.ui_port, self.gateway_port)
        return frozenset(f"http://{host}:{port}" for host in ("localhost", "127.0.0.1") for port in ports)

    @property
    def any_local_origin(self) -> bool:
        """Whether every port of this host is let in: the launcher of the demo moves ports that are taken."""
        return self.is_demo and self.origins is None
