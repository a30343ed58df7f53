// Whoever computes the checksums, they are right: offload on and off at each end and on the director, in one and in segments.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Method } from '../../src/model/service.ts';
import { addServices, fairlead, type Network, openNetwork, vip } from './network.ts';
import { digest } from './programs/bytes.mjs';
import { readCounter } from './snmp.ts';
import { startTalker, type Talker } from './talk.ts';
import { offload, useXdp } from './xdp.ts';

const methods = ['masq', 'gate', 'tunnel', 'fullnat'] as const;
const bytesProgram = fileURLToPath(new URL('programs/bytes.mjs', import.meta.url));
const fileSize = 3_000_000;
const digestOfFile = digest(fileSize);
/** Odd and even, small and as large as a tunnel takes. */
const datagramSizes = [1, 2, 51, 512, 1023, 1400, 1440];

const segmentations = {
  whole: ['tso', 'on', 'gso', 'on', 'gro', 'off'], // as veth has it
  gathered: ['tso', 'on', 'gso', 'on', 'gro', 'on'],
  'segment by segment': ['tso', 'off', 'gso', 'off', 'gro', 'off'],
} as const;

type Segmentation = keyof typeof segmentations;
type OnOff = 'on' | 'off';

/**
 * Who computes, at the client, on the director and at the real servers: on is the device, which on a veth is nobody; off is the
 * sender, or who forwards.
 */
const settings: readonly (readonly [Segmentation, OnOff, OnOff, OnOff])[] = [
  ['whole', 'on', 'on', 'on'],
  ['whole', 'on', 'off', 'on'],
  ['whole', 'off', 'on', 'off'],
  ['whole', 'off', 'off', 'off'],
  ['whole', 'on', 'off', 'off'],
  ['whole', 'off', 'off', 'on'],
  ['gathered', 'on', 'off', 'on'],
  ['gathered', 'off', 'on', 'off'],
  ['segment by segment', 'on', 'off', 'on'],
  ['segment by segment', 'off', 'on', 'off'],
];

describe.each(methods)('checksums of %s are right', (method) => {
  let network: Network;
  let talker: Talker;

  beforeAll(async () => {
    ({ network, talker } = await open(method));
  });

  afterAll(() => network[Symbol.asyncDispose]());

  test.each(settings)(
    '%s, with offload %s at the client, %s on the director, %s at the real servers',
    async (...how) => {
      const [segmentation, client, director, realServer] = how;
      const features = segmentations[segmentation];
      await Promise.all([
        offload(network.client, 'tx', client, ...features),
        offload(network.director, 'tx', director, ...features),
        ...network.realServers.map((one) => offload(one, 'tx', realServer, ...features)),
      ]);
      await carry(network, talker);
    },
  );

  test('at XDP, which has none to finish them', async () => {
    await offload(network.director, 'tx', 'on', ...segmentations.whole);
    await useXdp(network);
    const before = await traffic();
    await carry(network, talker);
    const after = await traffic();
    expect(after.packets - before.packets).toBeGreaterThan(500);
    expect(after.toTc - before.toTc).toBeLessThan((after.packets - before.packets) / 2); // of those, while neighbours are unknown
  });

  /** What the director was sent, and how much of it XDP left to TC. */
  async function traffic(): Promise<{ readonly packets: number; readonly toTc: number }> {
    const { services } = JSON.parse(await network.director.run(fairlead, 'list', '-o', 'json')) as List;
    const { events } = JSON.parse(await network.director.run(fairlead, 'status', '-o', 'json')) as Status;
    const packets = services.reduce((sum, { counters }) => sum + counters.inPackets, 0);
    return { packets, toTc: events['to-tc'] ?? 0 };
  }
});

interface Status {
  readonly events: Readonly<Record<string, number>>;
}

interface List {
  readonly services: readonly { readonly counters: { readonly inPackets: number } }[];
}

async function open(method: Method): Promise<{ network: Network; talker: Talker }> {
  const network = await openNetwork(method);
  const http = { protocol: 'tcp', port: 80 } as const;
  await addServices(network, [http, { protocol: 'udp', port: 7 }]);
  return { network, talker: await startTalker(network) };
}

/** TCP and UDP, both ways, and no receiver had anything to complain about. */
async function carry(network: Network, talker: Talker): Promise<void> {
  const before = await wrongSums(network);
  const download = `curl -sS --max-time 10 http://${vip}/bytes/${fileSize} | sha256sum`;
  const upload = `"$0" "$1" ${fileSize} | curl -sS --max-time 10 --upload-file - http://${vip}/digest`;
  expect((await network.client.run('sh', '-c', download)).split(' ')[0]).toBe(digestOfFile);
  expect(await network.client.run('sh', '-c', upload, process.execPath, bytesProgram)).toBe(digestOfFile);
  const talk = await talker.open('udp');
  for (const size of datagramSizes) expect(await talk.ask({ size, timeoutMs: 2_000 })).toMatch(/^rs/);
  talk.end();
  expect(await wrongSums(network)).toEqual(before);
}

/** Of the client, then of each real server. */
function wrongSums({ client, realServers }: Network): Promise<readonly (readonly number[])[]> {
  const names = ['Tcp', 'Udp'] as const;
  return Promise.all(
    [client, ...realServers].map((host) => Promise.all(names.map((name) => readCounter(host, name, 'InCsumErrors')))),
  );
}
