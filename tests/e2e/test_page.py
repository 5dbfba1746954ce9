"""A person at the page and one at kubectl see the same: a tournament opens, ranks move, it ends, prizes are paid."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Locator, Page, expect

from palio_generator.domain import DEMO_PASSWORD
from palio_kit.testing.waiting import eventually
from support.browser import MINUTE_MS, chromium_program, opened, part, populate
from support.deployed import Deployed, Player, Tournament

LASTS_S = 40
FOLLOW = """([url, channel]) => {
    window.frames = [];
    const socket = new WebSocket(url);
    socket.onopen = () => socket.send(JSON.stringify({ type: "subscribe", channels: [channel] }));
    socket.onmessage = ({ data }) => window.frames.push(JSON.parse(data));
}"""
"""The browser's own socket on the websocket service's port: the page itself uses the gateway's."""


@pytest.fixture
async def page(palio: Deployed, ui: str) -> AsyncIterator[Page]:
    async with opened(ui, chromium_program()) as page:
        yield page


async def acting(page: Page, palio: Deployed) -> Player:
    """The demo user that the page plays as, signed in over REST."""
    account = {"username": await part(page, "play-as").input_value(), "password": DEMO_PASSWORD}
    answer = await asyncio.to_thread(palio.call, "POST", "/api/v1/users/login", account)
    return Player(answer["user"]["id"], answer["access_token"])


async def submit(page: Page, score: int) -> None:
    await part(page, "submit-score").fill(str(score))
    await part(page, "submit-button").click()


async def expect_ranks(page: Page, *user_ids: str) -> None:
    """The standings on the page come to be in this order; nobody loads it anew."""
    rows = part(page, "standings-row")
    for rank, user_id in enumerate(user_ids, start=1):
        row = rows.and_(page.locator(f"[data-user-id='{user_id}']"))
        await expect(row).to_have_attribute("data-rank", str(rank))
    await expect(rows).to_have_count(len(user_ids))


def item(page: Page, cup: Tournament) -> Locator:
    return part(page, "tournament-item").and_(page.locator(f"[data-tournament-id='{cup.uid}']"))


async def expect_heard(page: Page, scores: dict[str, int]) -> None:
    """The socket on the websocket service's port comes to tell these scores."""

    async def heard() -> bool:
        rows = await page.evaluate("window.frames.flatMap(frame => frame.rows ?? [])")
        assert {row["user_id"]: row["score"] for row in rows} == scores
        return True

    await eventually(heard)


async def expect_paid(page: Page, palio: Deployed, cup: Tournament, winner: Player) -> None:
    """Prizes and the winner's wallet are on the page as REST tells them."""
    told = (await asyncio.to_thread(palio.call, "GET", f"/api/v1/tournaments/{cup.uid}/prizes"))["items"]
    await expect(part(page, "prize-row")).to_have_count(len(told))
    shown = await part(page, "prize-row").evaluate_all(
        "rows => rows.map(row => [row.dataset.userId, Number(row.querySelector('[data-amount]').dataset.amount)])"
    )
    assert shown == [[prize["user_id"], prize["amount"]] for prize in told]
    (balance,) = (await asyncio.to_thread(palio.call, "GET", "/api/v1/wallet", token=winner.token))["balances"]
    await expect(part(page, "wallet")).to_contain_text(re.compile(rf"\b{balance['amount']:,} {balance['currency']}\."))


async def test_page_kubectl_and_rest_agree_on_a_tournament(page: Page, palio: Deployed) -> None:
    await populate(page)
    await expect(part(page, "connection-chip")).to_have_attribute("data-state", "live")
    await part(page, "tab-tournaments").click()
    cup = await asyncio.to_thread(lambda: palio.tournament(lasts_s=LASTS_S, displayName="Kubectl Cup"))
    await expect(item(page, cup)).to_have_attribute("data-phase", "Active")
    await page.evaluate(FOLLOW, [palio.stream, f"leaderboard:tournament:{cup.uid}"])

    await item(page, cup).click()
    await part(page, "join-button").click()
    await expect(part(page, "join-button")).to_have_text("Joined")
    me, (rival,) = await acting(page, palio), await asyncio.to_thread(palio.players, 1)
    await submit(page, 500)
    await expect_ranks(page, me.id)
    await asyncio.to_thread(palio.play, cup, [rival])
    await expect_ranks(page, rival.id, me.id)
    await submit(page, 2000)
    await expect_ranks(page, me.id, rival.id)
    await expect_heard(page, {me.id: 2000, rival.id: 1000})

    await expect(part(page, "tournament-detail")).to_have_attribute("data-phase", "Completed", timeout=2 * MINUTE_MS)
    await expect(item(page, cup)).to_have_attribute("data-phase", "Completed")
    await expect_paid(page, palio, cup, me)
    await asyncio.to_thread(palio.wait_for, cup, phase="Completed", Succeeded="True/Completed")
    assert await asyncio.to_thread(palio.paid, cup) == [50, 30]
    await asyncio.to_thread(palio.delete, cup)
