// GRE and GUE from a director to a real server of Fairlead's, within and around both families: what arrives is what was sent.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fairlead, type Host, ipvsadm, type Network, openNetwork, restore, vip } from './network.ts';
import { bytes, digest } from './programs/bytes.mjs';
import { startTalker, type Talker } from './talk.ts';
import { until } from './until.ts';

const serverProgram = fileURLToPath(new URL('programs/server.mjs', import.meta.url));
const sizeOfUpload = 1_000_000;
const vipSix = 'fd00:a::100';

const kinds = [
  { name: 'ipip', options: [], added: [] },
  { name: 'gre', options: ['--tun-type', 'gre'], added: ['--tun-type', 'gre'] },
  { name: 'gre with checksum', options: ['--tun-type', 'gre', '--tun-csum'], added: ['--tun-type', 'gre'] },
  ...(
    [
      ['gue', '--tun-nocsum'],
      ['gue with checksum', '--tun-csum'],
      ['gue with remote checksum', '--tun-remcsum'],
    ] as const
  ).map(([name, checksum]) => {
    const added = ['--tun-type', 'gue', '--tun-port', '6080'];
    return { name, options: [...added, checksum], added };
  }),
];
const ways = [
  { how: 'IPv4 within IPv4', service: `${vip}:80`, rip: '10.1.0.1:80' },
  { how: 'IPv6 within IPv6', service: `[${vipSix}]:80`, rip: '[fd00:b::1]:80' },
  { how: 'IPv4 within IPv6', service: `${vip}:80`, rip: '[fd00:b::1]:80' },
  { how: 'IPv6 within IPv4', service: `[${vipSix}]:80`, rip: '10.1.0.1:80' },
] as const;

let folder: string;
let file: string;
let network: Network;
let realServer: Network['realServers'][0];
/** By the VIP. */
const talkers = new Map<string, Talker>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-tunnels-'));
  file = join(folder, 'upload');
  writeFileSync(file, Buffer.concat([...bytes(sizeOfUpload)]));
  network = await openNetwork('tunnel');
  [realServer] = network.realServers;
  const { client, director } = network;
  const addresses: readonly [Host, string, string][] = [
    [client, 'outer', 'fd00:a::1/64'],
    [director, 'outer', 'fd00:a::254/64'],
    [director, 'outer', `${vipSix}/128`],
    [director, 'inner', 'fd00:b::254/64'],
    [realServer, 'outer', 'fd00:a::11/64'],
    [realServer, 'inner', 'fd00:b::1/64'],
  ];
  for (const [host, device, address] of addresses) await host.run('ip', 'addr', 'add', address, 'dev', device, 'nodad');
  for (const address of [vip, vipSix])
    for (const { added } of kinds)
      await realServer.run(fairlead, 'realserver', 'add', address, '--method', 'tunnel', ...added);
  const child = realServer.start(process.execPath, serverProgram, realServer.name, vipSix, '0');
  await child.saying('ready', 'stdout', AbortSignal.timeout(10_000));
  for (const address of [vip, vipSix]) talkers.set(address, await startTalker({ client, vip: address }));
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await realServer?.attempt([fairlead, 'realserver', 'remove', vipSix]);
  await network?.[Symbol.asyncDispose]();
});

