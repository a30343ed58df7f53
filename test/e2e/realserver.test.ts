// A real server of LVS-TUN as a person makes one: it carries traffic, survives being killed half-way, and leaves no trace.
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addServices, fairlead, type Host, type Network, openNetwork, vip } from './network.ts';
import { bytes } from './programs/bytes.mjs';
import { withoutRoot } from './unprivileged.ts';

const bytesProgram = fileURLToPath(new URL('programs/bytes.mjs', import.meta.url));
const dieProgram = fileURLToPath(new URL('programs/die.mjs', import.meta.url));
const [add, remove] = [
  ['realserver', 'add', vip, '--method', 'tunnel'],
  ['realserver', 'remove', vip],
];
const sizeOfUpload = 1_000_000;
const mtu = 1500;

let network: Network;
let realServer: Network['realServers'][0];

beforeAll(async () => {
  network = await openNetwork('tunnel');
  [realServer] = network.realServers;
  await addServices(network, [{ protocol: 'tcp', port: 80, realServers: [realServer] }]);
});

afterAll(() => network[Symbol.asyncDispose]());

describe('an upload through the tunnel arrives whole', () => {
  const everywhere = { client: 'outer', director: 'inner', realServer: 'inner' } as const;
  test.each<[string, readonly (keyof typeof everywhere)[]]>([
    ['with offloads on', []],
    ['with the client computing its checksums', ['client']],
    ['with the director computing checksums', ['director']],
    ['with offloads off everywhere', ['client', 'director', 'realServer']],
  ])('%s', async (_, off) => {
    const hosts: Readonly<Record<keyof typeof everywhere, Host>> = { ...network, realServer };
    const switchOffload = async (state: 'on' | 'off'): Promise<void> => {
      for (const name of off) {
        await hosts[name].run(
          'ethtool',
          '-K',
          everywhere[name],
          ...['tx', 'sg', 'tso', 'gso', 'gro'].flatMap((one) => [one, state]),
        );
      }
    };
    const before = (await status()).vips[0];
    await switchOffload('off');
    try {
      expect(await upload()).toBe(digest());
    } finally {
      await switchOffload('on');
    }
    const after = (await status()).vips[0];
    const [packets, size] = (['packets', 'bytes'] as const).map((what) => (after?.[what] ?? 0) - (before?.[what] ?? 0));
    expect(size).toBeGreaterThan(sizeOfUpload);
    // Many segments at once, which are cut only where a wire needs it.
    if (off.length === 0) expect((size ?? 0) / (packets ?? 1)).toBeGreaterThan(mtu);
  });
});

describe('with strict reverse path filtering', () => {
  beforeAll(async () => {
    await realServer.run(fairlead, ...remove);
    await setStrict(1);
    await realServer.run('ip', 'route', 'add', 'default', 'via', '10.0.0.1', 'dev', 'outer');
  });

  afterAll(async () => {
    await realServer.run('ip', 'route', 'del', 'default');
    await setStrict(0);
    await realServer.run(fairlead, ...add);
  });

  test('replies may leave by another interface than the tunnel came by, and all is as before afterwards', async () => {
    const before = await traces();
    expect(await realServer.run(fairlead, ...add)).toContain('net.ipv4.conf.inner.rp_filter: 1 -> 2');
    expect(await upload()).toBe(digest());
    await realServer.run(fairlead, ...remove);
    expect(await traces()).toEqual(before);
  });
});

