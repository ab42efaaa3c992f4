"""The pages in a real browser, fed by a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from panel.feed import PanelFeed
from panel.server import PanelServer, create_app
from panel.shapes import UpstreamView
from panel.view import view
from tests.panel.depot import AFTERNOON, CHARGING, NOON, Outlet, Report, report
from tests.panel.desks import KnowingDesk, detail
from tests.services import free_port, require_program
from twin_core.models.charger import ChargerIdentity, ConnectorStatus
from twin_core.models.grant import Verdict
from twin_core.models.plan import LimitReason, ReasonCode, Reasons, SessionReason
from twin_core.models.quantities import Instant

pytestmark = [pytest.mark.services, pytest.mark.asyncio(loop_scope="module")]

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 360, "height": 740}


@dataclass
class Seen:
    """A page, and everything it complained of or fetched from elsewhere."""

    page: Page
    feed: PanelFeed
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    async def texts(self, selector: str) -> list[str]:
        return await self.page.locator(selector).all_inner_texts()

    async def order(self) -> list[str]:
        """Connectors from first to last, those below the screen too, which are not laid out and have no inner text."""
        return await self.page.locator(".card h3").all_text_contents()

    async def drawn(self) -> None:
        """Wait until the page shows what was published last."""
        await until(self.page, f"document.documentElement.dataset.seq === '{self.feed.counters.published}'")

    async def show(self, made: Report) -> None:
        self.feed.publish(view(made))
        await self.drawn()


async def until(page: Page, condition: str, *, seconds: float = 10.0) -> None:
    """Wait for a condition of the page; the page's policy forbids the evaluation that `wait_for_function` does."""
    async with asyncio.timeout(seconds):
        while not await page.evaluate(condition):  # noqa: ASYNC110 - the event happens in another process
            await asyncio.sleep(0.05)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    path = require_program("chromium")
    async with async_playwright() as driver:
        found = await driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield found
        await found.close()


@asynccontextmanager
async def opened(
    chromium: Browser,
    made: Report | None = None,
    *,
    desk: KnowingDesk | None = None,
    upstream: UpstreamView | None = None,
    **context: Any,
) -> AsyncIterator[Seen]:
    """The panel of a depot, open in a browser."""
    feed = PanelFeed(send_timeout_s=5.0)
    feed.publish(view(made or report(), upstream=upstream))
    operator = None if desk is None else (desk, "key")
    options = {"viewport": DESK, "timezone_id": "Europe/Amsterdam", "locale": "en-GB", **context}
    window = await chromium.new_context(**options)
    async with PanelServer(create_app(feed, operator=operator), port=0) as server:
        page = await window.new_page()
        seen = Seen(page, feed)
        page.on("console", lambda m: seen.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(server.url) else seen.strangers.append(r.url))
        await page.goto(server.url)
        await seen.drawn()
        yield seen
        await window.close()


async def test_the_page_loads_from_the_gateway_alone_and_shows_the_depot_without_a_complaint(chromium: Browser) -> None:
    async with opened(chromium) as seen:
        await seen.page.wait_for_selector("#chart-power canvas")
        assert await seen.texts("#site-name") == ["Depot North"]
        assert await seen.texts("#power") == ["101.2"]
        assert len(await seen.texts(".card")) == sum(outlet.tag is not None for outlet in AFTERNOON)
        assert len(await seen.texts(".tile")) == sum(outlet.tag is None for outlet in AFTERNOON)
        [rogue] = await seen.texts(".card[data-id='CP-07/1']")
        assert "NOT OBEYING" in rogue
        assert "draws 20.4 A where 10 A are allowed" in rogue
        assert await seen.texts("#link") == ["live"]
        assert (seen.complaints, seen.strangers) == ([], [])


async def test_what_happens_in_the_depot_happens_on_the_page(chromium: Browser) -> None:
    start = Instant(0.0, NOON)
    before = (Outlet(CHARGING, 16, 16, "grid L1", requested_kwh=20, energy_kwh=5, leaves_h=2, tag="VAN-1"), Outlet())
    async with opened(chromium, report(before, now=start)) as seen:
        kept = await seen.page.query_selector(".card[data-id='CP-01/1']")
        await seen.show(
            report((replace(before[0], current_a=10.0, bound_by="feeder-a kW"), before[1]), now=start.later(1))
        )
        [card] = await seen.texts(".card")
        assert "6.9" in card
        assert "feeder-a is at its power limit" in card
        assert kept is not None
        assert await kept.evaluate("card => card.isConnected"), "a card is changed, not made anew"
        gone = (Outlet(), replace(before[0], tag="VAN-2"))
        await seen.show(report(gone, now=start.later(2), shedding=True))
        assert await seen.texts(".card h3") == ["CP-02/1"]
        assert await seen.texts(".tile h3") == ["CP-01/1"]
        assert "Load is being shed" in (await seen.texts("#alarms"))[0]
        await seen.show(report((*gone, Outlet(adopted=True, vendor="Stranger", model="X")), now=start.later(3)))
        assert "Stranger X (not in the site file)" in (await seen.texts(".tile"))[1]
        assert seen.feed.counters.resyncs == 0
        assert seen.complaints == []


