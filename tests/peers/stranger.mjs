// A charge point nobody here wrote the protocol of: `ocpp-rpc` (npm) in strict mode, which checks every message of the
// central system against its own copy of the official OCPP 1.6 schemas.
//
// It boots, reports a car, starts a transaction, takes charging profiles as the standard stacks them, draws what they
// allow (one second later, never between 0 and 6 A), reports that, stops, and prints one JSON line about it all.
//
//   npm install --prefix build/peers ocpp-rpc@2.2.1
//   node tests/peers/stranger.mjs --url ws://127.0.0.1:9000/ocpp --id STRANGER --seconds 30
//
// Further options: --modules DIR (where node_modules lies), --password TEXT, --interval SECONDS between meter values,
// --car-amps A. Exits 0 when every message of the central system was valid and the last draw was within its limit.

import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string', default: 'ws://127.0.0.1:9000/ocpp' },
    id: { type: 'string', default: 'STRANGER' },
    seconds: { type: 'string', default: '30' },
    interval: { type: 'string', default: '1' },
    'car-amps': { type: 'string', default: '16' },
    modules: { type: 'string', default: 'build/peers' },
    password: { type: 'string' },
  },
});
const { RPCClient } = createRequire(resolve(options.modules, 'package.json'))('ocpp-rpc');

const VOLTS = 230;
const HARDWARE_A = 32;
const carAmps = Number(options['car-amps']);
const summary = {
  id: options.id,
  booted: false,
  transaction_id: null,
  calls_received: {},
  profiles: {},
  limits_a: [],
  meter_values_sent: 0,
  energy_kwh: 0,
  peak_a: 0,
  within_limit: true,
  strict_failures: [],
  own_failures: [],
  bad_messages: [],
  errors: [],
};

// ---- charging profiles, stacked as OCPP 1.6 §3.13 says

const profiles = new Map();
let transactionId = null;

function install(connectorId, profile) {
  const purpose = profile.chargingProfilePurpose;
  if (purpose === 'TxProfile' && profile.transactionId !== transactionId) return 'Rejected';
  for (const [id, other] of profiles) {
    const same = other.purpose === purpose && other.profile.stackLevel === profile.stackLevel;
    if (same && other.connectorId === connectorId) profiles.delete(id);
  }
  profiles.set(profile.chargingProfileId, { connectorId, purpose, profile });
  summary.profiles[purpose] = (summary.profiles[purpose] ?? 0) + 1;
  return 'Accepted';
}

function amps({ chargingSchedule: schedule }, now) {
  const since = (now - Date.parse(schedule.startSchedule)) / 1000;
  if (!(since >= 0) || (schedule.duration !== undefined && since >= schedule.duration)) return null;
  const period = schedule.chargingSchedulePeriod.filter((p) => p.startPeriod <= since).at(-1);
  if (!period) return null;
  return schedule.chargingRateUnit === 'W' ? period.limit / (3 * VOLTS) : period.limit;
}

function strongest(purpose, now) {
  const valid = [...profiles.values()]
    .filter((p) => p.purpose === purpose)
    .map((p) => ({ level: p.profile.stackLevel, limit: amps(p.profile, now) }))
    .filter((p) => p.limit !== null)
    .sort((a, b) => b.level - a.level);
  return valid.length ? valid[0].limit : null;
}

function limitNow(now = Date.now()) {
  const transaction = transactionId === null ? null : strongest('TxProfile', now);
  const limit = transaction ?? strongest('TxDefaultProfile', now) ?? HARDWARE_A;
  return Math.min(limit, strongest('ChargePointMaxProfile', now) ?? HARDWARE_A, HARDWARE_A);
}

// ---- answers

const configuration = {
  ChargeProfileMaxStackLevel: '3',
  ChargingScheduleAllowedChargingRateUnit: 'Current',
  MeterValueSampleInterval: '60',
  MeterValuesSampledData: 'Energy.Active.Import.Register',
  NumberOfConnectors: '1',
  SupportedFeatureProfiles: 'Core,SmartCharging,RemoteTrigger',
};

