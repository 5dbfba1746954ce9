"""palio's websocket service."""
