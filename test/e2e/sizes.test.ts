// Packets too large for their way: who may be told learns what fits, and what may be fragmented arrives in pieces.
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { addServices, fairlead, type Host, inUrl, ipvsadm, type Network, openNetwork } from './network.ts';
import { digest } from './programs/bytes.mjs';
import { startTalker, type Talker } from './talk.ts';
import { offload } from './xdp.ts';

const bytesProgram = fileURLToPath(new URL('programs/bytes.mjs', import.meta.url));
const sizeOfUpload = 300_000;

let network: Network;
let talker: Talker;

afterAll(() => network?.[Symbol.asyncDispose]());

describe.each(['masq', 'gate', 'fullnat'] as const)('behind a link of 1400 bytes, by %s,', (method) => {
  beforeAll(async () => {
    network = await openNetwork(method);
    const { director } = network;
    await director.run(
      'ip',
      'route',
      'replace',
      '10.1.0.0/24',
      'dev',
      'inner',
      'src',
      '10.1.0.254',
      'mtu',
      'lock',
      '1400',
    );
    await addServices(network, [
      { protocol: 'tcp', port: 80 },
      { protocol: 'udp', port: 7 },
    ]);
    talker = await startTalker(network);
  });

  afterEach(async () => {
    await forbidDiscovery(false);
    await setOffloads('on');
  });

  afterAll(async () => {
    const { director } = network;
    const text = await director.run(fairlead, 'status', '-o', 'json');
    await network[Symbol.asyncDispose]();
    expect(JSON.parse(text)).toMatchObject({ reasons: { 'must-fragment': 0, 'adjust-failed': 0 } });
  });

  test.each(['on', 'off'] as const)('what may be fragmented arrives whole, with offloads %s', async (state) => {
    await setOffloads(state);
    await forbidDiscovery(true);
    const talk = await talker.open('udp');
    for (const size of [1400, 1450, 8000]) expect(await talk.ask({ size })).toMatch(/^rs/);
    expect(await upload()).toBe(digest(sizeOfUpload));
  });

  test('who may be told learns what fits', async () => {
    expect(await upload()).toBe(digest(sizeOfUpload));
    const talk = await talker.open('udp');
    for (const size of [1450, 8000]) {
      await talk.ask({ size, timeoutMs: 300 });
      expect(await talk.ask({ size })).toMatch(/^rs/);
    }
  });

  if (method === 'gate')
    test('a datagram that is scheduled by itself is scheduled once', async () => {
      const { director, vip } = network;
      await director.run(ipvsadm, '-E', '-u', `${vip}:7`, '-s', 'rr', '-o');
      await director.run(ipvsadm, '-Z');
      await forbidDiscovery(true);
      const talk = await talker.open('udp');
      const answers: (string | undefined)[] = [];
      for (const size of [1450, 1450, 8000, 1450, 8000, 1450]) answers.push(await talk.ask({ size }));
      expect(answers.slice(0, 3)).toEqual(answers.slice(3));
      expect(new Set(answers).size).toBe(3);
      const { services } = JSON.parse(await director.run(fairlead, 'list', '-o', 'json')) as {
        readonly services: readonly { readonly port: number; readonly counters: { readonly connections: number } }[];
      };
      expect(services.find(({ port }) => port === 7)?.counters.connections).toBe(6);
    });
  else
    test('answers to a client behind a narrower link do too', async () => {
      const { director } = network;
      await director.run(
        'ip',
        'route',
        'replace',
        '10.0.0.0/24',
        'dev',
        'outer',
        'src',
        '10.0.0.254',
        'mtu',
        'lock',
        '1300',
      );
      await forbidDiscovery(true);
      const talk = await talker.open('udp');
      for (const size of [8000, 3000]) expect(await talk.ask({ size })).toMatch(/^rs/);
    });
});