describe('commands', () => {
  beforeEach(async () => {
    await realServer.run(fairlead, 'realserver', 'reset');
  });

  afterAll(async () => {
    await realServer.run(fairlead, ...add);
  });

  test('that add and remove decide whether a request is answered', async () => {
    expect((await request()).status).not.toBe(0);
    await realServer.run(fairlead, ...add);
    expect(await request()).toMatchObject({ status: 0, stdout: realServer.name });
    await realServer.run(fairlead, ...remove);
    expect((await request()).status).not.toBe(0);
  });

  test('that are killed at any moment leave what removing restores', async () => {
    const before = await traces();
    const begunMs = performance.now();
    await realServer.run(fairlead, ...add);
    const wholeMs = performance.now() - begunMs;
    const kills = 4;
    for (let kill = 0; kill < kills; kill++) {
      // Most of the time is taken by the start, when nothing is changed yet.
      const afterMs = wholeMs * (0.4 + (0.6 * kill) / kills);
      for (const words of [remove, add]) {
        await realServer.attempt(['timeout', '--signal=KILL', String(afterMs / 1000), fairlead, ...words]);
      }
      if ((await status()).vips.length > 0) await realServer.run(fairlead, ...remove);
      expect(await traces(), `killed after ${afterMs} ms`).toEqual(before);
      await realServer.run(fairlead, ...add);
      expect(await request()).toMatchObject({ status: 0, stdout: realServer.name });
    }
    await realServer.run(fairlead, ...remove);
  });

  test.each([
    ['a tunnel', { method: 'tunnel', arp: 'ignore' }, ''],
    ['gate with arptables', { method: 'gate', arp: 'arptables' }, ''],
    ['that beside a rule of somebody', { method: 'gate', arp: 'arptables' }, 'arptables -A INPUT -s 9.9.9.9 -j DROP'],
  ])(
    'that are killed at each step of adding %s, and of undoing it, leave what reset restores',
    async (_, kind, set) => {
      await realServer.run('sh', '-ec', set);
      const before = await traces();
      const wanted = JSON.stringify({ vip, ...kind, tunnel: { type: 'ipip', port: 0 } });
      for (let steps = 1, isWhole = false; !isWhole; steps++) {
        isWhole = (await die(steps, 'add', wanted)) === 0;
        await die(steps, 'reset');
        await realServer.run(fairlead, 'realserver', 'reset');
        expect(await traces(), `killed after ${steps} steps`).toEqual(before);
      }
      await realServer.attempt(['nft', 'delete', 'table', 'arp', 'filter']);
    },
  );

  test('that apply a file make what it names, and take away what it named before', async () => {
    const before = await traces();
    const apply = (text: string): ReturnType<Host['attempt']> =>
      realServer.attempt([fairlead, 'realserver', 'apply', '-'], { input: text });
    const byHand = '203.0.113.9';
    await realServer.run(fairlead, 'realserver', 'add', byHand, '--method', 'fullnat');
    const both = `vips:\n- {vip: ${vip}, method: tunnel, mtu: 1400}\n- {vip: 203.0.113.8, method: gate}\n`;
    expect(await apply(both)).toMatchObject({ status: 0, stderr: '' });
    expect((await status()).vips.map((one) => one.vip)).toEqual([byHand, vip, '203.0.113.8']);
    expect(await request()).toMatchObject({ status: 0, stdout: realServer.name });
    expect(await apply(`vips:\n- {vip: ${vip}, method: gat}\n`)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('stdin:2:29: vips[0].method: expected one of gate, tunnel or fullnat, got "gat"'),
    });
    expect(await apply('vips: []\n')).toMatchObject({ status: 0 });
    expect((await status()).vips.map((one) => one.vip)).toEqual([byHand]);
    await realServer.run(fairlead, 'realserver', 'reset');
    expect(await traces()).toEqual(before);
  });

  test('that run at once do all that they were asked', async () => {
    const before = await traces();
    const vips = [1, 2, 3].map((last) => `203.0.113.${last}`);
    const all = (...words: readonly string[]): Promise<readonly string[]> =>
      Promise.all(vips.map((each) => realServer.run(fairlead, 'realserver', words[0] ?? '', each, ...words.slice(1))));
    await all('add', '--method', 'tunnel');
    expect((await status()).vips.map((one) => one.vip).sort()).toEqual(vips);
    await all('remove');
    expect(await traces()).toEqual(before);
  });

  test.each([
    ['without root', [...withoutRoot, fairlead, ...add], 'only root may do this'],
    ['for a VIP that is not there', [fairlead, ...remove], `${vip} is not a VIP that was added`],
    [
      'where an interface has the address',
      [fairlead, ...add.with(2, '10.1.0.1')],
      'inner has 10.1.0.1 and answers ARP',
    ],
  ])('are refused %s, and change nothing', async (_, command, message) => {
    const before = await traces();
    expect(await realServer.attempt(command)).toEqual({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining(message),
    });
    expect(await traces()).toEqual(before);
  });
});

