"""Settings of the toy service."""

from palio_kit.settings import ServiceSettings


class Settings(ServiceSettings):
    service: str = "user"
    port: int = 0
