"""Reading boards in batches: many reads in, one round trip to Redis, one look-up of names, bytes out.

Reads of ranks on one board become one script call, equal reads are answered once, and the bytes of first pages are
kept until the board's version changes.
"""

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from palio_kit import tracing
from palio_kit.erasures import Erased
from palio_kit.problems import FieldError, Invalid, Problem, Unavailable
from palio_leaderboard import domain, metrics, rendering
from palio_leaderboard.domain import (
    AroundQuery,
    Found,
    Later,
    PageQuery,
    Placed,
    Ranks,
    RanksQuery,
    Rules,
    Slice,
    Unchanged,
)
from palio_leaderboard.errors import AskAgain, NotRanked
from palio_leaderboard.finding import Finder
from palio_leaderboard.models import Place, Read, Top
from palio_leaderboard.names import Boards, Usernames
from palio_leaderboard.rendering import Names

Reply = tuple[int, bytes, str]
"""Status, body, ETag (empty for problems)."""

PackedTop = tuple[str, int, str, str, Sequence[rendering.PackedRow], int] | None
"""As architecture.md, section 5; None if there is nothing new to tell."""

_OK, _NOT_MODIFIED = 200, 304
_NO_BOARD: PackedTop = ("", 0, "desc", "earliest", (), 0)
_PAGES_MAX = 256


@dataclass(frozen=True, slots=True)
class _Page:
    """The bytes of a first page and what they were made from."""

    epoch: str
    version: int
    body: bytes
    etag: str
    fresh_until: float


@dataclass(frozen=True, slots=True)
class _RowsRead:
    """A read of rows: what is asked, and the page to answer with if that has not changed."""

    read: Read
    query: PageQuery | AroundQuery
    page: _Page | None = None


class Reads:
    """The use cases: batches of public reads, first rows for the live stream, places for statistics."""

    def __init__(self, boards: Boards, usernames: Usernames, finder: Finder) -> None:
        self._boards = boards
        self._usernames = usernames
        self._finder = finder
        self._pages: OrderedDict[tuple[str, int], _Page] = OrderedDict()

    async def answer(self, reads: Sequence[Read]) -> list[Reply]:
        """Answer each read, in order; a problem with one is its own answer."""
        distinct = dict.fromkeys(reads)
        rules = await self._boards.rules_of(read.board for read in distinct)
        replies: dict[Read, Reply] = {}
        ranks, rows = self._sort_out(distinct, rules, replies)
        found = await self._finder.find([*(query for query, _ in ranks), *(part.query for part in rows)])
        names = await self._usernames.of(_users(found))
        for (query, members), answer in zip(ranks, found, strict=False):
            replies |= _rank_replies(query, members, answer, names)
        for part, answer in zip(rows, found[len(ranks) :], strict=True):
            replies[part.read] = self._rows_reply(part, answer, names)
        return [replies[read] for read in reads]

    async def tops(self, asked: Sequence[Top]) -> list[PackedTop]:
        """First rows of boards that changed since the version the caller knows."""
        rules = await self._boards.rules_of(top.board for top in asked)
        queries = {top: _top_query(top, rule) for top in asked if isinstance(rule := rules[top.board], Rules)}
        found = await self._finder.find(list(queries.values()))
        names = await self._usernames.of(_users(found))
        packed = {
            top: _packed(query, answer, names)
            for (top, query), answer in zip(queries.items(), found, strict=True)
        }  # fmt: skip
        return [packed[top] if top in packed else _untold(rules[top.board]) for top in asked]

    async def places(self, user: bytes, boards: Sequence[str]) -> dict[str, Place | None]:
        """A player's place on each board; None without one.

        Raises:
            Unavailable: a board could not be read.
        """
        known = await self._boards.rules_of(boards)
        queries = [RanksQuery(board, rule, (user,)) for board, rule in known.items() if isinstance(rule, Rules)]
        places: dict[str, Place | None] = dict.fromkeys(boards)
        for query, answer in zip(queries, await self._finder.find(queries), strict=True):
            if isinstance(answer, Problem):
                raise answer
            places[query.board] = _place(query, answer)
        return places

    def forget(self, erased: Erased) -> list[UUID]:
        """Show these users by no name that was kept; those who had one here."""
        named = self._usernames.forget(erased)
        if named:
            self._pages.clear()
        return named

    def _sort_out(
        self, reads: Iterable[Read], rules: "Mapping[str, Rules | Problem]", replies: dict[Read, Reply]
    ) -> tuple[list[tuple[RanksQuery, list[Read]]], list[_RowsRead]]:
        """Ranks by board, and reads of rows; those that cannot be asked are answered at once."""
        ranks: dict[str, dict[Read, bytes]] = {}
        rows: list[_RowsRead] = []
        for read in reads:
            try:
                rule = _rules_or_problem(rules[read.board])
                if read.kind == "rank":
                    ranks.setdefault(read.board, {})[read] = _user_of(read)
                else:
                    rows.append(self._rows_read(read, rule))
            except Problem as problem:
                replies[read] = _refusal(problem)
        grouped = [
            (RanksQuery(board, _rules_or_problem(rules[board]), tuple(members.values())), list(members))
            for board, members in ranks.items()
        ]
        return grouped, rows

    def _rows_read(self, read: Read, rules: Rules) -> _RowsRead:
        if read.kind == "around":
            radius = _size(read, domain.RADIUS_DEFAULT, domain.RADIUS_MAX)
            return _RowsRead(read, AroundQuery(read.board, rules, _user_of(read), radius))
        limit = _size(read, domain.PAGE_DEFAULT, domain.PAGE_MAX)
        if read.cursor is not None:
            return _RowsRead(read, PageQuery(read.board, rules, limit, domain.standing_at(read.cursor)))
        query = PageQuery(read.board, rules, limit)
        page = self._pages.get((read.board, limit))
        if page is None or page.fresh_until < time.monotonic():
            return _RowsRead(read, query)
        return _RowsRead(read, replace(query, known=(page.epoch, page.version)), page)

    def _rows_reply(self, part: _RowsRead, found: Found | Problem, names: Names) -> Reply:
        if isinstance(found, Problem):
            return _refusal(found)
        if part.page is not None and _is_at(found, part.page):
            metrics.PAGE_CACHE.labels("hit").inc()
            return _fresh_or_known(part.read, part.page.body, part.page.etag)
        assert isinstance(found, Slice)
        query = part.query
        if isinstance(query, AroundQuery):
            if not found.rows:
                return _refusal(NotRanked())
            body = rendering.around_body(query.board, query.rules, found, names)
        else:
            body = rendering.page_body(query.board, query.rules, found, names)
        etag = rendering.etag_of(query.board, found.epoch, found.version, body)
        if isinstance(query, PageQuery) and query.after is None:
            self._keep(query, found, body, etag, names)
        return _fresh_or_known(part.read, body, etag)

    def _keep(self, query: PageQuery, found: Slice, body: bytes, etag: str, names: Names) -> None:
        metrics.PAGE_CACHE.labels("miss").inc()
        fresh_until = min((names[row.user_id].fresh_until for row in found.rows), default=float("inf"))
        self._pages[query.board, query.limit] = _Page(found.epoch, found.version, body, etag, fresh_until)
        self._pages.move_to_end((query.board, query.limit))
        if len(self._pages) > _PAGES_MAX:
            self._pages.popitem(last=False)


