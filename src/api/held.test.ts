// What the director holds, by the API: told whole, changed all or not at all, and noted.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ApiStage, openApiStage } from '../../test/api.ts';
import { parseAddress } from '../model/address.ts';
import type { Connection, Endpoint } from '../model/director.ts';
import { initialSettings } from '../model/settings.ts';

const text = `services:
  - tcp: 192.0.2.10:80
    checks: none
    destinations: ["10.1.0.1:8080"]
`;
const by = { who: 'ann', why: 'a try' };
let stage: ApiStage;

beforeEach(() => {
  stage = openApiStage(text);
});

afterEach(() => stage[Symbol.dispose]());

test('services are told with their counters', async () => {
  expect(await get('/v1/services')).toMatchObject({
    services: [
      {
        ...{ protocol: 'tcp', vip: '192.0.2.10', port: 80, scheduler: 'wlc', counters: { connections: 0 } },
        destinations: [{ rip: '10.1.0.1', port: 8080, weight: 1, activeConnections: 0, rates: { inBytes: 0 } }],
      },
    ],
  });
});

test('counters are zeroed, of one that there is or of all', async () => {
  const zero = (body: object): Promise<Response> => ask('POST', '/v1/zero', { ...by, ...body });
  expect(await zero({ service: 'tcp 192.0.2.10:80' })).toMatchObject({ status: 204 });
  expect(await zero({})).toMatchObject({ status: 204 });
  expect(await zero({ service: 'tcp 192.0.2.10:81' })).toMatchObject({ status: 404 });
  expect(stage.director.zeroed).toEqual(['tcp 192.0.2.10:80', undefined]);
  expect(await noted(2)).toMatchObject([{ ...by, what: 'zero', subject: 'tcp 192.0.2.10:80' }, { what: 'zero' }]);
});

describe('connections', () => {
  const end = (address: string, port: number): Endpoint => ({ address: parseAddress(address), port });
  const of = (client: Endpoint, more: Partial<Connection> = {}): Connection => ({
    ...{ protocol: 'tcp', state: 'ESTABLISHED', expiresInS: 900, method: 'masq', client },
    ...{ virtual: end('192.0.2.10', 80), destination: end('10.1.0.1', 8080), ...more },
  });

  beforeEach(() => {
    stage.director.connections = [
      of(end('198.51.100.7', 40_000)),
      of(end('198.51.100.7', 40_001), { protocol: 'sctp', state: 'SCTP_COOKIE_SENT', local: end('10.9.0.1', 5000) }),
      of(end('2001:db8::7', 40_000), { virtual: end('2001:db8::10', 443) }),
    ];
  });

  test('are told by the names that ipvsadm has for their states', async () => {
    const { connections, next } = (await get('/v1/connections')) as { connections: object[]; next?: number };
    expect(connections).toHaveLength(3);
    expect(connections[1]).toEqual({
      ...{ protocol: 'sctp', state: 'C-SENT', expiresInS: 900, method: 'masq' },
      ...{ client: '198.51.100.7:40001', virtual: '192.0.2.10:80' },
      ...{ local: '10.9.0.1:5000', destination: '10.1.0.1:8080' },
    });
    expect(next).toBeUndefined();
  });

  test.each([
    ['client=198.51.100.7', ['198.51.100.7:40000', '198.51.100.7:40001']],
    ['client=198.51.100.7:40001', ['198.51.100.7:40001']],
    ['virtual=[2001:db8::10]:443', ['[2001:db8::7]:40000']],
    ['virtual=192.0.2.10&destination=10.1.0.1:8080&client=198.51.100.7:40000', ['198.51.100.7:40000']],
    ['destination=10.1.0.2', []],
  ])('of %s are told alone', async (query, clients) => {
    const { connections } = (await get(`/v1/connections?${query}`)) as { connections: { client: string }[] };
    expect(connections.map(({ client }) => client)).toEqual(clients);
  });

  test('are told page by page, also where a page has none that are asked for', async () => {
    const [one = of(end('198.51.100.7', 1))] = stage.director.connections;
    stage.director.connections = [
      ...Array.from({ length: 10_000 }, () => one),
      ...Array.from({ length: 5 }, (_, port) => of(end('203.0.113.9', port + 1))),
    ];
    const first = await get('/v1/connections?client=203.0.113.9');
    expect(first).toEqual({ connections: [], next: 10_000 });
    const last = (await get('/v1/connections?client=203.0.113.9&from=10000')) as { connections: object[] };
    expect([last.connections.length, 'next' in last]).toEqual([5, false]);
  });

  test.each(['client=nobody', 'virtual=192.0.2.10:99999', 'from=-1', 'from=x'])('of %s are refused', async (query) => {
    expect(await ask('GET', `/v1/connections?${query}`)).toMatchObject({ status: 400 });
  });
});

