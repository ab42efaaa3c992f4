// The connectors: a card for each one with a vehicle, a tile for each one without.

import { arrange, h, setText, show } from "./dom.js";
import { Card } from "./card.js";
import { Tile } from "./tile.js";

const FILTERS = {
  all: ["All", () => true],
  charging: ["Charging", (c) => c.state === "charging"],
  waiting: ["Waiting", (c) => c.id_tag !== null && c.state !== "charging"],
  attention: ["Attention", (c) => attention(c) > 0],
  free: ["Free", (c) => c.state === "free"],
};

const ORDERS = {
  site: () => 0,
  departure: (a, b) => leaves(a) - leaves(b),
  attention: (a, b) => attention(b) - attention(a),
};

/** How much a connector wants to be looked at: 0 for not at all. */
export function attention(connector) {
  if (connector.distrusted || connector.verdict === "not_obeyed") return 4;
  if (connector.state === "faulted") return 3;
  if (connector.id_tag !== null && !connector.online) return 2;
  return connector.stale || !connector.online ? 1 : 0;
}

const leaves = (connector) => (connector.departure === null ? Infinity : Date.parse(connector.departure));

export class Connectors {
  constructor() {
    this.cards = new Map();
    this.tiles = new Map();
    this.filter = "all";
    this.find = "";
    this.order = "site";
    this.places = { cards: byId("cards"), tiles: byId("tiles") };
    this.chips = this.#chips();
    byId("order").addEventListener("change", (event) => this.#choose("order", event.target.value));
    byId("find").addEventListener("input", (event) => this.#choose("find", event.target.value.trim().toLowerCase()));
  }

  /** Redraw the connectors whose ids are given, or "all"; moves nothing unless what is shown changed. */
  draw(view, model, ids) {
    this.view = view;
    const now = Date.parse(view.site.time);
    for (const id of ids === "all" ? model.byId.connectors.keys() : ids) this.#update(model.byId.connectors.get(id), now);
    if (ids === "all") for (const map of [this.cards, this.tiles]) for (const id of map.keys()) if (!model.byId.connectors.has(id)) map.delete(id);
    this.#place();
  }

  #update(connector, now) {
    const [mine, other, Kind] = connector.id_tag === null ? [this.tiles, this.cards, Tile] : [this.cards, this.tiles, Card];
    other.delete(connector.id);
    if (!mine.has(connector.id)) mine.set(connector.id, new Kind(connector.id));
    mine.get(connector.id).draw(connector, now);
  }

  /** Put the right cards and tiles in the right order, if any of that differs from what is there. */
  #place() {
    const matching = this.view.connectors.filter((c) => FILTERS[this.filter][1](c) && this.#found(c));
    const ordered = this.order === "site" ? matching : matching.toSorted((a, b) => ORDERS[this.order](a, b));
    const cards = ordered.filter((c) => this.cards.has(c.id)).map((c) => this.cards.get(c.id).element);
    const tiles = ordered.filter((c) => this.tiles.has(c.id)).map((c) => this.tiles.get(c.id).element);
    this.#arrange("cards", cards);
    this.#arrange("tiles", tiles);
    show(byId("tiles-title"), tiles.length > 0);
    show(byId("nothing"), cards.length + tiles.length === 0);
    for (const [name, chip] of Object.entries(this.chips)) setText(chip.count, String(this.view.connectors.filter(FILTERS[name][1]).length));
  }

  #arrange(place, elements) {
    const before = this.places[place].children;
    if (before.length === elements.length && elements.every((element, index) => before[index] === element)) return;
    arrange(this.places[place], elements);
  }

  #found(connector) {
    if (!this.find) return true;
    return [connector.id, connector.id_tag ?? "", connector.maker].some((text) => text.toLowerCase().includes(this.find));
  }

  #chips() {
    const chips = {};
    for (const [name, [label]] of Object.entries(FILTERS)) {
      const count = h("b", {}, "0");
      const button = h("button", { type: "button", "aria-pressed": name === this.filter }, `${label} `, count);
      button.addEventListener("click", () => {
        for (const [other, chip] of Object.entries(this.chips)) chip.button.setAttribute("aria-pressed", other === name);
        this.#choose("filter", name);
      });
      chips[name] = { button, count };
      byId("filters").append(button);
    }
    return chips;
  }

  #choose(what, value) {
    this[what] = value;
    if (this.view) this.#place();
  }
}

function byId(id) {
  return document.getElementById(id);
}
