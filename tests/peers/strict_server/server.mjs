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

// A root certificate whose key nobody has.
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBFzCBvqADAgECAgISZzAKBggqhkjOPQQDAjAVMRMwEQYDVQQDDApkZXBvdCBy
b290MB4XDTI2MDEwMTAwMDAwMFoXDTQ2MDEwMTAwMDAwMFowFTETMBEGA1UEAwwK
ZGVwb3Qgcm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKHL+AmejZM/69ld
1mu/C/SsoeCgzuo3HJ4A6YFqTixl7tczJnCnp4T0K6FiSaBcOIjxp2pp1HKg6ZXq
u22w6AYwCgYIKoZIzj0EAwIDSAAwRQIhAJzgLwv25ZUiM6hUZy096DlKYaTAOFcB
c0JjLGwPSazYAiB8yy3YWPUWje+RUR9NC+s/XtgAeMCXr+hUmzA9E2xJqQ==
-----END CERTIFICATE-----
`;
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
  handle('SignCertificate', () => accepted);
  for (const action of ['DiagnosticsStatusNotification', 'FirmwareStatusNotification', 'LogStatusNotification',
    'SecurityEventNotification', 'SignedFirmwareStatusNotification']) {
    handle(action, () => ({}));
  }
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
      const answer = await client.call(action, payload);
      seen.answers.push([action, answer]);
      return answer;
    } catch (error) {
      seen.answers.push([action, error.rpcErrorCode ?? String(error)]);
      return undefined;
    }
  };
  await call('GetConfiguration', {});
  await call('GetConfiguration', { key: ['MeterValueSampleInterval', 'Unheard'] });
  await call('ChangeConfiguration', { key: 'MeterValueSampleInterval', value: '1' });
  await call('ChangeConfiguration', { key: 'NumberOfConnectors', value: '7' });
  for (const requestedMessage of ['BootNotification', 'Heartbeat', 'StatusNotification', 'MeterValues']) {
    await call('TriggerMessage', { requestedMessage, connectorId: 1 });
  }
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
  await manage(call);
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

const location = 'ftp://127.0.0.1/file-2.0.bin';
const soon = () => new Date().toISOString();
const later = () => new Date(Date.now() + 3600_000).toISOString();

// Everything but Core, Smart Charging and Remote Trigger: uploads, updates, lists, reservations, certificates.
async function manage(call) {
  await call('ChangeConfiguration', { key: 'AuthorizationKey', value: 'short' });
  await call('ChangeConfiguration', { key: 'StopTxnSampledData', value: 'Energy.Active.Import.Register,Voltage' });
  await call('ReserveNow', { connectorId: 1, expiryDate: later(), idTag: 'A', reservationId: 1 });
  await call('ReserveNow', { connectorId: 2, expiryDate: later(), idTag: 'A', reservationId: 2 });
  await call('ReserveNow', { connectorId: 7, expiryDate: later(), idTag: 'A', reservationId: 3 });
  await call('CancelReservation', { reservationId: 2 });
  await call('CancelReservation', { reservationId: 2 });
  const entries = [{ idTag: 'A', idTagInfo: accepted }, { idTag: 'B', idTagInfo: { status: 'Blocked' } }];
  await call('SendLocalList', { listVersion: 2, updateType: 'Full', localAuthorizationList: entries });
  await call('SendLocalList', { listVersion: 1, updateType: 'Differential', localAuthorizationList: [{ idTag: 'A' }] });
  await call('SendLocalList', { listVersion: 0, updateType: 'Full' });
  await call('GetLocalListVersion', {});

  await call('GetDiagnostics', { location });
  const log = { remoteLocation: location };
  await call('GetLog', { logType: 'SecurityLog', requestId: 4, log });
  await call('GetLog', { logType: 'DiagnosticsLog', requestId: 5, log });

  const use = { certificateType: 'CentralSystemRootCertificate' };
  await call('GetInstalledCertificateIds', use);
  await call('InstallCertificate', { ...use, certificate: CERTIFICATE });
  await call('InstallCertificate', { ...use, certificate: 'paper' });
  const listed = await call('GetInstalledCertificateIds', use);
  const [certificateHashData] = listed?.certificateHashData ?? []; // a gateway between keeps certificates to itself
  if (certificateHashData !== undefined) {
    await call('DeleteCertificate', { certificateHashData });
    await call('DeleteCertificate', { certificateHashData });
  }
  await call('CertificateSigned', { certificateChain: CERTIFICATE });
  for (const requestedMessage of ['DiagnosticsStatusNotification', 'FirmwareStatusNotification']) {
    await call('TriggerMessage', { requestedMessage });
  }
  for (const requestedMessage of ['BootNotification', 'LogStatusNotification', 'FirmwareStatusNotification', 'Heartbeat',
    'MeterValues', 'SignChargePointCertificate', 'StatusNotification']) {
    await call('ExtendedTriggerMessage', { requestedMessage });
  }
  await sleep(300);
  await call('CertificateSigned', { certificateChain: CERTIFICATE });

  const firmware = { location, retrieveDateTime: soon(), signingCertificate: CERTIFICATE, signature: 'c2lnbmF0dXJlb2ZmaWxl' };
  await call('UpdateFirmware', { location, retrieveDate: soon() });
  await sleep(500);
  await call('SignedUpdateFirmware', { requestId: 6, firmware: { ...firmware, signingCertificate: 'paper' } });
  await call('SignedUpdateFirmware', { requestId: 7, firmware: { ...firmware, installDateTime: later() } });
  await sleep(500);
  await call('TriggerMessage', { requestedMessage: 'FirmwareStatusNotification' });
  await call('ExtendedTriggerMessage', { requestedMessage: 'FirmwareStatusNotification' });
}

const listening = await server.listen(Number(options.port), '127.0.0.1');
say({ port: listening.address().port });
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
