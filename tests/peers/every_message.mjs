// A charge point on `ocpp-rpc` (npm) in strict mode that says every message a charge point may say, and answers every
// one it may be asked, until it is asked for a DataTransfer of the vendor "end". Prints one JSON line: what it was
// asked, and every message of the central system that broke the library's own copy of the official OCPP 1.6 schemas.
//
//   node tests/peers/every_message.mjs --url ws://127.0.0.1:9000/ocpp --id STRICT --modules build/peers

import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    id: { type: 'string', default: 'STRICT' },
    modules: { type: 'string', default: 'build/peers' },
  },
});
const { RPCClient } = createRequire(resolve(options.modules, 'package.json'))('ocpp-rpc');

const now = new Date().toISOString();
const accepted = { status: 'Accepted' };
const hash = { hashAlgorithm: 'SHA256', issuerNameHash: 'aa', issuerKeyHash: 'bb', serialNumber: '01' };
const answers = {
  CancelReservation: accepted,
  CertificateSigned: accepted,
  ChangeAvailability: { status: 'Scheduled' },
  ChangeConfiguration: { status: 'RebootRequired' },
  ClearCache: accepted,
  ClearChargingProfile: { status: 'Unknown' },
  DataTransfer: accepted,
  DeleteCertificate: accepted,
  ExtendedTriggerMessage: accepted,
  GetCompositeSchedule: { status: 'Rejected' },
  GetConfiguration: { configurationKey: [], unknownKey: [] },
  GetDiagnostics: { fileName: 'd.zip' },
  GetInstalledCertificateIds: { status: 'Accepted', certificateHashData: [hash] },
  GetLocalListVersion: { listVersion: 0 },
  GetLog: { status: 'Accepted', filename: 'log.txt' },
  InstallCertificate: accepted,
  RemoteStartTransaction: accepted,
  RemoteStopTransaction: accepted,
  ReserveNow: accepted,
  Reset: accepted,
  SendLocalList: accepted,
  SetChargingProfile: accepted,
  SignedUpdateFirmware: accepted,
  TriggerMessage: accepted,
  UnlockConnector: { status: 'Unlocked' },
  UpdateFirmware: {},
};
const sample = { value: '1', measurand: 'Energy.Active.Import.Register', unit: 'Wh' };
const calls = [
  ['BootNotification', { chargePointVendor: 'ocpp-rpc', chargePointModel: 'strict' }],
  ['Heartbeat', {}],
  ['StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Available' }],
  ['Authorize', { idTag: 'EV-1' }],
  ['Authorize', { idTag: 'EV-2' }],
  ['StartTransaction', { connectorId: 1, idTag: 'EV-1', meterStart: 0, timestamp: now }],
  ['MeterValues', { connectorId: 1, meterValue: [{ timestamp: now, sampledValue: [sample] }] }],
  ['StopTransaction', { idTag: 'EV-1', meterStop: 1, timestamp: now }],
  ['DataTransfer', { vendorId: 'org.example', messageId: 'ping', data: 'x' }],
  ['DataTransfer', { vendorId: 'org.unknown' }],
  ['DiagnosticsStatusNotification', { status: 'Uploading' }],
  ['FirmwareStatusNotification', { status: 'Installing' }],
  ['LogStatusNotification', { status: 'Uploaded', requestId: 1 }],
  ['SecurityEventNotification', { type: 'SettingSystemTime', timestamp: now }],
  ['SignCertificate', { csr: '-----BEGIN CERTIFICATE REQUEST-----\nx' }],
  ['SignCertificate', { csr: 'nonsense' }],
  ['SignedFirmwareStatusNotification', { status: 'Installed', requestId: 1 }],
];

const summary = { asked: [], said: [], failures: [], own_failures: [] };
const client = new RPCClient({
  endpoint: options.url,
  identity: options.id,
  protocols: ['ocpp1.6'],
  strictMode: true,
  reconnect: false,
});
const ended = new Promise((end) => {
  for (const [action, answer] of Object.entries(answers)) {
    client.handle(action, ({ params }) => {
      if (action === 'DataTransfer' && params.vendorId === 'end') end();
      summary.asked.push(action);
      return answer;
    });
  }
});
client.on('strictValidationFailure', ({ method, error, outbound }) => {
  (outbound ? summary.own_failures : summary.failures).push(`${method}: ${error.message}`);
});
client.on('badMessage', ({ error }) => summary.failures.push(String(error)));

await client.connect();
let transactionId = 0;
for (const [action, payload] of calls) {
  try {
    const params = action === 'StopTransaction' ? { transactionId, ...payload } : payload;
    const answer = await client.call(action, params);
    if (action === 'StartTransaction') ({ transactionId } = answer);
    summary.said.push(action);
  } catch (error) {
    summary.failures.push(`${action}: ${error.message}`);
  }
}
await ended;
await client.close();
console.log(JSON.stringify(summary));
