"""The live service and its stub, as the integration tests have them."""

from integration.websocket.conftest import behind, settings_of, stream, stream_of

__all__ = ["behind", "settings_of", "stream", "stream_of"]
