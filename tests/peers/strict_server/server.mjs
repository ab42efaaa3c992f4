// A central system nobody here wrote the protocol of: `ocpp-rpc` (npm) in strict mode, which checks every message of a
// charge point against its own copy of the official OCPP 1.6 schemas.
//
// It accepts everybody, and drives each charge point that starts a transaction through every request it has to know.
//
//   npm install --prefix build/peers ocpp-rpc@2.2.1
//   node tests/peers/strict_server/server.mjs --modules build/peers --port 9100
//
// First it prints {"port": N}; when a charge point has been driven through, one JSON line with all that was answered
// and every strict validation failure. It ends when its input is closed.

import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    modules: { type: 'string', default: 'build/peers' },
  },
});
const { RPCServer } = createRequire(resolve(options.modules, 'package.json'))('ocpp-rpc');

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const accepted = { status: 'Accepted' };
let nextTransaction = 4001;

const server = new RPCServer({ protocols: ['ocpp1.6'], strictMode: true, pingIntervalMs: 0 });
server.auth((accept, reject, handshake) => accept({ id: handshake.identity }));

server.on('client', (client) => {
  const seen = { id: client.identity, heard: {}, answers: [], strict_failures: [], bad_messages: [], boots: 0 };
  client.on('strictValidationFailure', ({ method, error, params, result, outbound, isCall }) =>
    seen.strict_failures.push({ method, error: error.message, details: error.details, params, result, outbound, isCall }));
  client.on('badMessage', ({ error }) => seen.bad_messages.push(error.message));

  const handle = (action, answer) => client.handle(action, ({ params }) => {
    seen.heard[action] = (seen.heard[action] ?? 0) + 1;
    return answer(params);
  });
  const now = () => new Date().toISOString();
  handle('BootNotification', () => ({ ...accepted, interval: 1, currentTime: now() }));
  handle('Heartbeat', () => ({ currentTime: now() }));
  handle('StatusNotification', () => ({}));
  handle('MeterValues', () => ({}));
  handle('Authorize', () => ({ idTagInfo: accepted }));
  handle('DataTransfer', () => accepted);
  handle('StopTransaction', () => ({ idTagInfo: accepted }));
  handle('StartTransaction', () => {
    const transactionId = nextTransaction++;
    if (seen.heard.StartTransaction === 1) {
      sleep(200).then(() => drive(client, transactionId, seen)).catch((error) => {
        seen.answers.push(['driver', String(error)]);
        say(seen);
      });
    }
    return { transactionId, idTagInfo: accepted };
  });
});

const profile = (id, purpose, limit, more = {}, unit = 'A') => ({
  chargingProfileId: id,
  stackLevel: id,
  chargingProfilePurpose: purpose,
  chargingProfileKind: 'Absolute',
  chargingSchedule: {
    chargingRateUnit: unit,
    startSchedule: new Date(Date.now() - 60_000).toISOString(),
    duration: 3600,
    chargingSchedulePeriod: [{ startPeriod: 0, limit }, { startPeriod: 1800, limit: 6.0 }],
  },
  ...more,
});

async function drive(client, transactionId, seen) {
  const call = async (action, payload) => {
    try {
      seen.answers.push([action, await client.call(action, payload)]);
    } catch (error) {
      seen.answers.push([action, error.rpcErrorCode ?? String(error)]);
    }
  };
  await call('GetConfiguration', {});
  await call('GetConfiguration', { key: ['MeterValueSampleInterval', 'Unheard'] });
  await call('ChangeConfiguration', { key: 'MeterValueSampleInterval', value: '1' });
  await call('ChangeConfiguration', { key: 'NumberOfConnectors', value: '7' });
  for (const requestedMessage of ['BootNotification', 'Heartbeat', 'StatusNotification', 'MeterValues']) {
    await call('TriggerMessage', { requestedMessage, connectorId: 1 });
  }
  await call('TriggerMessage', { requestedMessage: 'DiagnosticsStatusNotification' });
  await call('SetChargingProfile', { connectorId: 0, csChargingProfiles: profile(1, 'ChargePointMaxProfile', 28.0) });
  await call('SetChargingProfile', { connectorId: 1, csChargingProfiles: profile(2, 'TxDefaultProfile', 10.0) });
  await call('SetChargingProfile', {
    connectorId: 1, csChargingProfiles: profile(3, 'TxProfile', 13.5, { transactionId }),
  });
  await call('GetCompositeSchedule', { connectorId: 1, duration: 3000, chargingRateUnit: 'A' });
  await call('GetCompositeSchedule', { connectorId: 1, duration: 600, chargingRateUnit: 'W' });
  await call('GetCompositeSchedule', { connectorId: 0, duration: 600 });
  await sleep(3500);
  seen.answers.push(['drawn', seen.heard.MeterValues]);
  await call('ClearChargingProfile', { id: 3 });
  await call('ClearChargingProfile', { id: 3 });
  await call('ReserveNow', { connectorId: 1, expiryDate: new Date().toISOString(), idTag: 'A', reservationId: 1 });
  await call('GetDiagnostics', { location: 'ftp://127.0.0.1/' });
  await call('ClearCache', {});
  await call('DataTransfer', { vendorId: 'stranger' });
  await call('ChangeAvailability', { connectorId: 1, type: 'Inoperative' });
  await call('ChangeAvailability', { connectorId: 1, type: 'Operative' });
  await call('RemoteStopTransaction', { transactionId });
  await call('RemoteStartTransaction', { connectorId: 1, idTag: 'REMOTE' });
  await call('UnlockConnector', { connectorId: 1 });
  await sleep(500);
  await call('Reset', { type: 'Soft' });
  await sleep(500);
  say(seen);
}

const listening = await server.listen(Number(options.port), '127.0.0.1');
say({ port: listening.address().port });
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
