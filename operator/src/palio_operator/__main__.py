"""`python -m palio_operator` operates the cluster of the pod, or of the kubeconfig."""

import asyncio
import logging

from prometheus_client import start_http_server

from palio_kit import logs
from palio_operator.app import run
from palio_operator.settings import Settings

_CHATTY = ("kopf.objects", "kopf.activities", "aiohttp.access")
"""They tell of every event and every probe; what the operator does it tells by itself, once a step."""


def main() -> None:
    """Operate until SIGTERM or SIGINT."""
    settings = Settings()
    logs.configure(settings.service, level=settings.log_level, style=settings.log_format)
    if settings.log_level == "info":
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, settings.host)
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
