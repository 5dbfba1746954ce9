import json
from pathlib import Path

from palio_local import logs
from palio_local.logs import Tail


def _line(second: int, event: str) -> str:
    return json.dumps({"timestamp": f"2026-01-01T00:00:{second:02}.000000Z", "level": "info", "event": event})


def test_a_tail_gives_complete_lines_once(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    tail = Tail("a", path)
    assert tail.new_lines() == []
    path.write_text("one\ntw")
    assert tail.new_lines() == ["one"]
    with path.open("a") as file:
        file.write("o\nthree\n")
    assert tail.new_lines() == ["two", "three"]
    assert tail.new_lines() == []


def test_a_tail_starts_over_when_the_file_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("a long first line\n")
    tail = Tail.at_end("a", path)
    path.write_text("new\n")
    assert tail.new_lines() == ["new"]


def test_a_file_that_grew_too_large_is_moved_and_cut_under_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with path.open("a") as writer:
        writer.write("x" * 2000)
        writer.flush()
        logs.keep_small(path, bytes_max=1000)
        writer.write("after\n")
    assert path.read_text() == "after\n"
    assert (tmp_path / "a.log.1").stat().st_size == 2000


def test_events_read_as_a_line_and_other_text_stays() -> None:
    event = json.loads(_line(7, "user_registered")) | {"user": "ada", "trace_id": "f" * 32}
    assert logs.readable(json.dumps(event)) == "00:00:07.000 info    user_registered user=ada"
    assert logs.readable("Traceback (most recent call last):") == "Traceback (most recent call last):"
    assert logs.readable('["a list"]') == '["a list"]'


def test_several_logs_are_merged_by_time(tmp_path: Path) -> None:
    paths = {"a": tmp_path / "a.log", "b": tmp_path / "b.log"}
    paths["a"].write_text(f"{_line(1, 'first')}\n{_line(4, 'fourth')}\n")
    paths["b"].write_text(f"{_line(2, 'second')}\n{_line(3, 'third')}\n")
    names = [name for name, _ in logs.merged(paths, 3)]
    assert names == ["b", "b", "a"]
