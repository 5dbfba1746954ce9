"""The report of a run, opened from disk as somebody would who got it by mail."""

from pathlib import Path

from playwright.async_api import async_playwright, expect

from palio_generator.load.page import page
from support.load_reports import report, second


async def test_a_report_opens_from_disk_without_asking_anybody_for_anything(chromium: str, tmp_path: Path) -> None:
    file = tmp_path / "run.html"
    file.write_text(page(report(), [second(number) for number in range(30)]), encoding="utf-8")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = await browser.new_page()
        complaints: list[str] = []
        asked: list[str] = []
        opened.on("console", lambda said: complaints.append(said.text))
        opened.on("request", lambda request: asked.append(request.url))
        await opened.goto(file.as_uri())
        await expect(opened.get_by_role("heading", level=1)).to_contain_text("Passed")
        await expect(opened.get_by_role("img", name="Answers per second")).to_be_visible()
        await expect(opened.get_by_role("cell", name="POST /api/v1/scores").first).to_be_visible()
        await browser.close()
    assert (asked, complaints) == ([file.as_uri()], [])
