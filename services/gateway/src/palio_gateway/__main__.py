"""`python -m palio_gateway`: the gateway alone, on its two ports."""

from palio_gateway.app import create_app
from palio_gateway.settings import Settings
from palio_kit import serve


def main() -> None:
    """Serve until told to stop."""
    settings = Settings()
    sockets = [serve.listen(settings.host, port) for port in (settings.port, settings.ui_port)]
    serve.run(create_app, settings, sockets=sockets)


if __name__ == "__main__":
    main()