def _rank_replies(
    query: RanksQuery, members: Sequence[Read], found: Found | Problem, names: Names
) -> dict[Read, Reply]:
    if isinstance(found, Problem):
        return dict.fromkeys(members, _refusal(found))
    assert isinstance(found, Ranks)
    board, rules, epoch = query.board, query.rules, found.epoch
    heads = {moment: rendering.head(board, rules, epoch, moment) for moment in set(found.moments)}
    replies: dict[Read, Reply] = {}
    for read, moment, place in zip(members, found.moments, found.places, strict=True):
        if isinstance(place, Placed):
            body = rendering.rank_body(heads[moment], rules, place, names)
            replies[read] = _fresh_or_known(read, body, rendering.etag_of(board, epoch, moment.version, body))
        else:
            replies[read] = _refusal(NotRanked() if place is None else AskAgain())
    return replies


def _fresh_or_known(read: Read, body: bytes, etag: str) -> Reply:
    return (_NOT_MODIFIED, b"", etag) if domain.etag_matches(read.if_none_match, etag) else (_OK, body, etag)


def _refusal(problem: Problem) -> Reply:
    return problem.status, problem.body(tracing.current().trace_id), ""


def _rules_or_problem(known: "Rules | Problem") -> Rules:
    if isinstance(known, Problem):
        raise known
    return known


def _user_of(read: Read) -> bytes:
    user = domain.user_key(read.user_id) if read.user_id is not None else None
    if user is None:
        raise Invalid(errors=[FieldError("/path/user_id", "must be a UUID in lower case")])
    return user


def _size(read: Read, default: int, maximum: int) -> int:
    if not 0 <= read.size <= maximum:
        name = "limit" if read.kind == "page" else "radius"
        raise Invalid(errors=[FieldError(f"/query/{name}", f"must be from 1 to {maximum}")])
    return read.size or default


def _is_at(found: Found, page: _Page) -> bool:
    return isinstance(found, Unchanged) or (
        isinstance(found, Slice) and (found.epoch, found.version) == (page.epoch, page.version)
    )


def _users(found: Iterable[Found | Problem]) -> set[bytes]:
    users: set[bytes] = set()
    for answer in found:
        if isinstance(answer, Slice):
            users.update(row.user_id for row in answer.rows)
        elif isinstance(answer, Ranks):
            users.update(place.standing.user_id for place in answer.places if isinstance(place, Placed))
    return users


def _place(query: RanksQuery, found: Found) -> Place | None:
    assert isinstance(found, Ranks)
    (placed,) = found.places
    if placed is Later.LATER:
        raise AskAgain
    return None if placed is None else Place(score=placed.standing.score, rank=domain.rank_of(query.rules, placed))


def _top_query(top: Top, rules: Rules) -> PageQuery:
    limit = max(1, min(top.limit, domain.PAGE_MAX))
    return PageQuery(top.board, rules, limit, known=(top.known_epoch, top.known_version))


def _packed(query: PageQuery, found: Found | Problem, names: Names) -> PackedTop:
    """Rows if they are news; None also for what cannot be read now: the caller asks again anyway."""
    if not isinstance(found, Slice) or (found.epoch, found.version) == query.known:
        return None
    rows = rendering.packed_rows(query.rules, found, names)
    return found.epoch, found.version, query.rules.order, query.rules.ties, rows, found.total


def _untold(why: "Rules | Problem") -> PackedTop:
    return None if isinstance(why, Unavailable) else _NO_BOARD