describe.each(kinds.flatMap((kind) => ways.map((way) => ({ ...kind, ...way }))))(
  'by $name, $how,',
  ({ name, options, service, rip }) => {
    beforeAll(async () => {
      const [ofUdp, ripOfUdp] = [service, rip].map((end) => end.replace(/80$/, '7'));
      const way = `-i ${options.join(' ')}`;
      await restore(network, [
        ...[`-A -t ${service} -s rr`, `-a -t ${service} -r ${rip} ${way}`],
        ...[`-A -u ${ofUdp} -s rr`, `-a -u ${ofUdp} -r ${ripOfUdp} ${way}`],
      ]);
    });

    afterAll(() => network.director.run(ipvsadm, '-C'));

    const everywhere = { client: 'outer', director: 'inner', realServer: 'inner' } as const;
    test.each<[string, readonly (keyof typeof everywhere)[]]>([
      ['with offloads on', []],
      ['with the client computing its checksums', ['client']],
      ['with the director computing checksums', ['director']],
      ['with offloads off everywhere', ['client', 'director', 'realServer']],
    ])('an upload arrives whole, %s', async (_, off) => {
      const hosts: Readonly<Record<keyof typeof everywhere, Host>> = { ...network, realServer };
      const switchOffload = async (state: 'on' | 'off'): Promise<void> => {
        for (const one of off) await setOffloads(hosts[one], everywhere[one], state);
      };
      const before = await taken();
      await switchOffload('off');
      try {
        expect(await upload(service)).toBe(digest(sizeOfUpload));
      } finally {
        await switchOffload('on');
      }
      const { packets, bytes: size } = await taken();
      expect(size - before.bytes).toBeGreaterThan(sizeOfUpload);
      expect(packets - before.packets).toBeGreaterThan(10);
    });

    if (service.startsWith('['))
      test('a datagram of 8 kB arrives whole once its sender knows what fits', async () => {
        const talk = await talkers.get(vipSix)?.open('udp');
        await talk?.ask({ size: 8000, timeoutMs: 300 });
        expect(await talk?.ask({ size: 8000 })).toBe('rs1');
      });
    else
      test.each<[string, readonly (keyof typeof everywhere)[]]>([
        ['with offloads on', []],
        ['with offloads off', ['client', 'director']],
      ])('what may be fragmented arrives whole, %s', async (_, off) => {
        const hosts: Readonly<Record<keyof typeof everywhere, Host>> = { ...network, realServer };
        for (const one of off) await setOffloads(hosts[one], everywhere[one], 'off');
        await forbidDiscovery(true);
        try {
          const talk = await talkers.get(vip)?.open('udp');
          for (const size of [1450, 8000]) expect(await talk?.ask({ size })).toBe('rs1');
          expect(await upload(service)).toBe(digest(sizeOfUpload));
        } finally {
          await forbidDiscovery(false);
          for (const one of off) await setOffloads(hosts[one], everywhere[one], 'on');
        }
        expect(await reasons()).not.toHaveProperty('must-fragment');
      });

    if (name === 'gue with remote checksum')
      test('what a device was to sum up goes with the place of its checksum', async () => {
        const from = rip.startsWith('[') ? 'ip6[48] == 2' : 'udp[8] == 2';
        const filter = `${rip.startsWith('[') ? 'ip6' : 'ip'} and dst port 6080 and ${from}`;
        const child = realServer.start('tcpdump', '-Z', 'root', '--immediate-mode', '-l', '-n', '-i', 'inner', filter);
        let text = '';
        child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        await child.saying('listening on', 'stderr', AbortSignal.timeout(10_000));
        await upload(service);
        await until(() => text.includes('.6080: UDP'), { what: 'a packet with the place of its checksum' });
      });
  },
);

async function setOffloads(host: Host, device: string, state: 'on' | 'off'): Promise<void> {
  const features = ['tx', 'sg', 'tso', 'gso', 'gro'].flatMap((one) => [one, state]);
  await host.run('ethtool', '-K', device, ...features);
}

/** What the client sends then has no DF; it does not heed either what it learnt before. */
async function forbidDiscovery(isForbidden: boolean): Promise<void> {
  await network.client.run('sysctl', '-q', `net.ipv4.ip_no_pmtu_disc=${isForbidden ? 1 : 0}`);
  await network.client.run('ip', 'route', 'flush', 'cache');
}

/** Why packets were not forwarded. */
async function reasons(): Promise<object> {
  const text = await network.director.run(fairlead, 'status', '-o', 'json');
  const { reasons } = JSON.parse(text) as { readonly reasons: Readonly<Record<string, number>> };
  return Object.fromEntries(Object.entries(reasons).filter(([, count]) => count > 0));
}

/** What the real server makes of what it got. */
function upload(service: string): Promise<string> {
  return network.client.run('curl', '-gsS', '--max-time', '20', '--upload-file', file, `http://${service}/digest`);
}

interface Taken {
  readonly packets: number;
  readonly bytes: number;
}

async function taken(): Promise<Taken> {
  const { vips } = JSON.parse(await realServer.run(fairlead, 'realserver', 'status', '-o', 'json')) as {
    readonly vips: readonly Taken[];
  };
  const sum = (what: keyof Taken): number => vips.reduce((total, one) => total + one[what], 0);
  return { packets: sum('packets'), bytes: sum('bytes') };
}
