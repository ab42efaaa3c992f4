// Site power and price: what was, left of now; what is planned, right of it.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { h, setAttribute, setText, show } from "./dom.js";
import * as format from "./format.js";
import { powerRows, priceRows, windowOf } from "./rows.js";

const PRICE_HEIGHT = 92;
const AXIS_WIDTH = 74;
const SYNC = "depot";
const KEY = [["drawn", "charging"], ["base", "other load"], ["planned", "planned"], ["limit", "limit"], ["price", "price"]];

export class Chart {
  constructor() {
    this.places = { power: byId("chart-power"), price: byId("chart-price") };
    this.history = { time_s: [], columns: {} };
    this.view = null;
    this.plots = null;
    for (const [name, label] of KEY) byId("chart-key").append(h("li", { class: name }, h("i", { "aria-hidden": "true" }), label));
    new ResizeObserver(() => this.#resize()).observe(this.places.power);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#rebuild());
  }

  /** What was, from the gateway; `live` rows come after it. */
  remember(history) {
    this.history = history;
  }

  draw(view) {
    this.view = view;
    const power = powerRows(view, this.history);
    const prices = priceRows(view, this.history);
    this.range = windowOf(view, this.history);
    if (this.plots === null) this.#build(power, prices);
    else {
      this.plots.power.setData(power);
      this.plots.price.setData(prices);
    }
    this.#say();
  }

  #build(power, prices) {
    const colours = palette();
    const { clientWidth: width, clientHeight: height } = this.places.power;
    const now = () => Date.parse(this.view.site.time) / 1000;
    const shared = { width, range: () => this.range, colours, now, onCursor: (plot) => this.#read(plot) };
    this.plots = {
      power: new uPlot(powerOptions(shared, height, () => this.view), power, this.places.power),
      price: new uPlot(priceOptions(shared), prices, this.places.price),
    };
  }

  #rebuild() {
    if (this.plots === null) return;
    for (const plot of Object.values(this.plots)) plot.destroy();
    this.plots = null;
    this.draw(this.view);
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.places.power;
    if (this.plots === null || width === 0) return;
    this.plots.power.setSize({ width, height });
    this.plots.price.setSize({ width, height: PRICE_HEIGHT });
  }

  /** The values under the pointer, in words. */
  #read(plot) {
    const index = plot.cursor.idx;
    if (index === null || index === undefined || plot !== this.plots?.power) return;
    const [time, total, base, planned, , limit] = plot.data.map((column) => column[index]);
    const parts = [format.hour(time * 1000)];
    if (total != null) parts.push(`${format.one(total)} kW, of which ${format.one(Math.max(0, total - (base ?? 0)))} charging`);
    else if (planned != null) parts.push(`${format.one(planned)} kW planned`);
    if (limit != null) parts.push(`limit ${format.one(limit)} kW`);
    setText(byId("readout"), parts.join(" · "));
  }

  #say() {
    const { site, plan } = this.view;
    setText(byId("plan"), planText(this.view));
    setText(byId("plan-why"), whyText(this.view));
    show(byId("plan-why"), byId("plan-why").textContent !== "");
    const peak = plan === null ? "" : `; planned peak ${format.one(Math.max(0, ...plan.planned_kw) + site.base_kw)} kW`;
    setAttribute(this.places.power, "aria-label", `Site power over time: now ${format.one(site.power_kw)} kW${peak}`);
    setAttribute(this.places.price, "aria-label", `Price over time: now ${format.price(site.price_eur_per_kwh)} euro per kWh`);
  }
}

function planText({ plan, site }) {
  if (plan === null) return "No plan yet.";
  const age = plan.made_at === null ? "" : `, ${format.duration(Date.parse(site.time) - Date.parse(plan.made_at))} old`;
  const status = plan.status === "fallback" ? "fallback rule" : plan.status;
  const missed = plan.unserved_kwh >= 0.05 ? ` · ${format.one(plan.unserved_kwh)} kWh will be missed` : "";
  return `Plan: ${plan.planner} (${status}${age}, solved in ${format.whole(plan.solve_s * 1000)} ms)${missed}`;
}

