// The head of the page: how much power flows, how much may, and what it costs.

import { Bar, h, setAttribute, setData, setText, show } from "./dom.js";
import * as format from "./format.js";

const at = (id) => document.getElementById(id);

export class Site {
  constructor() {
    this.bar = new Bar(at("power-bar"), ["base", "drawn", "reserved", "limit"]);
    this.key = {};
    for (const [name, label] of [["base", "other load"], ["drawn", "charging"], ["reserved", "worst case"], ["free", "free"]]) {
      const value = h("b");
      const item = h("li", { class: name }, h("i", { "aria-hidden": "true" }), `${label} `, value);
      this.key[name] = { item, value };
      at("power-key").append(item);
    }
  }

  draw(view) {
    const { site, tally, prices } = view;
    setText(at("site-name"), site.name);
    if (document.title !== site.name) document.title = site.name;
    setText(at("site-time"), format.second(Date.parse(site.time)));
    setText(at("online"), `${site.online} of ${site.connectors} connectors online`);
    this.#power(site);
    this.#price(site, prices);
    setText(at("charging"), String(site.charging));
    setText(at("charging-of"), `of ${site.sessions} vehicles`);
    setText(at("delivered"), `${format.one(tally.delivered_kwh)} kWh`);
    setText(at("delivered-of"), `for ${format.money(tally.cost_eur)} €`);
    setText(at("tally"), tallyText(tally));
    this.#upstream(view.upstream);
  }

  #power(site) {
    const limit = site.limit_kw;
    const worst = site.worst_kw ?? site.power_kw;
    const scale = Math.max(limit ?? 0, site.power_kw, worst, 1);
    const base = Math.min(site.base_kw, site.power_kw);
    setText(at("power"), format.one(site.power_kw));
    setText(at("power-of"), limit === null ? "kW, no limit set" : `kW of ${format.one(limit)} kW`);
    this.bar.set("base", 0, base / scale);
    this.bar.set("drawn", base / scale, (site.power_kw - base) / scale);
    this.bar.set("reserved", site.power_kw / scale, (worst - site.power_kw) / scale);
    this.bar.set("limit", (limit ?? 0) / scale - 0.0001, 0);
    setData(at("power-bar"), "over", limit !== null && (site.power_kw > limit || site.shedding));
    const values = { base: site.base_kw, drawn: site.charging_kw, reserved: site.worst_kw, free: site.headroom_kw };
    for (const [name, value] of Object.entries(values)) {
      show(this.key[name].item, value !== null);
      if (value !== null) setText(this.key[name].value, `${format.one(value)} kW`);
    }
    const text = limit === null ? `${format.one(site.power_kw)} kW`
      : `${format.one(site.power_kw)} of ${format.one(limit)} kW, ${format.one(site.headroom_kw ?? limit - site.power_kw)} kW free`;
    const meter = at("power-bar");
    setAttribute(meter, "aria-valuemax", scale);
    setAttribute(meter, "aria-valuenow", site.power_kw);
    setAttribute(meter, "aria-valuetext", text);
  }

  #upstream(upstream) {
    show(at("upstream"), upstream !== null);
    if (upstream === null) return;
    setAttribute(at("upstream"), "title", upstream.url);
    setText(at("upstream-up"), upstream.away ? `${upstream.away} away` : `${upstream.up} up`);
    const counts = [["waiting", upstream.waiting], ["dropped", upstream.dropped], ["conflicts", upstream.conflicts]];
    const told = counts.filter(([, count]) => count > 0).map(([name, count]) => `${format.whole(count)} ${name}`);
    setText(at("upstream-of"), told.join(" · ") || "nothing waits");
  }

  #price(site, prices) {
    setText(at("price"), `${format.price(site.price_eur_per_kwh)} €/kWh`);
    const now = Date.parse(site.time);
    const next = prices.starts.findIndex((start) => Date.parse(start) > now);
    if (next < 0) return setText(at("price-next"), "no change known ahead");
    const value = prices.price_eur_per_kwh[next];
    const arrow = value > site.price_eur_per_kwh ? "↗" : value < site.price_eur_per_kwh ? "↘" : "→";
    return setText(at("price-next"), `${arrow} ${format.price(value)} at ${format.hour(Date.parse(prices.starts[next]))}`);
  }
}

function tallyText(tally) {
  const parts = [
    `${tally.sessions_started} sessions started, ${tally.sessions_completed} completed`,
    `${format.one(tally.delivered_kwh)} of ${format.one(tally.requested_kwh)} kWh delivered`,
    `${format.one(tally.unserved_kwh)} kWh missed at departure`,
  ];
  if (tally.refused) parts.push(`${tally.refused} inputs refused`);
  return parts.join(" · ");
}
