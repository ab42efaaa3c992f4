// Columns for the charts, made of history, this moment and the plan ahead. Pure.

const LONGEST_PAST_S = 4 * 3600;
const SHORTEST_PAST_S = 20 * 60;
const LONGEST_AHEAD_S = 12 * 3600;
const SHORTEST_AHEAD_S = 2 * 3600;
const KEEP_ROWS = 3000;
const EVERY_S = 10;
const FIELDS = ["power_kw", "base_kw", "limit_kw", "price_eur_per_kwh"];

const seconds = (text) => Date.parse(text) / 1000;

/** History with this moment at its end, if the last row is old enough. */
export function withNow(history, site) {
  const now = seconds(site.time);
  const last = history.time_s.at(-1) ?? -Infinity;
  if (now - last >= 0 && now - last < EVERY_S) return history;
  const keep = now < last ? 0 : Math.min(history.time_s.length, KEEP_ROWS);
  const tail = (column, value) => [...(keep ? (column ?? []).slice(-keep) : []), value];
  return {
    time_s: tail(history.time_s, now),
    columns: Object.fromEntries(FIELDS.map((name) => [name, tail(history.columns[name], site[name])])),
  };
}

/** [from, to] of the time axis. */
export function windowOf(view, history) {
  const now = seconds(view.site.time);
  const oldest = history.time_s[0] ?? now;
  const past = Math.min(LONGEST_PAST_S, Math.max(SHORTEST_PAST_S, now - oldest));
  return [now - past, Math.max(now + SHORTEST_AHEAD_S, aheadEnd(view))];
}

/** Where the plan stops having anything to say, a little beyond its last power. */
function aheadEnd({ plan, site }) {
  const now = seconds(site.time);
  if (plan === null) return now;
  const last = plan.planned_kw.findLastIndex((power) => power > 0.05);
  return Math.min(now + LONGEST_AHEAD_S, seconds(plan.start) + (last + 3) * plan.step_s);
}

/** [time, total, base, planned total, base ahead, limit] */
export function powerRows(view, history) {
  const { site } = view;
  const now = seconds(site.time);
  const past = before(history, now);
  const ahead = planSteps(view);
  const count = past.time_s.length;
  const blank = (length) => Array(length).fill(null);
  return [
    [...past.time_s, now, ...ahead.map((step) => step.time)],
    [...past.power_kw, site.power_kw, ...blank(ahead.length)],
    [...past.base_kw, site.base_kw, ...blank(ahead.length)],
    [...blank(count), ...planned(view, ahead)],
    [...blank(count), site.base_kw, ...ahead.map(() => site.base_kw)],
    [...past.limit_kw, site.limit_kw, ...ahead.map(() => site.limit_kw)],
  ];
}

function planned({ plan, site }, ahead) {
  if (plan === null) return [null, ...ahead.map(() => null)];
  const current = Math.floor((seconds(site.time) - seconds(plan.start)) / plan.step_s);
  const first = plan.planned_kw[Math.max(0, current)] ?? 0;
  return [first, ...ahead.map((step) => step.power)].map((power) => power + site.base_kw);
}

/** Steps of the plan that begin after now, and its end. */
function planSteps({ plan, site }) {
  const now = seconds(site.time);
  if (plan === null) return [{ time: now + SHORTEST_AHEAD_S, power: 0 }];
  const start = seconds(plan.start);
  const steps = plan.planned_kw.map((power, index) => ({ time: start + index * plan.step_s, power }));
  steps.push({ time: start + steps.length * plan.step_s, power: steps.at(-1)?.power ?? 0 });
  return steps.filter((step) => step.time > now);
}

/** [time, price]: past rows, now, and each known change ahead until the end of the window. */
export function priceRows(view, history) {
  const now = seconds(view.site.time);
  const past = before(history, now);
  const end = windowOf(view, history)[1];
  const starts = view.prices.starts.map(seconds);
  const coming = starts.map((start, index) => [start, view.prices.price_eur_per_kwh[index]]).filter(([start]) => start > now && start < end);
  const last = coming.at(-1)?.[1] ?? view.site.price_eur_per_kwh;
  return [
    [...past.time_s, now, ...coming.map(([start]) => start), end],
    [...past.price_eur_per_kwh, view.site.price_eur_per_kwh, ...coming.map(([, price]) => price), last],
  ];
}

/** Rows of history strictly before a moment and inside the longest window. */
function before(history, now) {
  const first = history.time_s.findIndex((time) => time >= now - LONGEST_PAST_S);
  let end = history.time_s.length;
  while (end > 0 && history.time_s[end - 1] >= now) end -= 1;
  const begin = first < 0 ? end : Math.min(first, end);
  const part = (column) => (column ?? []).slice(begin, end);
  return {
    time_s: part(history.time_s),
    ...Object.fromEntries(FIELDS.map((name) => [name, part(history.columns[name])])),
  };
}
