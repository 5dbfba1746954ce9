"""What the score service may be told."""

from pydantic import Field

from palio_kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """The score service's settings."""

    service: str = Field("score", description="this service's name")
    port: int = Field(23454, ge=0, le=65535, description="port to listen on")
    database_connections_max: int = Field(8, ge=3, le=64)
    flush_rows_max: int = Field(256, ge=1, le=1000, description="submissions in one transaction")
    flushes_max: int = Field(2, ge=1, le=4, description="transactions of the hot path at once")
    rebuild_rows: int = Field(2000, ge=1, le=2000, description="standings in one call to Redis while rebuilding")
    small_board_max: int = Field(1000, ge=0, le=2000, description="boards up to this are rebuilt while a score waits")
