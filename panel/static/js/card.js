// One connector with a vehicle.

import { Bar, h, icon, setAttribute, setData, setIcon, setText, show } from "./dom.js";
import * as format from "./format.js";
import { STATE_ICONS, VERDICTS } from "./looks.js";

export class Card {
  constructor(id) {
    this.icon = icon("ring");
    this.badgeIcon = icon("clock");
    this.badgeText = h("span");
    this.badge = h("span", { class: "badge" }, this.badgeIcon, this.badgeText);
    this.power = h("b");
    this.state = h("span", { class: "state" });
    this.track = h("div", { class: "bar", role: "meter", "aria-label": `${id} current`, "aria-valuemin": 0 });
    this.bar = new Bar(this.track, ["reserved", "drawn", "limit"]);
    this.grant = h("p", { class: "line" });
    this.charge = h("div", { class: "bar", role: "meter", "aria-label": `${id} energy`, "aria-valuemin": 0 });
    this.chargeBar = new Bar(this.charge, ["energy"]);
    this.energy = h("span");
    this.soc = h("span");
    this.leaves = h("span");
    this.tag = h("span", { class: "tag" });
    this.why = h("p", { class: "why" });
    this.element = h(
      "li", { class: "card", "data-id": id },
      h("div", { class: "title" }, this.icon, h("h3", {}, h("button", { type: "button", class: "name" }, id)), this.badge),
      h("p", { class: "figure" }, this.power, h("span", { class: "unit" }, "kW"), this.state),
      this.track, this.grant,
      this.charge, h("p", { class: "line" }, this.energy, this.soc),
      h("p", { class: "line" }, this.leaves, this.tag),
      this.why,
    );
  }

  draw(connector, now) {
    setData(this.element, "state", connector.state);
    setData(this.element, "old", connector.stale || !connector.online);
    setIcon(this.icon, STATE_ICONS[connector.state]);
    setText(this.power, connector.power_kw === null ? "–" : format.one(connector.power_kw));
    setText(this.state, connector.state);
    this.#badge(connector);
    this.#current(connector);
    this.#energy(connector);
    setText(this.leaves, departure(connector, now));
    setText(this.tag, connector.id_tag ?? "");
    setText(this.why, why(connector, now));
    show(this.why, this.why.textContent !== "");
  }

  #badge(connector) {
    const verdict = connector.distrusted ? "not_obeyed" : connector.verdict;
    show(this.badge, verdict !== null);
    if (verdict === null) return;
    const [drawing, text] = VERDICTS[verdict];
    setData(this.badge, "verdict", verdict);
    setIcon(this.badgeIcon, drawing);
    setText(this.badgeText, text);
  }

  /** Drawn, granted and possible current on one scale. */
  #current(connector) {
    const drawn = connector.current_a === null ? null : Math.max(...connector.current_a);
    const granted = connector.limit_a;
    const scale = Math.max(connector.hardware_max_a, drawn ?? 0, 1);
    this.bar.set("reserved", 0, (granted ?? 0) / scale);
    this.bar.set("drawn", 0, (drawn ?? 0) / scale);
    this.bar.set("limit", granted === null ? 0 : Math.max(0, granted / scale - 0.0001), 0);
    setData(this.track, "over", drawn !== null && granted !== null && drawn > granted + 1);
    const text = `${drawn === null ? "draw unknown" : `${format.short(drawn)} A drawn`} · ${granted === null ? "no limit yet" : `${format.short(granted)} A granted`}`;
    setText(this.grant, text);
    setAttribute(this.track, "aria-valuemax", scale);
    setAttribute(this.track, "aria-valuenow", drawn ?? 0);
    setAttribute(this.track, "aria-valuetext", text);
  }

  #energy(connector) {
    const { energy_kwh: energy, requested_kwh: requested, soc } = connector;
    const share = requested === null ? soc ?? 0 : (energy ?? 0) / Math.max(requested, 0.001);
    this.chargeBar.set("energy", 0, share);
    setData(this.charge, "full", requested !== null && (energy ?? 0) >= requested);
    const text = requested === null ? `${format.one(energy ?? 0)} kWh` : `${format.one(energy ?? 0)} of ${format.one(requested)} kWh`;
    setText(this.energy, text);
    setText(this.soc, soc === null ? "" : `battery ${format.percent(soc)}`);
    setAttribute(this.charge, "aria-valuemax", 1);
    setAttribute(this.charge, "aria-valuenow", share.toFixed(3));
    setAttribute(this.charge, "aria-valuetext", text);
  }
}

function departure(connector, now) {
  if (connector.departure === null) return connector.requested_kwh === null ? "no request known" : "no departure known";
  const leaves = Date.parse(connector.departure);
  if (leaves <= now) return `was to leave at ${format.hour(leaves)}`;
  const counted = connector.counted_until === null ? "" : ` · counted on until ${format.hour(Date.parse(connector.counted_until))}`;
  return `leaves ${format.hour(leaves)} · in ${format.duration(leaves - now)}${counted}`;
}

function why(connector, now) {
  const parts = [connector.why];
  if (connector.planned_from !== null) parts.push(`planned from ${format.hour(Date.parse(connector.planned_from))}`);
  if (connector.stale || !connector.online) {
    const heard = connector.measured_at === null ? "never measured" : `last measured ${format.duration(now - Date.parse(connector.measured_at))} ago`;
    parts.push(heard);
  }
  return parts.filter(Boolean).join(" · ");
}
