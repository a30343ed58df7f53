// The API of a running daemon as others use it: the library's examples, curl by TLS with tokens, and Prometheus' port.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { certificate, privateKey } from '../../src/health/testdata/certificate.ts';
import { root } from '../root.ts';
import { fairlead, ipvsadm, type Network, openNetwork, vip } from './network.ts';
import { until } from './until.ts';

const folder = mkdtempSync(join(tmpdir(), 'fairlead-e2e-api-'));
const file = join(folder, 'web.yaml');
const service = `tcp ${vip}:80`;
const tokens = { reader: 'read-me', writer: 'write-me' } as const;
/** SHA-256 of each, as `printf %s TOKEN | sha256sum` prints it. */
const digests = {
  reader: 'aacb0b575020df5ae74a4b28174ad2e998236b1218c3e39f7de44025ccde7502',
  writer: '0f21a2c7f5acac46525ced0fb095e565eeaa155a3666ce047d3b9f0c5211073d',
} as const;
const director = '10.0.0.254';

let network: Network;
let socket: string;

const declare = (port = 8443): string => `services:
  - tcp: ${vip}:80
    method: masq
    checks: none
    destinations: ["10.1.0.1:8080", "10.1.0.2:8080"]
api:
  socket: ${folder}/api.sock
  listen: ${director}:${port}
  tls: {certificate: ${folder}/certificate.pem, key: ${folder}/key.pem}
  tokens:
    - {name: grafana, role: read, sha256: ${digests.reader}}
    - {name: deploy, role: write, sha256: ${digests.writer}}
metrics: ${director}:9150
`;

beforeAll(async () => {
  network = await openNetwork('masq');
  writeFileSync(join(folder, 'certificate.pem'), certificate);
  writeFileSync(join(folder, 'key.pem'), privateKey, { mode: 0o600 });
  writeFileSync(file, declare());
  const daemon = network.director.start(fairlead, 'run', '-c', file);
  await daemon.saying('the daemon runs', 'stdout', AbortSignal.timeout(20_000));
  socket = join(folder, 'api.sock');
});

