"""Every metric of the live stream. Base units in names, bounded labels."""

from prometheus_client import Counter, Gauge, Histogram

SOCKETS = Gauge("palio_live_sockets", "Open sockets")
CHANNELS = Gauge("palio_live_channels", "Distinct channels with subscribers")
HANDSHAKES = Counter("palio_live_handshakes_total", "Handshakes", ["outcome"])
CLOSED = Counter("palio_live_closed_total", "Sockets closed by the service", ["code"])
MESSAGES = Counter("palio_live_messages_total", "Messages of clients", ["kind"])
ERRORS = Counter("palio_live_errors_total", "Error frames", ["code"])

FRAMES = Counter("palio_live_frames_total", "Frames written to sockets", ["kind"])
BYTES = Counter("palio_live_bytes_total", "Bytes of frames written to sockets")
LEFT_OUT = Counter("palio_live_left_out_frames_total", "Frames not written because the reader was behind")
EVENTS_SKIPPED = Counter("palio_live_skipped_events_total", "Events left out of full frames")

FRESHNESS = Histogram(
    "palio_live_freshness_seconds",
    "From an event's time to its frame's writing",
    ["family"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5),
)
EVENTS_LOST = Counter("palio_live_event_losses_total", "Times that events may have been missed")
BOARD_READS = Counter("palio_live_board_reads_total", "Calls for the tops of boards", ["outcome"])
