"""palio's leaderboard service."""
