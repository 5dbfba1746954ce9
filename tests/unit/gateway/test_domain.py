"""How paths, queries, addresses and allowances are understood."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio_gateway.domain import (
    BoardRead,
    bucket_key,
    check_path,
    client_address,
    parse_board_read,
    rate_left,
    rate_policy,
    route_of,
)
from palio_gateway.errors import MalformedPath, MalformedQuery
from palio_kit.limits import Allowance
from palio_kit.paging import BadCursor
from palio_kit.problems import Invalid, NotFound, Problem

ADA = "0190a0a0-0000-7000-8000-000000000001"
BOARDS = "/api/v1/leaderboard/"


@pytest.mark.parametrize(
    ("path", "query", "read"),
    [
        ("global", b"", BoardRead("page", "global", None, 50, None)),
        ("global", b"limit=100", BoardRead("page", "global", None, 100, None)),
        ("global", b"cursor=aB-_9&limit=1", BoardRead("page", "global", None, 1, "aB-_9")),
        ("game/space-race", b"", BoardRead("page", "game:space-race", None, 50, None)),
        (f"tournament/{ADA}", b"", BoardRead("page", f"tournament:{ADA}", None, 50, None)),
        (f"global/rank/{ADA}", b"", BoardRead("rank", "global", ADA, 0, None)),
        (f"game/space-race/rank/{ADA}", b"", BoardRead("rank", "game:space-race", ADA, 0, None)),
        (f"global/around/{ADA}", b"radius=50", BoardRead("around", "global", ADA, 50, None)),
        (f"tournament/{ADA}/around/{ADA}", b"", BoardRead("around", f"tournament:{ADA}", ADA, 5, None)),
    ],
)
def test_every_kind_of_read_is_understood(path: str, query: bytes, read: BoardRead) -> None:
    assert parse_board_read(BOARDS + path, query) == read


@pytest.mark.parametrize(
    "path",
    ["", "/", "local", "global/", "global/top", "global/rank", f"global/rank/{ADA}/", f"global/rank/{ADA}/x", "game"],
)
def test_other_paths_are_not_there(path: str) -> None:
    with pytest.raises(NotFound):
        parse_board_read(BOARDS + path, b"")


@pytest.mark.parametrize(
    "path",
    [
        "game/", "game/Space", "game/-x", "game/x-", "game/a_b", f"game/{'x' * 41}", "game/é", "game/a:b",
        "tournament/1", f"tournament/{ADA.upper()}", f"tournament/{ADA}0", f"tournament/{ADA}\n",
        "global/rank/ada", f"global/rank/{{{ADA}}}", f"global/around/{ADA.replace('-', '')}",
    ],
)  # fmt: skip
def test_malformed_ids_are_invalid(path: str) -> None:
    with pytest.raises(Invalid):
        parse_board_read(BOARDS + path, b"")


@pytest.mark.parametrize(
    "value", ["0", "101", "-1", "+5", "05", "1e2", "1.0", "", "5 ", "%35", "\u0665", "9" * 5000, "true", "null"]
)
def test_a_limit_is_a_plain_number_from_1_to_100(value: str) -> None:
    with pytest.raises(Invalid):
        parse_board_read(BOARDS + "global", f"limit={value}".encode())


@given(st.integers(-10, 200))
def test_limits_and_radii_hold_exactly(number: int) -> None:
    for path, query, maximum in (
        ("global", f"limit={number}", 100),
        (f"global/around/{ADA}", f"radius={number}", 50),
    ):
        try:
            assert parse_board_read(BOARDS + path, query.encode()).size == number
            assert 1 <= number <= maximum
        except Invalid:
            assert not 1 <= number <= maximum


@pytest.mark.parametrize("query", [b"limit=1&limit=1", b"limit", b"&", b"limit=1&", b"&limit=1", b"cursor=a&cursor=b"])
def test_repeated_and_broken_parameters_are_malformed(query: bytes) -> None:
    with pytest.raises(MalformedQuery):
        parse_board_read(BOARDS + "global", query)


@pytest.mark.parametrize(
    ("path", "query"),
    [("global", b"radius=1"), ("global", b"limt=1"), (f"global/rank/{ADA}", b"limit=1"), ("global", b"LIMIT=1"),
     ("global", b"%6cimit=1"), (f"global/around/{ADA}", b"limit=1")],
)  # fmt: skip
def test_parameters_of_other_paths_are_invalid(path: str, query: bytes) -> None:
    with pytest.raises(Invalid):
        parse_board_read(BOARDS + path, query)


@pytest.mark.parametrize("cursor", [b"", b"a%3d", b"a=b", b"a b", b"a+b", b"x" * 513, b"\xff"])
def test_a_cursor_of_other_characters_is_none_of_ours(cursor: bytes) -> None:
    with pytest.raises(BadCursor):
        parse_board_read(BOARDS + "global", b"cursor=" + cursor)


@given(path=st.text(max_size=60), query=st.binary(max_size=60))
def test_whatever_is_asked_ends_in_a_read_or_in_a_4xx(path: str, query: bytes) -> None:
    status = 200
    try:
        parse_board_read(BOARDS + path, query)
    except Problem as problem:
        status = problem.status
    assert status in (200, 400, 404, 422)


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("global", "global"),
        ("game/space-race", "game/{game_id}"),
        (f"tournament/{ADA}", "tournament/{tournament_id}"),
        (f"global/rank/{ADA}", "global/rank/{user_id}"),
        (f"game/x/around/{ADA}", "game/{game_id}/around/{user_id}"),
    ],
)
def test_metrics_see_templates(path: str, template: str) -> None:
    assert route_of(parse_board_read(BOARDS + path, b"")) == BOARDS + template


@pytest.mark.parametrize("path", [b"/", b"/api/v1/games", b"/.well-known/jwks.json", b"/a/b~c-d_e", b"/api/"])
def test_plain_paths_pass(path: bytes) -> None:
    check_path(path)


@pytest.mark.parametrize(
    "path",
    [b"", b"api", b"//", b"/a//b", b"/a/../b", b"/a/./b", b"/..", b"/a/..", b"/a%2fb", b"/a%00", b"/a;b", b"/a\\b",
     b"/a b", b"/a\x00", b"/\xc3\xa9", b"/a@b", b"/a:b", b"/.", b"/../", b"/%2e%2e/x", b"/a\n"],
)  # fmt: skip
def test_tricky_paths_do_not(path: bytes) -> None:
    with pytest.raises(MalformedPath):
        check_path(path)


PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "192.0.2.1, 203.0.113.9, 10.2.3.4", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("fd00::1", "2001:db8::5", "2001:db8::5"),
        ("testclient", "203.0.113.9", "testclient"),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded: str | None, address: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == address


def test_nobody_is_believed_by_default() -> None:
    assert client_address("10.0.0.1", "203.0.113.9", ()) == "10.0.0.1"


@given(st.lists(st.text(alphabet="0123456789abcdef.:, ", max_size=20), max_size=6))
def test_a_forged_chain_never_hides_the_last_untrusted_hop(hops: list[str]) -> None:
    chain = ", ".join([*hops, "203.0.113.9"])
    assert client_address("10.0.0.1", chain, PROXIES) == "203.0.113.9"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_one_ipv6_subscriber_has_one_bucket(address: str, key: str) -> None:
    assert bucket_key(address) == key


def test_rate_headers_tell_burst_window_rest_and_wait() -> None:
    allowance = Allowance(per_second=20, burst=100)
    assert rate_policy("player", allowance) == b'"player";q=100;w=5'
    assert rate_left("player", allowance, 70) == b'"player";r=70;t=2'
    assert rate_left("player", allowance, 100) == b'"player";r=100;t=0'
