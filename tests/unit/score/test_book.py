"""What is known by heart, and for how long."""

from palio_score.book import Memory


def test_what_was_found_is_never_asked_again() -> None:
    memory: Memory[int] = Memory()
    assert memory.ask_again("a", 0)
    memory.note("a", 7, 0)
    assert not memory.ask_again("a", 1e9)
    assert memory.found["a"] == 7


def test_what_was_missing_is_asked_again_after_a_second() -> None:
    memory: Memory[int] = Memory()
    memory.note("a", None, 0)
    assert not memory.ask_again("a", 0.9)
    assert memory.ask_again("a", 1.0)


def test_what_may_change_is_asked_again_when_it_is_old() -> None:
    memory: Memory[str] = Memory(fresh_s=60)
    memory.note("a", "ada", 0)
    assert not memory.ask_again("a", 59)
    assert memory.ask_again("a", 60)
    memory.note("a", None, 60)
    assert "a" not in memory.found


def test_what_is_forgotten_is_asked_again() -> None:
    memory: Memory[str] = Memory(fresh_s=60)
    memory.note("a", "ada", 0)
    memory.forget(["a", "never heard of"])
    assert memory.ask_again("a", 1)
    assert "a" not in memory.found