/** rs1 is behind rs2, which routes and has a link of 1400 bytes to it. */
describe.each([
  { family: 4, far: '10.9.0.1', router: '10.1.0.2', near: '10.1.0.1', subnet: '10.9.0.0/24', all: 32, fits: 1380 },
  { family: 6, far: 'fd00:9::1', router: 'fd00:b::2', near: 'fd00:b::1', subnet: 'fd00:9::/64', all: 128, fits: 1360 },
] as const)('a tunnel through a router with a link of 1400 bytes, IPv$family,', ({ family, far, ...way }) => {
  beforeAll(async () => {
    network = await openNetwork('tunnel', family);
    const { director, vip } = network;
    const [rs1, rs2] = network.realServers;
    const forwarding = family === 4 ? 'net.ipv4.ip_forward=1' : 'net.ipv6.conf.all.forwarding=1';
    await rs2.run('sysctl', '-q', forwarding);
    await rs2.run('ip', 'route', 'add', way.subnet, 'via', way.near, 'mtu', 'lock', '1400');
    await rs1.run('ip', 'addr', 'add', `${far}/${way.all}`, 'dev', 'lo');
    await director.run('ip', 'route', 'add', way.subnet, 'via', way.router);
    for (const [kind, port] of [
      ['-t', 80],
      ['-u', 0],
    ] as const) {
      await director.run(ipvsadm, '-A', kind, `${inUrl(vip)}:${port}`, '-s', 'rr', '-p', '60');
      await director.run(ipvsadm, '-a', kind, `${inUrl(vip)}:${port}`, '-r', `${inUrl(far)}:${port}`, '-i');
    }
  });

  afterAll(() => network[Symbol.asyncDispose]());

  test('tracepath ends with what fits', async () => {
    const { client, vip } = network;
    const text = await client.run('tracepath', '-n', '-m', '6', vip);
    expect(text).toContain(`Resume: pmtu ${way.fits}`);
    expect(text).toMatch(/reached/);
  });

  test('traceroute ends at the VIP', async () => {
    const { client, vip } = network;
    const hops = (await client.run('traceroute', '-n', '-q', '1', '-m', '6', vip)).trim().split('\n').slice(1);
    // The director, rs2 and rs1; a router on a tunnel's way is told of by who sends into it.
    expect(hops.length).toBeGreaterThanOrEqual(2);
    expect(hops.at(0)).toContain(` ${vip} `);
    expect(hops.at(-1)).toContain(` ${vip} `);
  });

  test('an upload arrives whole, and the path is remembered', async () => {
    expect(await upload()).toBe(digest(sizeOfUpload));
    const { events } = JSON.parse(await network.director.run(fairlead, 'status', '-o', 'json')) as {
      readonly events: Readonly<Record<string, number>>;
    };
    expect(events['path-mtu']).toBeGreaterThanOrEqual(1);
  });

  test('a clamp has the real server told of no more than fits', async () => {
    const { client, director, vip } = network;
    const [rs1] = network.realServers;
    await director.run(ipvsadm, '-E', '-t', `${inUrl(vip)}:80`, '-s', 'rr', '-p', '60', '--mss-clamp');
    const child = rs1.start(
      'tcpdump',
      '-Z',
      'root',
      '--immediate-mode',
      '-l',
      '-n',
      '-i',
      'inner',
      'ip proto 4 or ip6 proto 41',
    );
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    await child.saying('listening on', 'stderr', AbortSignal.timeout(10_000));
    await client.run('curl', '-gsS', '--max-time', '20', `http://${inUrl(vip)}/`);
    await expect.poll(() => text).toContain(`mss ${way.fits - (family === 4 ? 40 : 60)}`);
  });
});

async function setOffloads(state: 'on' | 'off'): Promise<void> {
  const hosts: readonly Host[] = [network.client, network.director, ...network.realServers];
  for (const host of hosts) await offload(host, 'tx', state, 'tso', state, 'gso', state);
}

/** What is sent then has no DF, and nobody heeds what was learnt before. */
async function forbidDiscovery(isForbidden: boolean): Promise<void> {
  for (const host of [network.client, ...network.realServers]) {
    await host.run('sysctl', '-q', `net.ipv4.ip_no_pmtu_disc=${isForbidden ? 1 : 0}`);
    await host.run('ip', 'route', 'flush', 'cache');
  }
}

/** What the real server makes of what it got. */
function upload(): Promise<string> {
  const url = `http://${inUrl(network.vip)}/digest`;
  const script = `"$0" "$1" ${sizeOfUpload} | curl -gsS --max-time 20 --upload-file - ${url}`;
  return network.client.run('sh', '-c', script, process.execPath, bytesProgram);
}
