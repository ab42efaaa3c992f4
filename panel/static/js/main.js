// Wires the socket to the page: messages change the model, and once a frame the parts that changed are drawn.

import { Alarms } from "./alarms.js";
import { ChargerDialog } from "./charger.js";
import { Chart } from "./chart.js";
import { Connection } from "./connection.js";
import { Connectors } from "./connectors.js";
import { setData, setText, show } from "./dom.js";
import { duration } from "./format.js";
import { Model } from "./model.js";
import { withNow } from "./rows.js";
import { Site } from "./site.js";
import { Tree } from "./tree.js";

const CHART_EVERY_MS = 1000;
const GAP_S = 60;

const model = new Model();
const parts = { site: new Site(), alarms: new Alarms(), tree: new Tree(), connectors: new Connectors(), chart: new Chart() };
let history = { time_s: [], columns: {} };
let waiting = null;
let minute = null;
let chartAt = -Infinity;

function onMessage(message) {
  const changed = model.take(message);
  if (changed === null) return connection.resync();
  if (message.type === "snapshot" && isOld(history)) remember();
  else history = withNow(history, model.view.site);
  if (waiting === null) requestAnimationFrame(draw);
  waiting = waiting === null ? changed : merged(waiting, changed);
  return undefined;
}

function merged(one, two) {
  const both = {};
  for (const [part, value] of Object.entries(one)) {
    if (!(value instanceof Set) || !(two[part] instanceof Set)) both[part] = value === "all" || two[part] === "all" ? "all" : value || two[part];
    else both[part] = new Set([...value, ...two[part]]);
  }
  return both;
}

function draw(frame) {
  const changed = waiting;
  const { view } = model;
  waiting = null;
  if (changed.site || changed.tally || changed.prices || changed.upstream) parts.site.draw(view);
  if (changed.alarms) parts.alarms.draw(view.alarms);
  if (changed.site || changed.nodes === "all" || changed.nodes.size) parts.tree.draw(view);
  // Countdowns and ages go on by the minute even where nothing else happens.
  const thisMinute = Math.floor(Date.parse(view.site.time) / 60_000);
  const connectors = thisMinute === minute ? changed.connectors : "all";
  minute = thisMinute;
  if (connectors === "all" || connectors.size) parts.connectors.draw(view, model, connectors);
  if (changed.plan || frame - chartAt >= CHART_EVERY_MS) {
    chartAt = frame;
    parts.chart.draw(view);
  }
  parts.chart.remember(history);
  document.documentElement.dataset.seq = model.seq;
}

/** Whether more than a little is missing between the last row and now. */
function isOld({ time_s }) {
  const missing = Date.parse(model.view.site.time) / 1000 - (time_s.at(-1) ?? -Infinity);
  return !(missing >= 0 && missing < GAP_S);
}

/** Fetch what was before this page was opened, or while it was cut off. */
async function remember() {
  try {
    const answer = await fetch("api/history?measurement=site");
    if (!answer.ok) throw new Error(`history answered ${answer.status}`);
    history = await answer.json();
  } catch (error) {
    console.warn("no history:", error.message);
  }
  chartAt = -Infinity;
  parts.chart.remember(history);
  if (model.view) parts.chart.draw(model.view);
}

const dialog = new ChargerDialog();
document.getElementById("connectors").addEventListener("click", (event) => {
  const name = event.target.closest("button.name");
  if (name) dialog.open(model.byId.connectors.get(name.textContent).charger);
});

const LINK_WORDS = { wait: "connecting", live: "live", quiet: "silent", lost: "lost" };

function onState({ link, silentMs }) {
  const banner = document.getElementById("banner");
  const lost = link === "lost" || link === "quiet";
  setData(document.documentElement, "link", link);
  setData(document.getElementById("link"), "link", link);
  setText(document.getElementById("link"), LINK_WORDS[link]);
  show(banner, lost);
  if (!lost) return;
  const what = link === "lost" ? "Connection lost" : "No news from the gateway";
  const since = silentMs ? `last update ${duration(silentMs)} ago` : "nothing received yet";
  setText(banner, `${what} – ${since}. ${link === "lost" ? "Trying again." : "What you see may be old."}`);
}

const address = new URL("ws", location.href);
address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
const connection = new Connection(address.href, onMessage, onState);
