"""Every metric of the leaderboard service."""

from prometheus_client import Counter, Gauge, Histogram

READS = Counter("palio_board_reads_total", "Board reads by kind and by what answered them", ["kind", "source"])
PAGE_CACHE = Counter("palio_page_cache_total", "First pages by whether their bytes were at hand", ["result"])
USERNAMES = Counter("palio_username_lookups_total", "Names by whether they were at hand", ["result"])
FALLBACK_SECONDS = Histogram(
    "palio_board_fallback_seconds",
    "Board reads answered by PostgreSQL",
    ["kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4),
)
REFUSED = Counter("palio_board_fallback_refused_total", "Reads refused because too many wait for PostgreSQL")
REBUILDS_ASKED = Counter("palio_board_rebuilds_asked_total", "Rebuilds asked of the score service", ["reason"])
RANK_DRIFT = Gauge(
    "palio_rank_drift", "Sampled players whose cached standing differs from SQL at two looks", ["family"]
)
AUDITED = Counter("palio_rank_audited_players_total", "Players compared by the drift audit")
