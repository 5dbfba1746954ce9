"""The tournament service's own metrics."""

from prometheus_client import Counter, Histogram

SETTLEMENTS = Counter("palio_tournament_settlements_total", "Tournaments by how their settlement went", ["outcome"])
SETTLE_SECONDS = Histogram(
    "palio_tournament_settle_transaction_seconds",
    "One settlement transaction, with all its tournaments",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
JOINS = Counter("palio_tournament_joins_total", "New entries")