async def test_the_page_says_why_the_plan_is_as_it_is(chromium: Browser) -> None:
    plain = report()
    plan = plain.snapshot.plan
    assert plan is not None
    price = np.zeros(plan.horizon.n_steps)
    price[4:10] = 0.125
    limits = (LimitReason("grid L1", 1.5, price, 3.0), LimitReason("feeder-a kW", 0.5, price, 1.0))
    bus = next(name for name in plan.session_ids if name.startswith("CP-04"))
    sessions = [SessionReason(name, ReasonCode.LIMITED, "", "grid L1", 0.2) for name in plan.session_ids]
    made = report(plan=replace(plan, reasons=Reasons(tuple(sessions), limits)))
    made = replace(made, counted_until={bus: made.snapshot.now.utc + timedelta(hours=2)})
    async with opened(chromium, made) as seen:
        [why] = await seen.texts("#plan-why")
        assert "grid L1 (1 h 30 min from 17:24, up to 0.125 € for one more A an hour); feeder-a kW" in why
        assert "1 vehicle goes short, fairness" in why
        [card] = await seen.texts(".card[data-id='CP-04/1']")
        assert "grid is full on L1" in card
        assert "counted on until 18:24" in card
        await seen.show(report(plan=replace(plan, unserved_kwh=np.zeros(len(plan.session_ids)))))
        assert await seen.page.locator("#plan-why").is_hidden()
        assert seen.complaints == []


MARKUP = '<img src=x onerror="document.body.dataset.owned=1"><script>document.body.dataset.owned=2</script>'


async def test_markup_in_anything_a_stranger_may_choose_stays_text(chromium: Browser) -> None:
    outlet = Outlet(ConnectorStatus.FAULTED, 5, 10, MARKUP, Verdict.OBEYED, 20, 3, 0.5, 2.0, MARKUP, error=MARKUP)
    made = report((outlet, replace(outlet, tag=None, vendor=MARKUP, model=MARKUP)))
    chargers = tuple(replace(c, identity=ChargerIdentity(MARKUP, MARKUP)) for c in made.snapshot.chargers)
    site = replace(made.snapshot.site, name=MARKUP)
    async with opened(chromium, replace(made, snapshot=replace(made.snapshot, chargers=chargers, site=site))) as seen:
        body = (await seen.texts("body"))[0]
        assert body.count(MARKUP) >= 5
        assert await seen.page.locator("img").count() == 0
        assert await seen.page.locator("script:not([src='js/main.js'])").count() == 0
        assert await seen.page.evaluate("document.body.dataset.owned") is None
        assert seen.complaints == []


async def test_a_press_on_its_name_tells_all_of_a_charger_and_it_is_kept_up_to_date(chromium: Browser) -> None:
    desk = KnowingDesk({"CP-01": detail("CP-01", MARKUP)})
    async with opened(chromium, desk=desk) as seen:
        page = seen.page
        await page.get_by_role("button", name="CP-01/1").focus()
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".learned")
        [about] = await seen.texts("#charger")
        assert about.count(MARKUP) == 8
        assert "Installed, 1 Jun 2026, 14:00" in about
        assert "cannot be paused, only kept at 8 A" in about
        assert "seen at CP-02 of the same model, not here yet: drew more" in about
        assert "12 waiting · 7 delivered" in about
        assert "16 A granted; the upstream's counts" in about
        assert "upstream-silent 3" in about
        assert await page.locator("img").count() == 0
        assert await page.evaluate(CONTRAST) == []
        desk.details["CP-01"] = detail("CP-01", "changed").model_copy(update={"learned": ()})
        await until(page, "charger.textContent.includes('nothing yet')")
        await page.keyboard.press("Escape")
        assert not await page.locator("#charger").is_visible()
        await page.get_by_role("button", name="CP-02/1").click()
        await until(page, "charger.textContent.includes(\"no charger is called 'CP-02' here\")")
        assert [line for line in seen.complaints if "404" not in line] == []


async def test_an_upstream_is_shown_where_there_is_one(chromium: Browser) -> None:
    upstream = UpstreamView(url="wss://billing.example/ocpp", up=3, away=0, waiting=1200, dropped=0, conflicts=5)
    async with opened(chromium, upstream=upstream) as seen:
        assert await seen.texts("#upstream") == ["Upstream\n3 up\n1,200 waiting · 5 conflicts"]
        away = upstream.model_copy(update={"away": 2, "conflicts": 0, "waiting": 0})
        seen.feed.publish(view(report(), upstream=away))
        await seen.drawn()
        assert await seen.texts("#upstream") == ["Upstream\n2 away\nnothing waits"]
        await seen.show(report())
        assert await seen.page.locator("#upstream").is_hidden()


