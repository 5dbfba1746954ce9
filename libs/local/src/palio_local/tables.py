"""Rows for people and for programs: a table on a terminal, tab-separated lines into a pipe, JSON when asked."""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from palio_local.display import console

if TYPE_CHECKING:
    from rich.table import Table


def show(rows: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print rows in the form that suits the reader."""
    if as_json:
        print(json.dumps(rows))
    elif console.is_terminal:
        console.print(table(rows, columns))
    else:
        for row in rows:
            print("\t".join(_cell(row.get(column)) for column in columns))


def show_document(document: dict[str, Any], *, as_json: bool) -> None:
    """Print one thing, a line per field."""
    if as_json:
        print(json.dumps(document))
        return
    for name, value in document.items():
        print(f"{name}\t{_cell(value)}")


def table(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> "Table":
    """A table of plain cells."""
    from rich.table import Table  # noqa: PLC0415 - only needed on a terminal

    drawn = Table(*columns, box=None, header_style="bold")
    for row in rows:
        drawn.add_row(*(_cell(row.get(column)) for column in columns))
    return drawn


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return json.dumps(value) if isinstance(value, list | dict) else str(value)
