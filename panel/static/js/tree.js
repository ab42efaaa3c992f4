// The installation above the chargers, each node with what flows on every phase.

import { Bar, arrange, h, setAttribute, setData, setText } from "./dom.js";
import * as format from "./format.js";

const PHASES = ["L1", "L2", "L3"];

export class Tree {
  constructor() {
    this.list = document.getElementById("tree");
    this.rows = new Map();
  }

  draw(view) {
    const depth = new Map();
    const rows = view.nodes.map((node) => {
      depth.set(node.id, node.parent === null ? 0 : (depth.get(node.parent) ?? 0) + 1);
      const row = this.rows.get(node.id) ?? this.#row(node);
      setData(row.element, "depth", Math.min(3, depth.get(node.id)));
      setData(row.element, "tightest", node.id === view.site.worst_node);
      fill(row, node);
      return row.element;
    });
    arrange(this.list, rows);
  }

  #row(node) {
    const phases = PHASES.map((phase) => {
      const track = h("div", { class: "bar", role: "meter", "aria-valuemin": 0 });
      const value = h("span", { class: "value" });
      return { bar: new Bar(track, ["base", "drawn", "reserved", "limit"]), track, value, name: phase };
    });
    const name = h("b");
    const kind = h("span", { class: "muted" });
    const room = h("span", { class: "room" });
    const element = h("li", {}, h("div", { class: "title" }, name, kind, room));
    for (const { name: phase, track, value } of phases) element.append(h("div", { class: "phase" }, h("span", {}, phase), track, value));
    const row = { element, name, kind, room, phases };
    this.rows.set(node.id, row);
    return row;
  }
}

function fill(row, node) {
  const limit = effectiveLimit(node);
  setText(row.name, node.id);
  setText(row.kind, [node.kind === node.id ? "" : node.kind, `${format.one(node.present_kw)} kW`, source(node)].filter(Boolean).join(" · "));
  setText(row.room, room(node));
  setData(row.element, "over", (node.margin_a ?? 0) < 0 || (node.margin_kw ?? 0) < 0);
  row.phases.forEach((phase, index) => {
    const present = node.present_a[index];
    const worst = node.worst_a?.[index] ?? present;
    const base = Math.min(node.base_a[index], present);
    const scale = Math.max(limit ?? 0, present, worst, 1);
    phase.bar.set("base", 0, base / scale);
    phase.bar.set("drawn", base / scale, (present - base) / scale);
    phase.bar.set("reserved", present / scale, (worst - present) / scale);
    phase.bar.set("limit", (limit ?? 0) / scale - 0.0001, 0);
    const of = limit === null ? "" : ` / ${format.whole(limit)}`;
    setText(phase.value, `${format.whole(present)}${of} A`);
    setAttribute(phase.track, "aria-label", `${node.id} ${phase.name}`);
    setAttribute(phase.track, "aria-valuemax", scale);
    setAttribute(phase.track, "aria-valuenow", present);
    setAttribute(phase.track, "aria-valuetext", `${format.whole(present)} A now, ${format.whole(worst)} A in the worst case${limit === null ? "" : `, of ${format.whole(limit)} A`}`);
  });
}

/** The limit in A per phase; a node that only has a power limit is drawn against its balanced share. */
function effectiveLimit(node) {
  return node.limit_a ?? (node.limit_kw === null ? null : (node.limit_kw * 1000) / (3 * 230));
}

function source(node) {
  if (node.metered) return "metered";
  return node.base_trusted ? "unmetered" : "meter silent";
}

function room(node) {
  const rooms = [];
  if (node.margin_a !== null) rooms.push(`${format.whole(node.margin_a)} A`);
  if (node.margin_kw !== null) rooms.push(`${format.whole(node.margin_kw)} kW`);
  if (!rooms.length) return "no limit of its own";
  const over = (node.margin_a ?? 0) < 0 || (node.margin_kw ?? 0) < 0;
  return over ? `over by ${rooms.join(", ").replaceAll("-", "")}` : `${rooms.join(", ")} free`;
}
