// Changes of the network below the director, with traffic running: the packets themselves find the new way, without a process.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addServices, type Network, openNetwork } from './network.ts';
import { startTalker, type Talk, type Talker } from './talk.ts';
import { until } from './until.ts';
import { useXdp } from './xdp.ts';

/** A look-up is at most a second old, and TCP's retransmission may then wait for twice as long as it was in vain. */
const patienceMs = 6_000;

describe.each([
  ['masq', 'tc'],
  ['gate', 'xdp'],
  ['tunnel', 'tc'],
  ['fullnat', 'xdp'],
] as const)('%s at %s follows', (method, hook) => {
  let network: Network;
  let talker: Talker;
  let held: readonly [Talk, Talk];

  beforeAll(async () => {
    network = await openNetwork(method);
    const realServers = network.realServers.slice(0, 1);
    await addServices(network, [
      { protocol: 'tcp', port: 7, realServers },
      { protocol: 'udp', port: 7, realServers },
    ]);
    if (hook === 'xdp') await useXdp(network);
    talker = await startTalker(network);
  });

  afterAll(() => network[Symbol.asyncDispose]());

  beforeEach(async () => {
    held = [await talker.open('udp'), await talker.open('tcp')];
    for (const talk of held) expect(await talk.ask()).toBe('rs1');
  });

  afterEach(() => {
    for (const talk of held) talk.end();
  });

  test('a real server that announces a new MAC', async () => {
    const [rs1] = network.realServers;
    await rs1.run('sysctl', '-q', 'net.ipv4.conf.inner.arp_notify=1');
    await follow(() => rs1.run('ip', 'link', 'set', 'inner', 'address', '02:00:00:00:00:11'));
  });

  // Slow to watch, and no method's own: once at each hook.
  if (method === 'masq' || method === 'gate') {
    test('a real server that changes its MAC unannounced', async () => {
      const [rs1] = network.realServers;
      await rs1.run('sysctl', '-q', 'net.ipv4.conf.inner.arp_notify=0');
      // Or it takes the half minute that it takes any host: entries that were just confirmed are trusted for so long.
      const probing = [
        'base_reachable_time_ms=300',
        'delay_first_probe_time=1',
        'ucast_solicit=1',
        'retrans_time_ms=200',
      ];
      await network.director.run('sysctl', '-q', ...probing.map((setting) => `net.ipv4.neigh.inner.${setting}`));
      await follow(() => rs1.run('ip', 'link', 'set', 'inner', 'address', '02:00:00:00:00:12'), 15_000);
    });
  }

  test('neighbours that are forgotten', () =>
    follow(() => network.director.run('sh', '-c', 'ip neigh flush dev inner; ip neigh flush dev outer')));

  test.each(['inner', 'outer'])('its interface %s going down and up again', (name) =>
    follow(async () => {
      await network.director.run('ip', 'link', 'set', name, 'down');
      expect(await held[0].ask({ timeoutMs: 300 })).toBeUndefined();
      await network.director.run('ip', 'link', 'set', name, 'up');
    }),
  );

  test('a client that changes its MAC', async () => {
    await network.client.run('sysctl', '-q', 'net.ipv4.conf.outer.arp_notify=1');
    await follow(() => network.client.run('ip', 'link', 'set', 'outer', 'address', '02:00:00:00:00:13'));
  });

  if (method === 'gate' || method === 'tunnel') {
    test('a route that moves to another interface', async () => {
      const [rs1] = network.realServers;
      await follow(() => network.director.run('ip', 'route', 'add', `${rs1.rip}/32`, 'via', '10.0.0.11'));
      await follow(() => rs1.run('ip', 'link', 'set', 'inner', 'down')); // the way that nothing takes any more
      await rs1.run('ip', 'link', 'set', 'inner', 'up');
      await follow(() => network.director.run('ip', 'route', 'del', `${rs1.rip}/32`));
    });
  }

  /** What is open goes on, and what is new is open, soon after. */
  async function follow(change: () => Promise<unknown>, withinMs = patienceMs): Promise<void> {
    await change();
    const [udp, tcp] = held;
    const deadline = performance.now() + withinMs;
    const remaining = (): number => Math.max(100, deadline - performance.now());
    await until(async () => (await udp.ask({ timeoutMs: 100 })) === 'rs1', { timeoutMs: withinMs, what: 'UDP' });
    expect(await tcp.ask({ timeoutMs: remaining() })).toBe('rs1');
    const fresh = await talker.open('tcp', { timeoutMs: remaining() });
    expect(await fresh.ask({ timeoutMs: remaining() })).toBe('rs1');
    fresh.end();
  }
});
