// One connector without a vehicle: its name, its state, and what is wrong with it, if anything is.

import { h, icon, setData, setIcon, setText, show } from "./dom.js";
import { STATE_ICONS } from "./looks.js";

export class Tile {
  constructor(id) {
    this.icon = icon("ring");
    this.state = h("span", { class: "state" });
    this.maker = h("span", { class: "muted" });
    this.why = h("span", { class: "why" });
    this.element = h("li", { class: "tile", "data-id": id }, this.icon, h("h3", {}, h("button", { type: "button", class: "name" }, id)), this.state, this.maker, this.why);
  }

  draw(connector) {
    setData(this.element, "state", connector.state);
    setIcon(this.icon, STATE_ICONS[connector.state]);
    setText(this.state, connector.state);
    setText(this.maker, connector.adopted ? `${connector.maker} (not in the site file)`.trim() : connector.maker);
    setText(this.why, connector.why);
    show(this.why, connector.why !== "");
  }
}
