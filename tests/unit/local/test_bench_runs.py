from dataclasses import replace
from pathlib import Path

import pytest

from palio_local.bench import runs
from palio_local.bench.runs import NoSuchRun, Runs
from palio_local.layout import Layout
from support.load_reports import report, second


def kept(layout: Layout, count: int) -> list[str]:
    """The names of runs that began a minute apart."""
    first = report()
    return [
        Runs(layout).keep(replace(first, started_at=first.started_at + 60 * number), [second(0), second(1)])
        for number in range(count)
    ]


def test_a_run_is_found_by_its_name_its_beginning_and_its_place(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    names = kept(layout, 3)
    known = Runs(layout)
    assert [run.run for run in known.all()] == names
    assert known.named(names[1]).run == known.named("last-1").run == known.named(names[1][:13]).run == names[1]
    assert known.named("last").run == names[2]
    assert (known.named("last").report.p99_ms, len(known.named("last").seconds)) == (report().p99_ms, 2)


@pytest.mark.parametrize("name", ["", "2", "last-3", "last-", "../last", "nobody"])
def test_a_name_of_none_or_of_several_runs_is_refused(tmp_path: Path, name: str) -> None:
    kept(Layout(tmp_path), 3)
    with pytest.raises(NoSuchRun):
        Runs(Layout(tmp_path)).named(name)


def test_old_runs_make_room_and_files_of_others_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "RUNS_MAX", 2)
    layout = Layout(tmp_path)
    names = kept(layout, 4)
    (layout.bench / "notes.json").write_text("{}")
    assert [run.run for run in Runs(layout).all()] == names[2:]


def test_nothing_was_run_yet(tmp_path: Path) -> None:
    assert Runs(Layout(tmp_path)).all() == []
    with pytest.raises(NoSuchRun):
        Runs(Layout(tmp_path)).named("last")


def test_runs_outlive_a_fresh_start_and_not_a_cleaning(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    kept(layout, 1)
    layout.wipe()
    assert len(Runs(layout).all()) == 1
    layout.forget()
    assert Runs(layout).all() == []
