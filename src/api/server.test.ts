// The daemon by its API, on a director that is held in memory: what operators say is heeded, told, and outlives it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseConfig } from '../config/load.ts';
import type { Target } from '../control/apply.ts';
import { Daemon } from '../control/daemon.ts';
import { Journal } from '../control/journal.ts';
import type { Log } from '../control/log.ts';
import type { InstalledService } from '../model/director.ts';
import { type Everything, nothingInstalled } from '../model/everything.ts';
import { toApp } from './server.ts';

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const service = 'tcp 192.0.2.10:80';
const first = '10.1.0.1:8080';
const place = `/v1/services/${encodeURIComponent(service)}/destinations/${encodeURIComponent(first)}/override`;
const file = (weight: number): string => `services:
  - tcp: 192.0.2.10:80
    checks: none
    destinations: [{rip: "10.1.0.1:8080", weight: ${weight}}, "10.1.0.2:8080"]
`;

let folder: string;
let text: string;
let director: Target & { services(): readonly InstalledService[]; weights(): Readonly<Record<string, number>> };
let daemon: Daemon;
let app: ReturnType<typeof toApp>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-api-'));
  text = file(5);
  director = inMemory();
  start();
});

afterEach(() => {
  daemon[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

describe('an override', () => {
  test('quiesces, weighs, and is lifted', async () => {
    expect(await put({ state: 'quiesced', who: 'ann', why: 'disk' })).toMatchObject({ status: 204 });
    expect(director.weights()).toEqual({ '10.1.0.1:8080': 0, '10.1.0.2:8080': 1 });
    expect(await put({ weight: 9, who: 'ann', why: '' })).toMatchObject({ status: 204 });
    expect(director.weights()[first]).toBe(9);
    await app.request(place, { method: 'DELETE', body: JSON.stringify({ who: 'bob', why: 'done' }) });
    expect(director.weights()[first]).toBe(5);
    const { entries } = (await (await app.request('/v1/journal?count=2')).json()) as { entries: unknown[] };
    expect(entries).toMatchObject([
      { who: 'ann', what: 'set weight 9', subject: `${service} ${first}` },
      { who: 'bob', what: 'enable', why: 'done' },
    ]);
  });

  test('outlives the daemon and a change of the file', async () => {
    await put({ state: 'quiesced', who: 'ann', why: 'disk' });
    text = file(7);
    expect(await (await app.request('/v1/reload', { method: 'POST' })).json()).toEqual({ changed: 0 });
    daemon[Symbol.dispose]();
    start();
    expect(director.weights()).toEqual({ '10.1.0.1:8080': 0, '10.1.0.2:8080': 1 });
    const { services } = (await (await app.request('/v1/status')).json()) as { services: { destinations: object[] }[] };
    expect(services[0]?.destinations[0]).toMatchObject({ declaredWeight: 7, weight: 0, override: { who: 'ann' } });
  });

  test('that drains removes it once it has no connections', async () => {
    await put({ state: 'draining', who: 'ann', why: '' });
    expect(director.weights()[first]).toBe(0);
    await expect.poll(() => director.weights(), { timeout: 5000 }).toEqual({ '10.1.0.2:8080': 1 });
  });

  test.each<[string, unknown, number]>([
    ['of nothing', {}, 400],
    ['of both', { state: 'quiesced', weight: 1, who: '', why: '' }, 400],
    ['of an unknown state', { state: 'gone', who: '', why: '' }, 400],
    ['of too much', { weight: 2 ** 31, who: '', why: '' }, 400],
    ['without who', { weight: 1, why: '' }, 400],
    ['with a member too many', { weight: 1, who: '', why: '', x: 1 }, 400],
    ['that is a list', [], 400],
  ])('%s is refused, and changes nothing', async (_, body, status) => {
    const response = await put(body);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ status, code: 'bad-input' });
    expect(director.weights()[first]).toBe(5);
  });

  test('of one that is not declared is not found', async () => {
    const body = JSON.stringify({ weight: 1, who: '', why: '' });
    const other = place.replace('8080', '8081');
    expect(await app.request(other, { method: 'PUT', body })).toMatchObject({ status: 404 });
    expect(await app.request('/v1/nowhere')).toMatchObject({ status: 404 });
  });
});

test('a file with a mistake changes nothing, and the answer says what is wrong', async () => {
  text = 'services:\n  - tcp: 192.0.2.10\n';
  const response = await app.request('/v1/reload', { method: 'POST' });
  expect(response.status).toBe(400);
  expect(((await response.json()) as { detail: string }).detail).toContain('web.yaml:2');
  expect(director.weights()[first]).toBe(5);
});

function start(): void {
  const journal = new Journal(join(folder, 'journal'));
  const load = () => parseConfig(Buffer.from(text), 'web.yaml');
  daemon = new Daemon({ load, director, memoryPath: join(folder, 'memory'), journal, log: silent });
  app = toApp({ daemon, installed: () => director.services(), journal, log: silent });
}

async function put(body: unknown): Promise<Response> {
  return await app.request(place, { method: 'PUT', body: JSON.stringify(body) });
}

function inMemory(): typeof director {
  let present: Everything = nothingInstalled;
  return {
    everything: () => present,
    changeEverything: (edit) => {
      present = edit(present);
    },
    services: () =>
      present.table.services.map((one) => ({
        ...one,
        ...counted,
        destinations: one.destinations.map((each) => ({ ...each, ...counted, ...unused })),
      })),
    weights: () =>
      Object.fromEntries(
        present.table.services
          .flatMap(({ destinations }) => destinations)
          .map(({ rip, port, weight }) => [`${rip.bytes.join('.')}:${port}`, weight]),
      ),
  };
}

const none = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };
const counted = { counters: none, rates: none };
const unused = { activeConnections: 0, inactiveConnections: 0, persistentConnections: 0 };
