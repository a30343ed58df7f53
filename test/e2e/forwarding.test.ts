// Somebody writes net.ipv4.ip_forward, and nothing can be looked up: who is known goes on, and one command mends the rest.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addServices, clientAddress, fairlead, ipvsadm, type Network, openNetwork, vip } from './network.ts';
import { startTalker, type Talk, type Talker } from './talk.ts';
import { until } from './until.ts';

const sysctl = 'net.ipv4.conf.lo.forwarding';
const newClientAddress = '10.0.0.2';
/** A way is looked up again when it is a second old: this is long enough for all of them. */
const observedMs = 2_500;

const byChange = ['a change of the table', [ipvsadm, '-E', '-t', `${vip}:80`, '-s', 'wlc']] as const;
const bySysctl = ['the command that status tells', ['sysctl', '-q', '-w', `${sysctl}=1`]] as const;

describe.each([
  ['masq', ...byChange],
  ['gate', ...bySysctl],
  ['tunnel', ...byChange],
  ['fullnat', ...bySysctl],
] as const)('by %s, with ip_forward turned on and off,', (method, mender, mend) => {
  let network: Network;
  let talker: Talker;
  let held: readonly [Talk, Talk];

  beforeEach(async () => {
    network = await openNetwork(method);
    await network.client.run('ip', 'address', 'add', `${newClientAddress}/24`, 'dev', 'outer');
    const [rs1, rs2] = network.realServers;
    await addServices(network, [
      { protocol: 'tcp', port: 7, realServers: [rs1] },
      { protocol: 'tcp', port: 80, realServers: [rs1] },
      { protocol: 'udp', port: 7, realServers: [rs2] },
    ]);
    talker = await startTalker(network);
    held = [await talker.open('tcp'), await talker.open('tcp')];
    for (const talk of held) expect(await talk.ask()).toBe('rs1');
    expect(await get(clientAddress)).toBe('rs1');
  });

  afterEach(() => network[Symbol.asyncDispose]());

  test(`connections and known clients go on, and all others after ${mender}`, async () => {
    expect(await network.director.run(fairlead, 'status')).not.toContain(sysctl);
    for (const value of [1, 0]) {
      await network.director.run('sysctl', '-q', `net.ipv4.ip_forward=${value}`);
      for (const talk of held) expect(await talk.ask()).toBe('rs1');
    }
    expect(await network.director.run('sysctl', '-n', sysctl)).toBe('0\n');
    for (const end = performance.now() + observedMs; performance.now() < end; ) {
      for (const talk of held) expect(await talk.ask()).toBe('rs1');
      expect(await get(clientAddress)).toBe('rs1');
    }

    // Nobody knows the way to this real server yet.
    const unknown = await talker.open('udp');
    expect(await unknown.ask({ timeoutMs: 300 })).toBeUndefined();
    if (method === 'masq' || method === 'fullnat') expect(await get(newClientAddress)).toBe('');
    else expect(await get(newClientAddress)).toBe('rs1'); // its replies go past the director
    expect((await status()).missingForwarding).toEqual([sysctl]);
    expect((await status()).reasons['forwarding-off']).toBeGreaterThan(0);
    expect(await network.director.run(fairlead, 'status')).toContain(`  sysctl -w ${sysctl}=1\n`);

    await network.director.run(...mend);
    await until(async () => (await unknown.ask({ timeoutMs: 100 })) === 'rs2', { what: 'a real server that is new' });
    expect(await get(newClientAddress)).toBe('rs1');
    for (const talk of held) expect(await talk.ask()).toBe('rs1');
    expect(await network.director.run(fairlead, 'status')).not.toContain(sysctl);
  });

  /** Empty when there is no answer. */
  async function get(from: string): Promise<string> {
    const command = ['curl', '-sS', '--interface', from, '--max-time', '2', `http://${vip}/`];
    return (await network.client.attempt(command)).stdout;
  }

  async function status(): Promise<Status> {
    return JSON.parse(await network.director.run(fairlead, 'status', '-o', 'json')) as Status;
  }
});

interface Status {
  readonly missingForwarding: readonly string[];
  readonly reasons: Readonly<Record<string, number>>;
}
