"""palio's user service."""
