"""Names of channels, origins, close codes and draining: rules that are tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio_websocket.domain import Close, Reconnect, drain_batch, origin_allowed, parse_channel, reconnect_after

ID = "0190a1b2-0000-7000-8000-0123456789ab"


@pytest.mark.parametrize(
    ("text", "family", "board"),
    [
        ("leaderboard", "leaderboard", "global"),
        ("leaderboard:global", "leaderboard", "global"),
        ("leaderboard:game:space-race", "leaderboard", "game:space-race"),
        (f"leaderboard:tournament:{ID}", "leaderboard", f"tournament:{ID}"),
        ("score", "score", None),
        ("game", "game", None),
        ("tournament", "tournament", None),
        (f"tournament:{ID}", "tournament", None),
        (f"player:{ID}", "player", None),
        (f"loadtest:{ID}", "loadtest", None),
    ],
)
def test_channels_of_the_protocol_are_known(text: str, family: str, board: str | None) -> None:
    name = parse_channel(text)
    assert name is not None
    assert (name.text, name.family, name.board, name.is_private) == (text, family, board, family == "player")


@pytest.mark.parametrize(
    "text",
    [
        "", ":", "x", "scores", "score:", "score:x", "game:space-race", "player", "player:", f"player:{ID.upper()}",
        "tournament:", "tournament:1", "loadtest", "loadtest:", "loadtest:1",
        "leaderboard:", "leaderboard:x", "leaderboard:global:", "leaderboard:game:",
        "leaderboard:game:Space", "leaderboard:game:a_b", "leaderboard:game:" + "a" * 41, f"tournament:{ID}\n",
        f"leaderboard:tournament:{ID}:x", "Leaderboard", "score\x00", "leaderboard:game:a\n",
    ],
)  # fmt: skip
def test_other_names_are_no_channels(text: str) -> None:
    assert parse_channel(text) is None


@given(st.text(max_size=120))
def test_any_text_is_a_channel_or_none_and_never_an_error(text: str) -> None:
    name = parse_channel(text)
    assert name is None or name.text == text


BY_NAME = frozenset({"http://localhost:3000", "https://palio.example"})


@pytest.mark.parametrize(
    ("origin", "any_local", "allowed"),
    [
        (None, False, True),
        ("http://localhost:3000", False, True),
        ("HTTP://LocalHost:3000", False, True),
        ("https://palio.example", False, True),
        ("http://palio.example", False, False),
        ("https://palio.example.evil.test", False, False),
        ("http://localhost:3001", False, False),
        ("http://localhost:3001", True, True),
        ("http://127.0.0.1", True, True),
        ("https://[::1]:8443", True, True),
        ("http://localhost.evil.test:3000", True, False),
        ("http://127.0.0.1.evil.test", True, False),
        ("http://localhost:3000@evil.test", True, False),
        ("http://evil.test", True, False),
        ("null", True, False),
        ("", True, False),
        ("file://", True, False),
        ("http://localhost:3000\n", True, False),
    ],
)
def test_pages_of_other_origins_stay_out(origin: str | None, any_local: bool, allowed: bool) -> None:
    assert origin_allowed(origin, BY_NAME, any_local=any_local) is allowed


@pytest.mark.parametrize(
    ("code", "policy"),
    [
        (Close.GOING_AWAY, Reconnect.WITH_JITTER),
        (Close.RESTART, Reconnect.WITH_JITTER),
        (Close.MALFORMED, Reconnect.WITH_JITTER),
        (Close.NOT_TEXT, Reconnect.WITH_JITTER),
        (Close.TOO_BIG, Reconnect.NEVER),
        (Close.TOO_MANY, Reconnect.AFTER_5_S),
        (Close.DRAIN, Reconnect.WHEN_TOLD),
        (Close.TOO_SLOW, Reconnect.WITH_LESS),
        (Close.SILENT, Reconnect.WITH_JITTER),
        (Close.MISUSE, Reconnect.NEVER),
        (Close.UNAUTHORIZED, Reconnect.NEVER),
        (Close.FOREIGN_ORIGIN, Reconnect.NEVER),
        (1006, Reconnect.WITH_JITTER),
        (4499, Reconnect.WITH_JITTER),
        (4999, Reconnect.NEVER),
    ],
)
def test_each_close_code_says_whether_to_come_back(code: int, policy: Reconnect) -> None:
    assert reconnect_after(code) is policy


@given(st.integers(0, 20_000), st.floats(0, 60), st.floats(0.05, 1))
def test_draining_is_over_in_time(sockets: int, over_s: float, every_s: float) -> None:
    batch = drain_batch(sockets, over_s, every_s)
    pauses = max(0, -(-sockets // batch) - 1)
    assert pauses * every_s <= over_s + 1e-6
