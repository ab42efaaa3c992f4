// Every state and verdict has a drawing and a word: colour never says anything alone.

export const STATE_ICONS = {
  "free": "ring",
  "plugged in": "plug",
  "charging": "bolt",
  "held back": "pause",
  "paused by car": "car",
  "finishing": "check",
  "reserved": "clock",
  "out of service": "wrench",
  "faulted": "warn",
  "offline": "cut",
  "unknown": "ring",
};

export const VERDICTS = {
  obeyed: ["check", "obeyed"],
  limited_by_car: ["car", "car limits"],
  not_obeyed: ["warn", "not obeying"],
  pending: ["clock", "checking"],
  unmeasured: ["dot", "not measured"],
};