const answers = {
  SetChargingProfile: ({ connectorId, csChargingProfiles }) => ({ status: install(connectorId, csChargingProfiles) }),
  ClearChargingProfile: ({ id, chargingProfilePurpose: purpose }) => {
    let cleared = false;
    for (const [key, profile] of profiles) {
      if ((id === undefined || id === key) && (purpose === undefined || purpose === profile.purpose)) {
        cleared = profiles.delete(key);
      }
    }
    return { status: cleared ? 'Accepted' : 'Unknown' };
  },
  GetCompositeSchedule: ({ connectorId, duration }) => ({
    status: 'Accepted',
    connectorId,
    scheduleStart: new Date().toISOString(),
    chargingSchedule: {
      duration,
      chargingRateUnit: 'A',
      chargingSchedulePeriod: [{ startPeriod: 0, limit: Math.round(limitNow() * 10) / 10 }],
    },
  }),
  GetConfiguration: ({ key: keys = Object.keys(configuration) }) => ({
    configurationKey: keys
      .filter((key) => key in configuration)
      .map((key) => ({ key, readonly: false, value: configuration[key] })),
    unknownKey: keys.filter((key) => !(key in configuration)),
  }),
  ChangeConfiguration: ({ key, value }) => {
    if (!(key in configuration)) return { status: 'NotSupported' };
    configuration[key] = value;
    return { status: 'Accepted' };
  },
  TriggerMessage: () => ({ status: 'Accepted' }),
  RemoteStartTransaction: () => ({ status: 'Rejected' }),
  RemoteStopTransaction: () => ({ status: 'Rejected' }),
};

const client = new RPCClient({
  endpoint: options.url.replace(/\/$/, ''),
  identity: options.id,
  password: options.password,
  protocols: ['ocpp1.6'],
  strictMode: true,
  reconnect: false,
});
for (const [action, answer] of Object.entries(answers)) {
  client.handle(action, ({ params }) => {
    summary.calls_received[action] = (summary.calls_received[action] ?? 0) + 1;
    return answer(params);
  });
}
client.on('strictValidationFailure', ({ method, error, outbound }) => {
  (outbound ? summary.own_failures : summary.strict_failures).push(`${method}: ${error.message}`);
});
client.on('badMessage', ({ error }) => summary.bad_messages.push(String(error)));

// ---- the car, which follows one second late

let drawn = 0;
let energyWh = 1000;
const history = [];

async function drive(seconds) {
  const interval = Number(options.interval);
  for (let elapsed = 0; elapsed < seconds; elapsed += interval) {
    await sleep(interval * 1000);
    energyWh += (drawn * 3 * VOLTS * interval) / 3600;
    const limit = limitNow();
    history.push(limit);
    drawn = limit < 6 ? 0 : Math.min(limit, carAmps);
    if (history.length > 1 && drawn > Math.max(...history.slice(-2)) + 0.01) summary.within_limit = false;
    if (limit !== summary.limits_a.at(-1)) summary.limits_a.push(limit);
    summary.peak_a = Math.max(summary.peak_a, drawn);
    await report();
  }
}

async function report() {
  const sample = (measurand, unit, value, phase) => ({
    value: String(value),
    context: 'Sample.Periodic',
    measurand,
    unit,
    ...(phase && { phase }),
  });
  await client.call('MeterValues', {
    connectorId: 1,
    transactionId,
    meterValue: [
      {
        timestamp: new Date().toISOString(),
        sampledValue: [
          ...['L1', 'L2', 'L3'].map((phase) => sample('Current.Import', 'A', drawn.toFixed(2), phase)),
          sample('Power.Active.Import', 'W', (drawn * 3 * VOLTS).toFixed(0)),
          sample('Energy.Active.Import.Register', 'Wh', energyWh.toFixed(0)),
        ],
      },
    ],
  });
  summary.meter_values_sent += 1;
}

const status = (connectorId, state) =>
  client.call('StatusNotification', { connectorId, errorCode: 'NoError', status: state });

async function session() {
  await client.connect();
  const boot = await client.call('BootNotification', { chargePointVendor: 'ocpp-rpc', chargePointModel: 'stranger' });
  summary.booted = boot.status === 'Accepted';
  await status(0, 'Available');
  await status(1, 'Available');
  await client.call('Heartbeat', {});
  await status(1, 'Preparing');
  await client.call('Authorize', { idTag: 'STRANGER' });
  const started = await client.call('StartTransaction', {
    connectorId: 1,
    idTag: 'STRANGER',
    meterStart: Math.round(energyWh),
    timestamp: new Date().toISOString(),
  });
  transactionId = summary.transaction_id = started.transactionId;
  await status(1, 'Charging');
  await drive(Number(options.seconds));
  await client.call('StopTransaction', {
    transactionId,
    meterStop: Math.round(energyWh),
    timestamp: new Date().toISOString(),
    reason: 'Local',
  });
  transactionId = null;
  await status(1, 'Finishing');
  await status(1, 'Available');
}

try {
  await session();
} catch (error) {
  summary.errors.push(String(error));
}
await client.close().catch(() => {});
summary.energy_kwh = (energyWh - 1000) / 1000;
summary.ok =
  summary.booted &&
  summary.within_limit &&
  ![summary.strict_failures, summary.own_failures, summary.bad_messages, summary.errors].some((list) => list.length);
console.log(JSON.stringify(summary));
process.exit(summary.ok ? 0 : 1);
