// The socket to the gateway: comes back by itself, and says how long ago the last message came.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const QUIET_MS = 15_000;

export class Connection {
  /**
   * @param {string} url of the gateway's socket
   * @param {(message: object) => void} onMessage for each message
   * @param {(state: {link: "wait"|"live"|"quiet"|"lost", silentMs: number}) => void} onState, about once a second
   */
  constructor(url, onMessage, onState) {
    this.url = url;
    this.onMessage = onMessage;
    this.onState = onState;
    this.waitMs = FIRST_WAIT_MS;
    this.lastMs = null;
    this.socket = null;
    this.timer = null;
    window.addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
    setInterval(() => this.#tell(), 1000);
    this.#open();
  }

  /** Ask for a fresh snapshot, after a gap. */
  resync() {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send('{"type":"resync"}');
  }

  #open() {
    clearTimeout(this.timer);
    this.timer = null;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onmessage = (event) => {
      this.waitMs = FIRST_WAIT_MS;
      this.lastMs = performance.now();
      this.onMessage(JSON.parse(event.data));
      this.#tell();
    };
    socket.onclose = () => this.socket === socket && this.#again();
  }

  #again() {
    this.socket = null;
    const jitter = 0.75 + Math.random() / 2;
    this.timer = setTimeout(() => this.#open(), this.waitMs * jitter);
    this.waitMs = Math.min(LONGEST_WAIT_MS, this.waitMs * 2);
    this.#tell();
  }

  /** Somebody looks, or the network is back: do not wait any longer. */
  #hurry() {
    if (this.timer !== null) this.#open();
  }

  #tell() {
    const silentMs = this.lastMs === null ? 0 : performance.now() - this.lastMs;
    const open = this.socket?.readyState === WebSocket.OPEN;
    let link = "live";
    if (this.lastMs === null) link = this.socket === null ? "lost" : "wait";
    else if (!open) link = "lost";
    else if (silentMs > QUIET_MS) link = "quiet";
    this.onState({ link, silentMs });
  }
}
