"""palio's generator service."""
