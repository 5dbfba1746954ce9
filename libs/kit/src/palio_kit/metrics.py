"""Every metric the kit itself keeps. Base units in names, bounded label values, children cached by who uses them."""

from prometheus_client import Counter, Gauge, Histogram

_LATENCY_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

REQUESTS = Counter("palio_http_requests_total", "Answered requests", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "palio_http_request_seconds",
    "Time to the last byte of the answer",
    ["method", "route"],
    buckets=_LATENCY_S,
)
UPSTREAM_SECONDS = Histogram(
    "palio_upstream_request_seconds", "Calls to another service", ["callee", "outcome"], buckets=_LATENCY_S
)
DATABASE_CONNECTIONS = Gauge("palio_database_connections", "Pool slots by state", ["state"])
DATABASE_ERRORS = Counter("palio_database_errors_total", "Failed database work", ["outcome"])
REDIS_CALLS = Counter("palio_redis_calls_total", "Calls to Redis", ["outcome"])
REDIS_BREAKER_OPEN = Gauge("palio_redis_breaker_open", "1 while calls to Redis are refused without trying")
BATCH_ITEMS = Histogram(
    "palio_batch_items",
    "Items carried by one flush",
    ["batch"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
)
BATCH_QUEUE = Gauge("palio_batch_queue_items", "Items waiting for a flush", ["batch"])
EVENTS = Counter("palio_events_total", "Live events by fate", ["fate"])
TOKENS = Counter("palio_token_checks_total", "Token checks by result", ["kind", "result"])
