"""The gateway's settings. It keeps nothing, so the addresses of a database and of Redis are not needed here."""

from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from pydantic import Field, SecretStr

from palio_kit.settings import ServiceSettings

_SIGN_INS_DEMO, _SIGN_INS = 20.0, 1.0


class Settings(ServiceSettings):
    """What the gateway knows about itself."""

    service: str = "gateway"
    port: int = Field(23455, ge=0, le=65535, description="port of the API (and of everything else)")
    ui_port: int = Field(3000, ge=0, le=65535, description="second port of the same process, where people open the UI")
    database_url: SecretStr = Field(SecretStr(""), description="not used: the gateway has no database")
    redis_url: SecretStr = Field(SecretStr(""), description="not used: the gateway has no Redis")
    upstream_timeout_s: float = Field(
        5.0, gt=0, le=60, description="a call to another service, its repetition included"
    )
    upstream_calls_max: int = Field(48, ge=1, le=1000, description="calls to one service at once; one more is 503")

    limits: Literal["on", "off"] = Field("on", description="off is for measuring")
    player_per_second: float = Field(20.0, gt=0, description="submissions of one player")
    player_burst: int = Field(100, ge=1)
    address_per_second: float = Field(2_000.0, gt=0, description="requests from one address")
    address_burst: int = Field(4_000, ge=1)
    sign_in_per_second: float | None = Field(
        None, gt=0, description="registrations and logins from one address; by default 20 in the demo profile, else 1"
    )
    sign_in_burst: int = Field(40, ge=1)
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = Field(
        (), description="peers whose X-Forwarded-For is believed, as a JSON list of networks"
    )
    cors_origins: tuple[str, ...] | None = Field(
        None, description="origins whose pages may call; by default this host's own two ports"
    )

    batch_items_max: int = Field(256, ge=1, le=10_000)
    batch_wait_ms: float = Field(2.0, ge=0, le=100, description="a batch waits for more that long at most")
    batch_flushes_max: int = Field(2, ge=1, le=16, description="batches of one kind in flight")
    batch_queue_max: int = Field(4_000, ge=1, description="requests waiting for a batch; one more is 503")
    batch_timeout_s: float = Field(
        4.5,
        gt=0,
        le=60,
        description="one batch's call; longer than the score service needs to say how a slow one ended",
    )

    sockets_max: int = Field(10_000, ge=0, description="live sockets forwarded at once; one more is 503")

    @property
    def sign_ins_per_second(self) -> float:
        """The rate of registrations and logins that holds here."""
        return self.sign_in_per_second or (_SIGN_INS_DEMO if self.is_demo else _SIGN_INS)

    @property
    def origins(self) -> frozenset[str]:
        """The origins whose pages may call."""
        if self.cors_origins is not None:
            return frozenset(self.cors_origins)
        return frozenset(
            f"http://{host}:{port}" for host in ("localhost", "127.0.0.1") for port in (self.ui_port, self.port)
        )
