"""What the game service needs besides what every service needs: nothing."""

from pydantic import Field

from palio_kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `PALIO_*`."""

    service: str = "game"
    port: int = Field(23452, ge=0, le=65535, description="port to listen on")
