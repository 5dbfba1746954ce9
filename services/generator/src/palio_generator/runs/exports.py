"""A run as a file to take away: a page that opens from disk, all it told as NDJSON, its seconds as CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import fields, replace

from palio_generator.load import messages
from palio_generator.load.messages import Ended, Row
from palio_generator.load.page import page
from palio_generator.load.results import Report, Second

MEDIA = {"html": "text/html; charset=utf-8", "ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
_HISTOGRAMS = ("latencies", "freshness")


def render(form: str, report: Report, rows: Sequence[Second]) -> bytes:
    """The file's bytes; `form` is a key of `MEDIA`."""
    return {"html": html, "ndjson": ndjson, "csv": table}[form](report, rows)


def html(report: Report, rows: Sequence[Second]) -> bytes:
    """One page, closed to the outside."""
    return page(report, rows).encode()


def ndjson(report: Report, rows: Sequence[Second]) -> bytes:
    """What a runner's process would have said: a line each second, and the report with its histograms at the end.

    The seconds leave theirs out: the report's speak of the whole run, and a day of them would be a hundred megabytes.
    """
    said = [messages.encode(Row(replace(row, latencies=b"", freshness=b""))) for row in rows]
    return b"\n".join([*said, messages.encode(Ended(report)), b""])


def table(_: Report, rows: Sequence[Second]) -> bytes:
    """A line each second, the fields' names first; empty where there is no number."""
    names = [field.name for field in fields(Second) if field.name not in _HISTOGRAMS]
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(names)
    lines.writerows([getattr(row, name) for name in names] for row in rows)
    return text.getvalue().encode()
