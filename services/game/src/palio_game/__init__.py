"""palio's game service."""
