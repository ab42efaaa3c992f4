// What wants attention, worst first.

import { arrange, h, icon, setText, show } from "./dom.js";
import * as format from "./format.js";

const SHOWN = 4;
const ICONS = { alarm: "warn", warning: "warn", notice: "dot" };

export class Alarms {
  constructor() {
    this.list = document.getElementById("alarms");
    this.more = document.getElementById("alarms-more");
    this.items = new Map();
    this.all = false;
    this.more.addEventListener("click", () => {
      this.all = !this.all;
      this.draw(this.alarms);
    });
  }

  draw(alarms) {
    this.alarms = alarms;
    const shown = this.all ? alarms : alarms.slice(0, SHOWN);
    const items = shown.map((alarm) => this.#item(alarm));
    for (const id of this.items.keys()) if (!alarms.some((alarm) => alarm.id === id)) this.items.delete(id);
    arrange(this.list, items.length ? items : [this.calm ??= h("li", { class: "calm" }, icon("check"), "All is well")]);
    show(this.more, alarms.length > SHOWN);
    setText(this.more, this.all ? "Show fewer" : `Show all ${alarms.length}`);
  }

  #item(alarm) {
    let item = this.items.get(alarm.id);
    if (!item) {
      item = h("li", {}, icon(ICONS[alarm.severity]), h("span", { class: "level" }), h("b"), h("span", { class: "text" }));
      this.items.set(alarm.id, item);
    }
    item.dataset.severity = alarm.severity;
    const [, level, subject, text] = item.children;
    setText(level, alarm.severity);
    setText(subject, alarm.subject);
    setText(text, alarm.since ? `${alarm.text} (since ${format.hour(Date.parse(alarm.since))})` : alarm.text);
    return item;
  }
}
