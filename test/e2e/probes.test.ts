// Health checks by the path of clients: to the VIP, for one real server each, from a director that holds the VIP itself.
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Child } from '../../src/lab/child.ts';
import { addServices, fairlead, type Network, openNetwork, type RealServer, startServer } from './network.ts';

const program = fileURLToPath(new URL('programs/probe.mjs', import.meta.url));
/** Real servers listen there at every address that they have. */
const shift = 300;
const tcp = { kind: 'tcp' };
const http = { kind: 'http', method: 'GET', path: '/', headers: {}, statuses: [{ first: 200, last: 200 }] };
const named = (name: string): object => ({
  ...http,
  body: { kind: 'regex', source: `^${name}$`, flags: '', isForbidden: false },
});

interface Verdict {
  readonly state: string;
  readonly reason: string;
}

type Ask = (
  check: object,
  port: number,
  options?: { of?: readonly RealServer[]; timeoutMs?: number },
) => Promise<Verdict[]>;

describe.each([
  ['gate', 4, {}],
  ['gate', 6, {}],
  ['tunnel', 4, {}],
  ['tunnel', 6, {}],
  ['tunnel', 4, { type: 'gre', port: 0, checksum: 'none' }],
  ['tunnel', 6, { type: 'gue', port: 6080, checksum: 'none' }],
] as const)('by %s, IPv%s, %j', (method, family, tunnel) => {
  let network: Network;
  let prober: Child;
  let ask: Ask;

  beforeAll(async () => {
    network = await openNetwork(method, family);
    const { director, realServers } = network;
    if ('type' in tunnel) {
      const options = [
        '--method',
        'tunnel',
        '--tun-type',
        tunnel.type,
        ...(tunnel.port === 0 ? [] : ['--tun-port', String(tunnel.port)]),
      ];
      await Promise.all(realServers.map((one) => one.run(fairlead, 'realserver', 'add', network.vip, ...options)));
    }
    await addServices(network, [{ protocol: 'tcp', port: 80 }]);
    const any = family === 4 ? '0.0.0.0' : '::';
    await Promise.all(realServers.map((one) => startServer(one, one.name, any, shift)));
    prober = director.start(process.execPath, program);
    const lines = createInterface({ input: prober.stdout })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('ready');
    ask = async (check, port, { of = realServers, timeoutMs = 5000 } = {}) => {
      const all = of.map(({ rip }) => ({
        vip: network.vip,
        rip,
        method,
        ...('type' in tunnel && { tunnel }),
      }));
      prober.send(JSON.stringify({ all, port, check, timeoutMs }));
      return JSON.parse((await lines.next()).value as string) as Verdict[];
    };
  });

  afterAll(() => network[Symbol.asyncDispose]());

  test('each real server is asked, and its own answer comes back', async () => {
    const { realServers } = network;
    for (const check of [
      tcp,
      http,
      { kind: 'icmp' },
      { kind: 'udp', sendHex: '78', isReplyRequired: true, expect: { kind: 'text', text: ' x' } },
    ]) {
      const port = check.kind === 'udp' ? 7 : 80;
      const verdicts = await ask(check, port);
      expect(
        verdicts.map(({ state }) => state),
        JSON.stringify(verdicts),
      ).toEqual(['up', 'up', 'up']);
    }
    for (const [index, { name }] of realServers.entries()) {
      const verdicts = await ask(named(name), 80);
      expect(verdicts.map(({ state }) => state === 'up')).toEqual([0, 1, 2].map((at) => at === index));
    }
  });

  test('a closed port is refused, by TCP and, as ICMP tells, by UDP', async () => {
    expect(await ask(tcp, 9)).toMatchObject(Array(3).fill({ state: 'down', reason: 'connection refused' }));
    expect(await ask({ kind: 'udp', sendHex: '78', isReplyRequired: false }, 9)).toMatchObject(
      Array(3).fill({ state: 'down', reason: 'the port is unreachable, by ICMP' }),
    );
  });

  test('many at once do not get in each other’s way', async () => {
    const [one, two, three] = network.realServers;
    const verdicts = await ask(http, 80, { of: Array(30).fill([one, two, three]).flat() as RealServer[] });
    expect(new Set(verdicts.map(({ state }) => state))).toEqual(new Set(['up']));
  });

  test('one that has lost its VIP is down though its port answers at its own address', async () => {
    const [one, two] = network.realServers;
    const port = 80 + shift;
    expect(await ask(tcp, port)).toMatchObject([{ state: 'up' }, { state: 'up' }, { state: 'up' }]);
    await one.run('ip', 'addr', 'del', `${network.vip}/${family === 4 ? 32 : 128}`, 'dev', 'lo');
    try {
      const verdicts = await ask(tcp, port, { timeoutMs: 1000 });
      expect(verdicts.map(({ state }) => state)).toEqual(['down', 'up', 'up']);
      const url = `http://${family === 4 ? one.rip : `[${one.rip}]`}:${port}/`;
      expect(await network.director.run('curl', '-sS', '-g', '--max-time', '5', url)).toBe(one.name);
    } finally {
      await one.run('ip', 'addr', 'add', `${network.vip}/${family === 4 ? 32 : 128}`, 'dev', 'lo');
    }
    expect(await ask(tcp, port, { of: [one, two] })).toMatchObject([{ state: 'up' }, { state: 'up' }]);
  });

  test('reverse path filters let the answers in', async () => {
    for (const name of ['all', 'default', 'inner', 'outer', 'fairlead-probe'])
      await network.director.run('sysctl', '-q', `net.ipv4.conf.${name}.rp_filter=1`);
    expect(await ask(tcp, 80)).toMatchObject([{ state: 'up' }, { state: 'up' }, { state: 'up' }]);
  });

  test('clients are served meanwhile, and detach leaves nothing', async () => {
    const url = `http://${family === 4 ? network.vip : `[${network.vip}]`}/`;
    expect(await network.client.run('curl', '-sS', '-g', '--max-time', '5', url)).toMatch(/^rs\d$/);
    await network.director.run(fairlead, 'detach');
    expect(await network.director.run('ip', '-br', 'link')).not.toContain('fairlead-probe');
    for (const name of ['inner', 'outer'])
      expect(await network.director.run('tc', 'qdisc', 'show', 'dev', name)).not.toContain('clsact');
  });
});