async def test_a_lost_gateway_is_told_with_the_age_of_what_is_shown_and_its_return_heals_the_page(
    chromium: Browser,
) -> None:
    port = free_port()
    feed = PanelFeed()
    feed.publish(view(report()))
    page = await (await chromium.new_context(viewport=DESK)).new_page()
    async with PanelServer(create_app(feed), port=port) as server:
        await page.goto(server.url)
        await page.wait_for_selector(".card")
        assert await page.locator("#banner").is_hidden()
    await until(page, "/Connection lost – last update [0-9]+ s ago/.test(banner.textContent)")
    assert await page.locator("#banner").is_visible()
    feed.publish(view(report((Outlet(),))))
    async with PanelServer(create_app(feed), port=port):
        await until(page, "document.querySelectorAll('.tile').length === 1")
        assert await page.locator("#banner").is_hidden()
        await page.context.close()


async def test_a_gap_in_the_deltas_is_noticed_and_healed_by_a_snapshot(chromium: Browser) -> None:
    async with opened(chromium) as seen:
        seen.feed._seq += 5  # as if messages were lost on the way
        seen.feed.publish(view(report((Outlet(),))))
        await until(seen.page, "document.querySelectorAll('.tile').length === 1")
        assert seen.feed.counters.resyncs == 1


async def test_on_a_phone_nothing_is_wider_than_the_screen(chromium: Browser) -> None:
    long = Outlet(CHARGING, 16, 16, "a-very-long-feeder-name-without-any-space L1", tag="04:A2:19:7F:04:A2:19:7F:77:1")
    async with opened(chromium, report((*AFTERNOON, long)), viewport=PHONE, is_mobile=True, has_touch=True) as seen:
        await seen.page.wait_for_selector("#chart-power canvas")
        assert await seen.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        wide = "[...document.querySelectorAll('main *, header *')].filter(e => e.getBoundingClientRect().right > 361)"
        assert await seen.page.evaluate(f"{wide}.map(e => e.className || e.tagName)") == []


async def test_filters_order_and_search_work_from_the_keyboard(chromium: Browser) -> None:
    async with opened(chromium) as seen:
        page = seen.page
        await page.get_by_role("button", name="Attention").focus()
        await page.keyboard.press("Enter")
        assert await seen.order() == ["CP-07/1", "CP-11/1"]
        assert await page.get_by_role("button", name="Attention").get_attribute("aria-pressed") == "true"
        await page.get_by_role("button", name="All 16").click()
        await page.get_by_label("Order").select_option("departure")
        assert (await seen.order())[:3] == ["CP-01/1", "CP-03/1", "CP-02/1"]
        await page.get_by_label("Find").fill("bus-")
        assert await seen.order() == ["CP-04/1", "CP-16/1"]
        await page.get_by_label("Find").fill("nobody")
        assert await page.get_by_text("No connector matches.").is_visible()


CONTRAST = """() => {
  const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = new Set();
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.closest("[hidden], noscript, .skip, .level")) continue;
    const [one, two] = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (two + 0.05);
    if (ratio < 4.5) poor.add(`${element.className || element.tagName} ${ratio.toFixed(2)}`);
  }
  return [...poor];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_is_readable_and_every_meter_is_named(chromium: Browser, scheme: str) -> None:
    async with opened(chromium, color_scheme=scheme) as seen:
        assert await seen.page.evaluate(CONTRAST) == []
        meters = "[...document.querySelectorAll('[role=meter]')]"
        assert await seen.page.evaluate(f"{meters}.every(m => m.ariaLabel && m.ariaValueText && m.ariaValueNow)")


FRAME_COST = """async () => {
  const tasks = [];
  const note = (list) => tasks.push(...list.getEntries().map((entry) => entry.duration));
  new PerformanceObserver(note).observe({ type: "longtask" });
  await new Promise((resolve) => setTimeout(resolve, 4000));
  return tasks;
}"""


async def test_a_thousand_connectors_do_not_choke_the_page(chromium: Browser) -> None:
    start = Instant(0.0, NOON)
    async with opened(chromium, report(AFTERNOON * 63, now=start, limit_a=15000)) as seen:

        async def live() -> None:
            for number in range(1, 60):
                moving = tuple(replace(o, current_a=o.current_a * (0.5 + number % 7 / 14)) for o in AFTERNOON)
                seen.feed.publish(view(report(moving * 63, now=start.later(number), limit_a=15000)))
                await asyncio.sleep(0.5)

        feeding = asyncio.create_task(live())
        long_tasks = await seen.page.evaluate(FRAME_COST)
        feeding.cancel()
        assert seen.complaints == []
        print("long tasks (ms):", long_tasks)
        assert sum(long_tasks) < 2500, long_tasks
        assert seen.feed.counters.dropped == 0
