"""Every metric of the operator, declared in one place."""

from prometheus_client import Counter, Gauge, Histogram

RECONCILES = Counter("palio_reconcile_total", "Reconciliations by result", ["kind", "result"])
RECONCILE_SECONDS = Histogram(
    "palio_reconcile_duration_seconds", "One reconciliation, with all its calls", ["kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)  # fmt: skip
TRANSITION_LAG_SECONDS = Histogram(
    "palio_transition_lag_seconds", "From a boundary by the database's clock until the status told it", ["phase"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)  # fmt: skip
DRIFT_CORRECTED = Counter("palio_drift_corrected_total", "Records that had been changed beside their resource")
JOBS_CREATED = Counter("palio_payout_jobs_created_total", "Prize Jobs created")
RUNNER_JOBS_CREATED = Counter("palio_runner_jobs_created_total", "Jobs of load tests' runners created")
LOADTESTS_ENDED = Counter("palio_loadtests_ended_total", "Load tests by how they ended", ["phase", "verdict"])
RUNNERS_READY_SECONDS = Histogram(
    "palio_runners_ready_seconds", "From the creation of the runners' Job until load began",
    buckets=(2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800),
)  # fmt: skip
RECORDS_ABANDONED = Counter(
    "palio_records_abandoned_total", "Resources deleted while their record could not be let go of"
)
KUBERNETES_CALLS = Counter("palio_kubernetes_calls_total", "Calls to the API server", ["verb", "outcome"])
WATCH_AGE_SECONDS = Gauge("palio_watch_age_seconds", "How long the oldest change has not come through the watch")
LOOPS = Gauge("palio_resource_loops", "Resources that have a loop", ["kind"])
