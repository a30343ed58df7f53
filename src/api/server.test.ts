// The daemon by its API, on a director that is held in memory: what operators say is heeded, told, and outlives it.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ApiStage, openApiStage } from '../../test/api.ts';

const service = 'tcp 192.0.2.10:80';
const first = '10.1.0.1:8080';
const place = `/v1/services/${encodeURIComponent(service)}/destinations/${encodeURIComponent(first)}/override`;
const file = (weight: number): string => `services:
  - tcp: 192.0.2.10:80
    checks: none
    destinations: [{rip: "10.1.0.1:8080", weight: ${weight}}, "10.1.0.2:8080"]
`;

let stage: ApiStage;

beforeEach(() => {
  stage = openApiStage(file(5));
});

afterEach(() => stage[Symbol.dispose]());

describe('an override', () => {
  test('quiesces, weighs, and is lifted', async () => {
    expect(await put({ state: 'quiesced', who: 'ann', why: 'disk' })).toMatchObject({ status: 204 });
    expect(stage.director.weights()).toEqual({ '10.1.0.1:8080': 0, '10.1.0.2:8080': 1 });
    expect(await put({ weight: 9, who: 'ann', why: '' })).toMatchObject({ status: 204 });
    expect(stage.director.weights()[first]).toBe(9);
    await stage.app.request(place, { method: 'DELETE', body: JSON.stringify({ who: 'bob', why: 'done' }) });
    expect(stage.director.weights()[first]).toBe(5);
    const { entries } = (await (await stage.app.request('/v1/journal?count=2')).json()) as { entries: unknown[] };
    expect(entries).toMatchObject([
      { who: 'ann', what: 'set weight 9', subject: `${service} ${first}` },
      { who: 'bob', what: 'enable', why: 'done' },
    ]);
  });

  test('outlives the daemon and a change of the file', async () => {
    await put({ state: 'quiesced', who: 'ann', why: 'disk' });
    stage.text = file(7);
    expect(await (await stage.app.request('/v1/reload', { method: 'POST' })).json()).toEqual({ changed: 0 });
    stage.restart();
    expect(stage.director.weights()).toEqual({ '10.1.0.1:8080': 0, '10.1.0.2:8080': 1 });
    const { services } = (await (await stage.app.request('/v1/status')).json()) as {
      services: { destinations: object[] }[];
    };
    expect(services[0]?.destinations[0]).toMatchObject({ declaredWeight: 7, weight: 0, override: { who: 'ann' } });
  });

  test('that drains removes it once it has no connections', async () => {
    await put({ state: 'draining', who: 'ann', why: '' });
    expect(stage.director.weights()[first]).toBe(0);
    await expect.poll(() => stage.director.weights(), { timeout: 5000 }).toEqual({ '10.1.0.2:8080': 1 });
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
    expect(stage.director.weights()[first]).toBe(5);
  });

  test('of one that is not declared is not found', async () => {
    const body = JSON.stringify({ weight: 1, who: '', why: '' });
    const other = place.replace('8080', '8081');
    expect(await stage.app.request(other, { method: 'PUT', body })).toMatchObject({ status: 404 });
    expect(await stage.app.request('/v1/nowhere')).toMatchObject({ status: 404 });
  });
});

describe('whoever has looked before', () => {
  const body = { weight: 2, who: 'ann', why: '' };
  const tag = async (): Promise<string> => (await ask('GET', '/v1/config')).headers.get('etag') ?? '';

  test('changes what is as it was then', async () => {
    const before = await tag();
    const answer = await put(body, { 'If-Match': before });
    expect(answer.status).toBe(204);
    expect(answer.headers.get('etag')).toBe(await tag());
    expect(await tag()).not.toBe(before);
  });

  test('and not what somebody else has changed since', async () => {
    const before = { 'If-Match': await tag() };
    await put({ ...body, weight: 3 });
    for (const [method, path, text] of [
      ['PUT', place, JSON.stringify(body)],
      ['DELETE', place, JSON.stringify({ who: '', why: '' })],
      ['PUT', '/v1/config', file(9)],
      ['POST', '/v1/reload', undefined],
    ] as const) {
      const answer = await ask(method, path, text, before);
      expect([path, answer.status, await answer.json()]).toMatchObject([path, 412, { code: 'changed' }]);
    }
    expect(stage.director.weights()[first]).toBe(3);
  });
});

test('a configuration is read, planned, checked, and put in force as it was written', async () => {
  expect(await (await ask('GET', '/v1/config')).text()).toBe(file(5));
  const planned = (await (await ask('POST', '/v1/plan', file(6))).json()) as object;
  expect(planned).toMatchObject({ services: [{ action: 'change', destinations: [{ destination: first }] }] });
  expect(stage.director.weights()[first]).toBe(5);
  expect(await (await ask('POST', '/v1/check', file(6))).json()).toEqual({ services: 1, destinations: 2 });
  expect(await (await ask('PUT', '/v1/config', file(6))).json()).toEqual(planned);
  expect(stage.director.weights()[first]).toBe(6);
  expect(await (await ask('GET', '/v1/config')).text()).toBe(file(6));
  const wrong = await ask('PUT', '/v1/config?name=mine.yaml', 'services: 7\n');
  expect([wrong.status, ((await wrong.json()) as { detail: string }).detail]).toEqual([
    400,
    expect.stringContaining('mine.yaml:1:11'),
  ]);
});