describe('beside arptables of somebody', () => {
  const second = '203.0.113.9';
  const addArp = (one: string): Promise<string> =>
    realServer.run(fairlead, 'realserver', 'add', one, '--method', 'gate', '--arp', 'arptables');
  const setUp = (script: string): Promise<string> => realServer.run('sh', '-ec', script);
  const own: readonly (readonly [string, string])[] = [
    ['a rule in INPUT', 'arptables -A INPUT -s 9.9.9.9 -j DROP'],
    ['a rule in OUTPUT', 'arptables -A OUTPUT -s 9.9.9.9 -j mangle --mangle-ip-s 9.9.9.8'],
    ['rules in both', 'arptables -A INPUT -s 9.9.9.9 -j DROP; arptables -A OUTPUT -d 9.9.9.9 -j DROP'],
    ['a policy', 'arptables -P OUTPUT DROP'],
    ['a chain of their own', 'arptables -N own'],
    [
      'a chain of their own, and a rule that leads to it',
      'arptables -A OUTPUT -s 9.9.9.8 -j DROP; arptables -N own; arptables -A OUTPUT -s 9.9.9.9 -j own',
    ],
    ['a set of nft', "nft add table arp filter; nft add set arp filter s '{ type ipv4_addr; }'"],
  ];

  beforeAll(async () => {
    await realServer.run(fairlead, ...remove);
  });

  afterEach(async () => {
    await realServer.run(fairlead, 'realserver', 'reset');
    await realServer.attempt(['nft', 'delete', 'table', 'arp', 'filter']);
  });

  afterAll(async () => {
    await realServer.run(fairlead, ...add);
  });

  test.each<readonly [string, string]>([
    ...own,
    ['nothing', 'true'],
    ['a table without chains', 'nft add table arp filter'],
    ['a chain without rules', 'arptables -A INPUT -s 9.9.9.9 -j DROP; arptables -D INPUT -s 9.9.9.9 -j DROP'],
  ])('who has %s, VIPs come and go without a trace', async (_, script) => {
    await setUp(script);
    const before = await traces();
    await addArp(vip);
    const one = await traces();
    await addArp(second);
    await realServer.run(fairlead, 'realserver', 'remove', second);
    expect(await traces()).toEqual(one);
    await realServer.run(fairlead, 'realserver', 'reset');
    expect(await traces()).toEqual(before);
  });

  test.each(own)('who makes %s meanwhile, just that stays', async (_, script) => {
    await setUp(script);
    const wanted = await traces();
    await realServer.run('nft', 'delete', 'table', 'arp', 'filter');
    await addArp(vip);
    await setUp(script);
    await realServer.run(fairlead, 'realserver', 'reset');
    expect(await traces()).toEqual(wanted);
  });

  test('who empties all meanwhile, adding again mends it, and nothing is left in the end', async () => {
    const before = await traces();
    await setUp('arptables -A INPUT -s 9.9.9.9 -j DROP');
    await addArp(vip);
    await realServer.run('nft', 'delete', 'table', 'arp', 'filter');
    await addArp(vip);
    expect(await realServer.run('arptables-save')).toContain(`-A INPUT -j DROP -d ${vip}`);
    await realServer.run(fairlead, 'realserver', 'reset');
    expect(await traces()).toEqual(before);
  });
});

interface Status {
  readonly vips: readonly { readonly vip: string; readonly packets: number; readonly bytes: number }[];
}

async function status(): Promise<Status> {
  return JSON.parse(await realServer.run(fairlead, 'realserver', 'status', '-o', 'json'));
}

/** The exit status: 0 when there were no more steps. */
async function die(steps: number, ...work: readonly string[]): Promise<number> {
  return (await realServer.attempt([process.execPath, dieProgram, String(steps), ...work])).status;
}

function request(): ReturnType<Host['attempt']> {
  return network.client.attempt(['curl', '-sS', '--max-time', '1', `http://${vip}/`]);
}

/** What the real server makes of what it got. */
function upload(): Promise<string> {
  const script = `"$0" "$1" ${sizeOfUpload} | curl -sS --max-time 20 --upload-file - http://${vip}/digest`;
  return network.client.run('sh', '-c', script, process.execPath, bytesProgram);
}

function digest(): string {
  const hash = createHash('sha256');
  for (const chunk of bytes(sizeOfUpload)) hash.update(chunk);
  return hash.digest('hex');
}

async function setStrict(value: 0 | 1): Promise<void> {
  await realServer.run(
    'sysctl',
    '-q',
    `net.ipv4.conf.all.rp_filter=${value}`,
    `net.ipv4.conf.inner.rp_filter=${value}`,
  );
}

async function traces(): Promise<readonly string[]> {
  const filters = 'for each in inner outer; do tc filter show dev $each ingress; tc filter show dev $each egress; done';
  const others =
    "ip addr; ip route show table all; sysctl -a -r '^net'; tc qdisc show; nft list ruleset; arptables-save";
  const text = await realServer.run('sh', '-ec', `${filters}; ${others}`);
  // The comments of arptables tell the time.
  return text.split('\n').filter((line) => !line.startsWith('#'));
}
