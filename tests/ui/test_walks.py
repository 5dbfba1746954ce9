"""The user's walks R22 and R23 in a real browser on a real stack, and what must hold on every page."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from palio_kit.testing.waiting import eventually
from support.browser import MINUTE_MS, part, populate
from support.local_stack import LocalStack

RECORD_STATES = """chip => {
    window.states = [];
    const record = () => window.states.push(chip.dataset.state);
    new MutationObserver(record).observe(chip, { attributeFilter: ["data-state"] });
}"""
"""Some states last a quarter of a second only: polling from here would miss them."""


async def violations(page: Page, axe: str) -> list[str]:
    await page.evaluate(axe)
    found = await page.evaluate("async () => (await axe.run()).violations.map(v => `${v.id}: ${v.nodes[0].html}`)")
    return list(found)


async def test_a_first_visit_is_live_and_says_what_to_do_next(page: Page, axe: str) -> None:
    await expect(part(page, "connection-chip")).to_have_attribute("data-state", "live")
    await expect(part(page, "populate-button")).to_be_visible()
    assert await violations(page, axe) == []


async def test_populate_simulate_and_watch(page: Page) -> None:
    """R22."""
    await populate(page)
    await expect(part(page, "board-row").first).to_be_visible()
    await part(page, "simulation-button").click()
    await expect(part(page, "simulation-status")).to_have_attribute("data-state", "running")
    await feed_moves(page)
    await part(page, "simulation-button").click()
    await expect(part(page, "simulation-status")).to_have_attribute("data-state", "idle")


async def feed_moves(page: Page) -> None:
    newest = part(page, "feed-item").first
    await expect(newest).to_be_visible(timeout=30_000)
    await expect(newest).not_to_have_text(await newest.inner_text(), timeout=30_000)


async def test_a_second_populate_makes_nothing(page: Page) -> None:
    await populate(page)
    await populate(page)
    await expect(part(page, "populate-status")).to_contain_text(re.compile("already", re.IGNORECASE))


async def test_a_tournament_is_created_joined_played_and_paid(page: Page, axe: str) -> None:
    """R23."""
    await populate(page)
    await part(page, "tab-tournaments").click()
    await part(page, "create-tournament").first.click()
    await part(page, "create-name").fill("Browser cup")
    await part(page, "create-game_id").select_option("space-race")
    await part(page, "create-max_participants").fill("8")
    await part(page, "create-prize_pool").fill("1000")
    await part(page, "create-end_time").fill(await local_time(page, seconds=40))
    await part(page, "create-submit").click()
    await expect(part(page, "tournament-detail")).to_have_attribute("data-phase", "Active")

    for number in range(1, 4):
        await part(page, "join-button").click()
        await expect(part(page, "join-button")).to_have_text("Joined")
        await part(page, "submit-score").fill(str(number * 1_000))
        await part(page, "submit-button").click()
        await expect(part(page, "standings-row")).to_have_count(number)
        if number < 3:
            await part(page, "next-player").click()
    rows = await part(page, "standings-row").evaluate_all(
        "rows => rows.map(row => [Number(row.dataset.rank), Number(row.querySelector('[data-score]').dataset.score)])"
    )
    assert sorted(rows) == [[1, 3_000], [2, 2_000], [3, 1_000]]

    await expect(part(page, "tournament-detail")).to_have_attribute("data-phase", "Completed", timeout=2 * MINUTE_MS)
    await expect(part(page, "prize-row")).to_have_count(3)
    amounts = await part(page, "prize-row").evaluate_all(
        "rows => rows.map(row => Number(row.querySelector('[data-amount]').dataset.amount))"
    )
    assert sorted(amounts, reverse=True) == [500, 300, 200]
    await expect(part(page, "wallet")).to_contain_text("500")
    assert await violations(page, axe) == []


async def local_time(page: Page, *, seconds: int) -> str:
    """What a `datetime-local` field takes, in the browser's time zone."""
    offset_min: int = await page.evaluate("new Date().getTimezoneOffset()")
    moment = datetime.now(UTC) + timedelta(seconds=seconds) - timedelta(minutes=offset_min)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


async def test_a_killed_websocket_service_is_noticed_and_comes_back(page: Page, stack: LocalStack) -> None:
    chip = part(page, "connection-chip")
    await expect(chip).to_have_attribute("data-state", "live")
    await chip.evaluate(RECORD_STATES)
    await asyncio.to_thread(stack.kill, "websocket")

    async def noticed_and_back() -> bool:
        states = await page.evaluate("window.states")
        return "reconnecting" in states and states[-1] == "live"

    await eventually(noticed_and_back, within_s=30)


async def test_pause_freezes_the_board_until_it_ends(page: Page) -> None:
    await populate(page)
    await part(page, "simulation-button").click()
    await expect(part(page, "simulation-status")).to_have_attribute("data-state", "running")
    await feed_moves(page)
    await part(page, "pause-button").click()
    await expect(part(page, "pause-button")).to_have_attribute("aria-pressed", "true")
    frozen = await part(page, "board-row").all_inner_texts()
    await expect(part(page, "pause-count")).to_be_visible()
    assert await part(page, "board-row").all_inner_texts() == frozen
    await part(page, "pause-button").click()
    await part(page, "simulation-button").click()
    await expect(part(page, "simulation-status")).to_have_attribute("data-state", "idle")


async def test_ranks_on_the_page_are_the_api_s(page: Page) -> None:
    await populate(page)
    await expect(part(page, "board-row").first).to_be_visible()
    shown = await part(page, "board-row").evaluate_all(
        "rows => rows.map(row => [Number(row.dataset.rank), row.dataset.userId])"
    )
    answer = await page.request.get("/api/v1/leaderboard/global?limit=100")
    ranks = {item["user_id"]: item["rank"] for item in (await answer.json())["items"]}
    assert shown
    assert [rank for rank, user_id in shown] == [ranks[user_id] for _, user_id in shown]


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("place", ["#/live/global", "#/tournaments", "#/tournaments/new"])
async def test_every_place_is_accessible_in_both_themes(page: Page, axe: str, scheme: str, place: str) -> None:
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.goto(f"/{place}")
    await expect(part(page, "connection-chip")).to_have_attribute("data-state", "live")
    assert await violations(page, axe) == []


@pytest.mark.parametrize("place", ["#/live/global", "#/tournaments", "#/tournaments/new"])
async def test_a_phone_scrolls_one_way(page: Page, place: str) -> None:
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.goto(f"/{place}")
    await expect(part(page, "connection-chip")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_reduced_motion_moves_nothing(page: Page) -> None:
    await page.emulate_media(reduced_motion="reduce")
    await page.goto("/#/live/global")
    await expect(part(page, "connection-chip")).to_have_attribute("data-state", "live")
    assert await page.evaluate("document.getAnimations().length") == 0


async def test_a_refused_tournament_says_why_field_by_field(page: Page) -> None:
    await populate(page)
    await page.goto("/#/tournaments/new")
    await part(page, "create-name").fill("Too late")
    await part(page, "create-prize_pool").fill("-5")
    await part(page, "create-submit").click()
    await expect(part(page, "create-prize_pool-error")).to_be_visible()