test('a plan knows what operators said, and leaves it', async () => {
  await put({ state: 'quiesced', who: 'ann', why: '' });
  const planned = (await (await ask('POST', '/v1/plan', file(5))).json()) as { services: unknown[] };
  expect(planned.services).toEqual([]);
  expect(stage.director.weights()[first]).toBe(0);
});

test('what clients tell counts, and outlives plans and configurations that are refused', async () => {
  stage.text = file(5).replace('checks: none', 'checks: {passive: {failures: 3, pause: 1h}}');
  await ask('POST', '/v1/reload');
  const isUp = async (): Promise<unknown> => {
    const { services } = (await (await ask('GET', '/v1/status')).json()) as { services: { destinations: object[] }[] };
    return services[0]?.destinations[0];
  };
  // The first look is what there was before.
  await expect
    .poll(
      async () => {
        stage.director.failures++;
        return isUp();
      },
      { timeout: 10_000, interval: 300 },
    )
    .toMatchObject({ isUp: false, checks: [{ kind: 'passive', state: 'down' }] });
  await ask('POST', '/v1/plan', file(6));
  await ask('PUT', '/v1/config', 'services: 7');
  stage.text = stage.text.replace('weight: 5', 'weight: 6');
  await ask('POST', '/v1/reload');
  expect(await isUp()).toMatchObject({ isUp: false, declaredWeight: 6 });
});

test('events come as they happen, and those that were missed', async () => {
  const response = await ask('GET', '/v1/events');
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const events = readEvents(response);
  await put({ weight: 3, who: 'ann', why: 'less' });
  await put({ weight: 4, who: 'ann', why: 'more' });
  const [one, two] = [await events.next(), await events.next()];
  expect([one.value, two.value]).toMatchObject([
    { kind: 'change', entry: { what: 'set weight 3', who: 'ann', why: 'less' } },
    { kind: 'change', entry: { what: 'set weight 4' } },
  ]);
  await events.return(undefined);
  const again = readEvents(await ask('GET', '/v1/events', undefined, { 'Last-Event-ID': one.value?.entry.id ?? '' }));
  expect((await again.next()).value).toEqual(two.value);
  await again.return(undefined);
});

interface Told {
  readonly kind: string;
  readonly entry: { readonly id: string; readonly what: string };
}

async function* readEvents({ body }: Response): AsyncGenerator<Told, undefined> {
  let text = '';
  for await (const piece of body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(piece).toString();
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = new Map(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => line.split(/: (.*)/s) as [string, string]),
      );
      text = text.slice(end + 2);
      const data = fields.get('data');
      if (data !== undefined) yield { kind: fields.get('event') ?? '', entry: JSON.parse(data) };
    }
  }
  return undefined;
}

test('metrics are of what is declared, installed and counted', async () => {
  await put({ weight: 3, who: 'ann', why: '' });
  const text = await (await ask('GET', '/metrics')).text();
  for (const line of [
    `fairlead_destination_weight{service="${service}",destination="${first}"} 3`,
    `fairlead_destination_up{service="${service}",destination="${first}"} 1`,
    `fairlead_destination_overridden{service="${service}",destination="${first}"} 1`,
    `fairlead_service_quorum{service="${service}"} 1`,
    'fairlead_not_forwarded_packets_total{reason="no-route"} 3',
    'fairlead_events_total{event="expired"} 7',
    'fairlead_table_used{table="connections"} 1',
    'fairlead_interface_attached{interface="eth0",hook="tc"} 1',
    'fairlead_changes_total{what="set weight"} 1',
    'fairlead_build_info{version="0"} 1',
  ])
    expect(text).toContain(`${line}\n`);
  // Scraped again, counters are what they were.
  const figures = (scrape: string) => scrape.split('\n').filter((line) => !line.startsWith('fairlead_daemon_'));
  expect(figures(await (await ask('GET', '/metrics')).text())).toEqual(figures(text));
});

test('a file with a mistake changes nothing, and the answer says what is wrong', async () => {
  stage.text = 'services:\n  - tcp: 192.0.2.10\n';
  const response = await stage.app.request('/v1/reload', { method: 'POST' });
  expect(response.status).toBe(400);
  expect(((await response.json()) as { detail: string }).detail).toContain('web.yaml:2');
  expect(stage.director.weights()[first]).toBe(5);
});

function put(body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return ask('PUT', place, JSON.stringify(body), headers);
}

async function ask(
  method: string,
  path: string,
  body?: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return await stage.app.request(path, { method, headers, ...(body !== undefined && { body }) });
}
