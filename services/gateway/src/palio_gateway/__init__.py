"""palio's gateway service."""
