// Everything known of one charger, fetched when its name is pressed and again while it is looked at.

import { h, setText } from "./dom.js";
import * as format from "./format.js";

const EVERY_MS = 3000;

export class ChargerDialog {
  constructor() {
    this.dialog = document.getElementById("charger");
    this.about = document.getElementById("charger-about");
    this.name = null;
    document.getElementById("charger-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("close", () => clearInterval(this.timer));
  }

  open(name) {
    this.name = name;
    setText(document.getElementById("charger-name"), name);
    this.about.replaceChildren(h("p", { class: "muted" }, "asking the gateway …"));
    this.dialog.showModal();
    clearInterval(this.timer);
    this.timer = setInterval(() => this.#fetch(), EVERY_MS);
    this.#fetch();
  }

  async #fetch() {
    const { name } = this;
    let parts;
    try {
      const answer = await fetch(`api/charger?name=${encodeURIComponent(name)}`);
      const found = await answer.json();
      parts = answer.ok ? told(found) : [h("p", { class: "muted" }, found.detail)];
    } catch (error) {
      parts = [h("p", { class: "muted" }, `no answer from the gateway: ${error.message}`)];
    }
    if (this.name === name && this.dialog.open) this.about.replaceChildren(...parts);
  }
}

function told(charger) {
  return [facts(charger), ...upstream(charger.upstream), ...learned(charger.learned)];
}

function facts(charger) {
  const status = Object.entries(charger.status).map(([number, said]) => `${number} ${said || "not heard of"}`);
  return pairs([
    ["Link", charger.online ? "online" : "offline"],
    ["Made by", [charger.vendor, charger.model, charger.serial].filter(Boolean).join(" ")],
    ["Firmware", charger.firmware],
    ["Setpoints", charger.commissioned ? "takes them" : "not yet"],
    ["Connectors", status.join(" · ")],
    ["Firmware update", reported(charger.firmware_update)],
    ["Upload", reported(charger.upload)],
    ["Security event", reported(charger.security_event)],
  ]);
}

function upstream(status) {
  if (status === null) return [];
  const limits = status.limits.filter((limit) => limit.upstream_a !== null);
  const conflict = status.latest.at(-1);
  return [
    h("h3", {}, "Upstream"),
    pairs([
      ["Link", status.state + (status.since ? ` since ${moment(status.since)}` : "") + (status.trouble ? `: ${status.trouble}` : "")],
      ["Messages", `${status.waiting} waiting · ${status.delivered} delivered`],
      ["Dropped", counts(status.dropped_by)],
      ["Refused", counts(status.refused_by)],
      ["Conflicts", counts(status.conflicts_by)],
      ["Newest conflict", conflict ? `${conflict.words}, ${moment(conflict.at)}` : ""],
      ...limits.map((limit) => [`Limit on ${limit.connector}`, limitText(limit)]),
    ]),
  ];
}

function limitText(limit) {
  const granted = limit.granted_a === null ? "nothing granted yet" : `${format.short(limit.granted_a)} A granted`;
  const binds = limit.binds ? `; the ${limit.binds}'s counts` : "";
  return `${format.short(limit.upstream_a)} A by ${limit.profile}, ${granted}${binds}`;
}

/** What was found out about its ways, from what, and since when. */
function learned(lines) {
  const title = h("h3", {}, "Learned");
  if (lines.length === 0) return [title, h("p", { class: "muted" }, "nothing yet")];
  return [title, h("ul", { class: "learned" }, ...lines.map(learnedItem))];
}

function learnedItem(line) {
  const where = line.by ? `seen at ${line.by} of the same model, not here yet: ` : "";
  const seen = line.at === null ? "learned before evidence was kept" : `${where}${line.seen}, ${moment(line.at)}`;
  return h("li", { "data-borrowed": line.by !== "" }, h("b", {}, line.belief), h("span", { class: "muted" }, seen));
}

function pairs(rows) {
  const known = rows.filter(([, value]) => value);
  return h("dl", {}, ...known.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

const counts = (byName) => Object.entries(byName).map(([name, count]) => `${name} ${count}`).join(" · ");
const reported = (report) => (report === null ? "" : `${report.said}, ${moment(report.at)}`);
const moment = (text) => format.day(Date.parse(text));