describe('settings', () => {
  const timeouts = { tcp: 900, tcpFin: 120, udp: 300 };

  test('are told, and some of them set', async () => {
    expect(await get('/v1/settings')).toEqual({ settings: initialSettings, timeouts });
    const wanted = { settings: { sloppy_tcp: 1, drop_entry: 3 }, timeouts: { udp: 60 } };
    const after = { settings: { ...initialSettings, ...wanted.settings }, timeouts: { ...timeouts, udp: 60 } };
    const answer = await ask('PATCH', '/v1/settings', { ...wanted, ...by });
    expect(await answer.json()).toEqual(after);
    expect(await get('/v1/settings')).toEqual(after);
    expect(await noted(1)).toMatchObject([
      { who: 'ann', what: 'settings', why: 'drop_entry=3 sloppy_tcp=1 udp=60: a try' },
    ]);
  });

  test.each([
    [{ settings: { sloppy_tcp: 1, drop_entry: 4 } }, 'settings.drop_entry: expected a number from 0 to 3'],
    [{ settings: { sloppy_tcp: 1, sloppy: 1 } }, 'settings: there is no member "sloppy"'],
    [{ settings: { sloppy_tcp: 1 }, timeouts: { tcp: 0 } }, 'timeouts.tcp: expected a number from 1 to 2147483'],
  ])('%j changes nothing', async (wanted, why) => {
    const answer = await ask('PATCH', '/v1/settings', { ...wanted, ...by });
    expect([answer.status, await answer.json()]).toMatchObject([400, { detail: expect.stringContaining(why) }]);
    expect(await get('/v1/settings')).toEqual({ settings: initialSettings, timeouts });
  });
});

describe('mark rules', () => {
  const rules = ['-p tcp -d 192.0.2.10 --dports 80,443 --set-mark 7', '-i eth1 -j ACCEPT'];
  const put = (wanted: readonly string[], tag?: string): Promise<Response> =>
    ask('PUT', '/v1/mark-rules', { rules: wanted, ...by }, tag === undefined ? {} : { 'If-Match': tag });

  test('are put in the place of others, as they were read', async () => {
    const none = await ask('GET', '/v1/mark-rules');
    expect(await none.json()).toEqual({ rules: [] });
    const set = await put(['-p tcp --dports 80,443 -d 192.0.2.10/32 --set-mark 0x7', '-i eth1 -j ACCEPT'], tagOf(none));
    expect(await set.json()).toEqual({ rules });
    const read = await ask('GET', '/v1/mark-rules');
    expect([await read.json(), tagOf(read)]).toEqual([{ rules }, tagOf(set)]);
    expect(await noted(1)).toMatchObject([{ who: 'ann', what: 'mark-rules', why: '2 rules: a try' }]);
  });

  test('that somebody else has changed meanwhile, or that are wrong, stay', async () => {
    const before = tagOf(await ask('GET', '/v1/mark-rules'));
    await put(rules);
    expect(await put([], before)).toMatchObject({ status: 412 });
    const wrong = await put(['-p tcp --set-mark 1', '-p icmp --set-mark 1']);
    expect([wrong.status, await wrong.json()]).toMatchObject([
      400,
      { detail: expect.stringContaining('rules.1: no service') },
    ]);
    expect(await get('/v1/mark-rules')).toEqual({ rules });
  });
});

async function ask(method: string, path: string, body?: object, headers = {}): Promise<Response> {
  return stage.app.request(path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
}

async function get(path: string): Promise<unknown> {
  const answer = await ask('GET', path);
  expect(answer.status).toBe(200);
  return answer.json();
}

function tagOf(answer: Response): string {
  return answer.headers.get('etag') ?? '';
}

async function noted(count: number): Promise<unknown> {
  return ((await get(`/v1/journal?count=${count}`)) as { entries: unknown }).entries;
}
