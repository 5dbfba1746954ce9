"""What the leaderboard service needs besides what every service needs."""

from pydantic import Field

from palio_kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `PALIO_*`."""

    service: str = "leaderboard"
    port: int = Field(23453, ge=0, le=65535, description="port to listen on")
    usernames_max: int = Field(50_000, ge=100, le=1_000_000, description="names kept in memory")
    username_fresh_s: float = Field(60.0, ge=0, le=3600, description="how long a kept name is believed")
    fallback_statements_max: int = Field(2, ge=1, le=16, description="SQL reads of boards at once")
    fallback_waiting_max: int = Field(32, ge=0, le=1000, description="SQL reads waiting; one more is refused with 503")
    fallback_wait_s: float = Field(
        0.5, gt=0, le=10, description="how long a reader waits for SQL; the answer is kept for who asks again"
    )
    audit_every_s: float = Field(5.0, gt=0, le=3600, description="pause between two looks of the drift audit")
    audit_players: int = Field(50, ge=1, le=500, description="players compared in one look, from each side")