/** Which limits the plan fills, and how evenly it serves, in one line; empty where nothing binds. */
function whyText({ plan }) {
  if (plan === null || (plan.limits.length === 0 && plan.short === 0)) return "";
  const limits = plan.limits.map((limit) => {
    const price = limit.price_eur >= 0.001 ? `, up to ${limit.price_eur.toFixed(3)} € for one more ${limit.unit} an hour` : "";
    return `${limit.name} (${format.duration(limit.bound_h * 3_600_000)} from ${format.hour(Date.parse(limit.starts))}${price})`;
  });
  if (plan.more_limits > 0) limits.push(`${plan.more_limits} more`);
  const parts = limits.length ? [`Full in the plan: ${limits.join("; ")}`] : [];
  if (plan.short > 0) {
    const even = plan.fairness === null ? "" : `, fairness ${plan.fairness.toFixed(2)}`;
    parts.push(`${plan.short} ${plan.short === 1 ? "vehicle goes" : "vehicles go"} short${even}`);
  }
  return parts.join(" · ");
}

function powerOptions(shared, height, view) {
  const { colours } = shared;
  const steps = uPlot.paths.stepped({ align: 1 });
  return {
    ...frame(shared, height),
    scales: { x: xScale(shared), y: { range: (_, __, max) => [0, Math.max(max, view().site.limit_kw ?? 0, 1) * 1.08] } },
    series: [
      {},
      { stroke: colours.drawn, fill: colours.drawnFill, width: 1.5, points: { show: false } },
      { stroke: colours.base, fill: colours.baseFill, width: 1, points: { show: false } },
      { stroke: colours.drawn, fill: colours.plannedFill, width: 1.5, dash: [4, 3], paths: steps, points: { show: false } },
      { fill: colours.baseAheadFill, width: 0, paths: steps, points: { show: false } },
      { stroke: colours.limit, width: 1.5, dash: [7, 4], points: { show: false } },
    ],
    axes: [{ ...axis(colours), values: hours, size: 26 }, { ...axis(colours), size: AXIS_WIDTH, values: (_, ticks) => ticks.map((v) => `${format.whole(v)} kW`) }],
  };
}

function priceOptions(shared) {
  const { colours } = shared;
  return {
    ...frame(shared, PRICE_HEIGHT),
    scales: { x: xScale(shared), y: { range: (_, min, max) => [Math.min(0, min ?? 0), Math.max(0.05, (max ?? 0) * 1.15)] } },
    series: [{}, { stroke: colours.price, fill: colours.priceFill, width: 1.5, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } }],
    axes: [
      { ...axis(colours), show: false },
      { ...axis(colours), size: AXIS_WIDTH, space: 26, values: (_, ticks) => ticks.map((v) => `${v.toFixed(2)} €`) },
    ],
  };
}

/** What both plots share: no legend of uPlot's own, one cursor, a line at now. */
function frame({ width, colours, now, onCursor }, height) {
  return {
    width,
    height,
    padding: [10, 12, 6, 0],
    legend: { show: false },
    cursor: { sync: { key: SYNC }, drag: { x: false, y: false }, y: false, points: { show: false } },
    hooks: { draw: [(plot) => drawNow(plot, now(), colours)], setCursor: [onCursor] },
  };
}

function drawNow(plot, now, colours) {
  const { ctx, bbox } = plot;
  const x = Math.round(plot.valToPos(now, "x", true)) + 0.5;
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  ctx.save();
  ctx.strokeStyle = colours.text;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  if (bbox.height > 150 * devicePixelRatio) {
    ctx.fillStyle = colours.text;
    ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    ctx.fillText("now", x + 5 * devicePixelRatio, bbox.top);
  }
  ctx.restore();
}

const xScale = ({ range }) => ({ time: true, range: () => range() });
const hours = (_, ticks) => ticks.map((tick) => format.hour(tick * 1000));

function axis(colours) {
  return {
    stroke: colours.muted,
    font: "12px system-ui, sans-serif",
    grid: { stroke: colours.grid, width: 1 },
    ticks: { show: false },
    gap: 6,
  };
}

/** The page's colours, as the canvas needs them. */
function palette() {
  const style = getComputedStyle(document.documentElement);
  const names = ["drawn", "drawn-fill", "planned-fill", "base", "base-fill", "base-ahead-fill", "limit", "price", "price-fill", "grid", "text", "muted"];
  return Object.fromEntries(names.map((name) => [name.replace(/-(\w)/g, (_, c) => c.toUpperCase()), style.getPropertyValue(`--${name}`).trim()]));
}

function byId(id) {
  return document.getElementById(id);
}
