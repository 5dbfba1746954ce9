"""Every metric of the score service. Children are cached here; flushes count by rows, not row by row."""

from prometheus_client import Counter, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

_SUBMISSIONS = Counter("palio_score_submissions_total", "Submissions by what became of them", ["result"])
COUNTED = _SUBMISSIONS.labels("counted")
KEPT = _SUBMISSIONS.labels("kept")
REPEATED = _SUBMISSIONS.labels("repeated")
REFUSED = _SUBMISSIONS.labels("refused")

_FLUSH_SECONDS = Histogram("palio_score_flush_seconds", "Time of a flush by stage", ["stage"], buckets=_SECONDS)
COMMIT_SECONDS = _FLUSH_SECONDS.labels("commit")
BOARDS_SECONDS = _FLUSH_SECONDS.labels("boards")

HEALED = Counter("palio_score_flushes_healed_total", "Flushes that Redis had missed and was told again")
REBUILDS = Counter("palio_score_rebuilds_total", "Boards built anew by outcome", ["outcome"])
REBUILD_SECONDS = Histogram(
    "palio_score_rebuild_seconds", "Time to build a board anew", buckets=(0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 20, 60)
)