afterAll(async () => {
  await network?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test('examples: status, edit, drain', async () => {
  expect(await example('status')).toBe(
    `${service} -> 10.1.0.1:8080: up, weight 1, 0 connections\n${service} -> 10.1.0.2:8080: up, weight 1, 0 connections\n`,
  );
  expect(await example('edit', '10.1.0.2:8080', '10.1.0.3:8080')).toBe('1 services changed\n');
  expect(await example('drain', service, '10.1.0.3:8080')).toMatch(/^drain: a new release\ndrained: /);
  expect(await example('status')).toContain('10.1.0.3:8080: up, weight 0, 0 connections');
});

test('examples: connections', async () => {
  await network.client.attempt(['curl', '-sS', '--max-time', '5', `http://${vip}/`]);
  const listed = await network.director.run(ipvsadm, '-Lnc');
  const [, state = '', from = ''] = /^TCP +\S+ +(\w+) +(10\.\S+:\d+)/m.exec(listed) ?? [];
  const [line = '', ...others] = (await example('connections')).trim().split('\n');
  expect([state, others]).toEqual(['TIME_WAIT', []]);
  expect(line.replace(/10\.1\.0\.[12]/, 'RIP')).toBe(`${from} -> ${vip}:80 -> RIP:8080: TIME_WAIT`);
  expect(await example('connections', '198.51.100.99')).toBe('');
});

test('what commands set is told, and what is set by the API commands tell', async () => {
  const by = { who: 'deploy', why: '' };
  const send = (method: string, path: string, body: object): ReturnType<typeof curl> =>
    curl(path, tokens.writer, '-X', method, '-d', JSON.stringify({ ...body, ...by }));
  await network.director.run(fairlead, 'settings', 'sloppy_tcp=1');
  const set = await send('PATCH', '/v1/settings', { settings: { nat_icmp_send: 1 }, timeouts: { udp: 60 } });
  expect(JSON.parse(set.body)).toMatchObject({
    settings: { sloppy_tcp: 1, nat_icmp_send: 1 },
    timeouts: { tcp: 900, udp: 60 },
  });
  expect(await network.director.run(fairlead, 'settings', 'nat_icmp_send')).toBe('1\n');
  expect(await network.director.run(ipvsadm, '-L', '--timeout')).toContain('900 120 60');
  await network.director.run(fairlead, 'mark', 'add', '-p', 'tcp', '--dport', '81', '--set-mark', '7');
  const { rules } = JSON.parse((await curl('/v1/mark-rules', tokens.reader)).body);
  expect(rules).toEqual(['-p tcp --dport 81 --set-mark 7']);
  await send('PUT', '/v1/mark-rules', { rules: [...rules, '-p udp --set-mark 8'] });
  expect(await network.director.run(fairlead, 'mark', 'list')).toContain('2  -p udp --set-mark 8');
  expect(await curl('/v1/mark-rules', tokens.reader, '-X', 'PUT', '-d', '{}')).toMatchObject({ status: 403 });
  await network.director.run(ipvsadm, '-A', '-u', '10.0.0.101:53');
  const { services } = JSON.parse((await curl('/v1/services', tokens.reader)).body);
  expect(services.map(({ vip: address, port }: { vip: string; port: number }) => [address, port])).toEqual([
    [vip, 80],
    ['10.0.0.101', 53],
  ]);
  expect(services[0].counters.connections).toBeGreaterThan(0);
  expect(await send('POST', '/v1/zero', { service })).toMatchObject({ status: 204 });
  expect(JSON.parse((await curl('/v1/services', tokens.reader)).body).services[0].counters.connections).toBe(0);
});

test('by TLS, from another machine: who has which token may do what', async () => {
  const place = `/v1/services/${encodeURIComponent(service)}/destinations/10.1.0.1%3A8080/override`;
  const heavy = ['-X', 'PUT', '-d', '{"weight": 7, "who": "me", "why": ""}'];
  expect(await curl('/v1/status')).toMatchObject({ status: 401 });
  expect(await curl('/v1/status', 'guess')).toMatchObject({ status: 401 });
  expect(await curl('/v1/status', tokens.reader)).toMatchObject({
    status: 200,
    body: expect.stringContaining(service),
  });
  expect(await curl(place, tokens.reader, ...heavy)).toMatchObject({ status: 403 });
  expect(await curl('/v1/config', tokens.reader)).toMatchObject({ status: 403 });
  expect(await curl(place, tokens.writer, ...heavy)).toMatchObject({ status: 204 });
  expect(await network.director.run(ipvsadm, '-Sn')).toContain('-r 10.1.0.1:8080 -m -w 7');
});

test('metrics have a port of their own, and where the API listens follows the file', async () => {
  const scraped = await network.client.run('curl', '-sS', `http://${director}:9150/metrics`);
  expect(scraped).toContain(`fairlead_destination_up{service="${service}",destination="10.1.0.1:8080"} 1\n`);
  // The data plane's timer runs.
  expect(Number(/^fairlead_sweep_late_seconds (\S+)$/m.exec(scraped)?.[1])).toBeLessThan(1);
  expect(await network.client.run('curl', '-sS', `http://${director}:9150/v1/status`)).toContain('nothing is at');
  writeFileSync(file, declare(9443));
  await network.director.run('curl', '-sS', '--unix-socket', socket, '-X', 'POST', 'http://d/v1/reload');
  await until(async () => (await curl('/v1/status', tokens.reader, 9443)).status === 200, { what: 'the new port' });
  expect(await curl('/v1/status', tokens.reader)).toMatchObject({ status: 0 });
});

async function example(name: string, ...words: readonly string[]): Promise<string> {
  const path = join(root, 'examples', `${name}.mjs`);
  return network.director.run('env', `FAIRLEAD_SOCKET=${socket}`, process.execPath, path, ...words);
}

async function curl(
  path: string,
  token = '',
  ...more: readonly (string | number)[]
): Promise<{ readonly status: number; readonly body: string }> {
  const port = more.find((one) => typeof one === 'number') ?? 8443;
  const { stdout } = await network.client.attempt([
    ...['curl', '-sS', '--cacert', join(folder, 'certificate.pem'), '--resolve', `www.example:${port}:${director}`],
    ...(token === '' ? [] : ['-H', `Authorization: Bearer ${token}`]),
    ...['-w', '\n%{http_code}', ...more.filter((one) => typeof one === 'string')],
    `https://www.example:${port}${path}`,
  ]);
  const [, body = '', status] = /^([\s\S]*)\n(\d+)$/.exec(stdout) ?? [];
  return { status: Number(status), body };
}
