// The page's copy of the view: a snapshot, then deltas in unbroken order. Pure; the other half is panel/delta.py.

/** Parts a message touched; `connectors` and `nodes` hold ids, or "all" when the list itself changed. */
function touched() {
  return { site: false, tally: false, plan: false, prices: false, alarms: false, upstream: false, nodes: new Set(), connectors: new Set() };
}

export class Model {
  constructor() {
    this.view = null;
    this.seq = 0;
    this.byId = { nodes: new Map(), connectors: new Map() };
  }

  /** Take in one message; returns what it touched, or null when something in between was missed. */
  take(message) {
    if (message.type === "snapshot") return this.#snapshot(message);
    if (message.type !== "delta" || this.view === null || message.seq !== this.seq + 1) return null;
    return this.#delta(message);
  }

  #snapshot(message) {
    this.view = message.view;
    this.seq = message.seq;
    this.#index("nodes");
    this.#index("connectors");
    return { site: true, tally: true, plan: true, prices: true, alarms: true, upstream: true, nodes: "all", connectors: "all" };
  }

  #delta(message) {
    const changed = touched();
    for (const part of ["site", "tally", "plan"]) {
      if (!message[part]) continue;
      Object.assign(this.view[part], message[part]);
      changed[part] = true;
    }
    for (const [part, anew] of Object.entries(message.replace ?? {})) {
      this.view[part] = anew;
      changed[part] = part in this.byId ? "all" : true;
      if (part in this.byId) this.#index(part);
    }
    for (const part of ["nodes", "connectors"]) {
      for (const [id, patch] of Object.entries(message[part] ?? {})) {
        Object.assign(this.byId[part].get(id), patch);
        if (changed[part] !== "all") changed[part].add(id);
      }
    }
    this.seq = message.seq;
    return changed;
  }

  #index(part) {
    this.byId[part] = new Map(this.view[part].map((thing) => [thing.id, thing]));
  }
}
