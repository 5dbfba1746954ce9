"""The gateway's own metrics."""

from prometheus_client import Counter, Gauge

LIMITED = Counter("palio_limited_requests_total", "Requests refused with 429", ["limit"])
BULKHEAD_FULL = Counter("palio_bulkhead_full_total", "Requests refused because a service had enough", ["callee"])
SOCKETS = Gauge("palio_relayed_sockets", "Live sockets forwarded now")
SOCKETS_CLOSED = Counter("palio_relayed_sockets_closed_total", "Ended forwards", ["by"])
