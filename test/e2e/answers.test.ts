// What the director answers itself, by ICMP from the VIP: who sends what can't be forwarded learns of it at once, with right sums.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Capture, captureIcmp } from './capture.ts';
import { addServices, clientAddress, dip, methodOption, type Network, openNetwork, restore, vip } from './network.ts';
import { digest } from './programs/bytes.mjs';
import { readCounter } from './snmp.ts';
import { startTalker, type Talker } from './talk.ts';
import { until } from './until.ts';

const bytesProgram = fileURLToPath(new URL('programs/bytes.mjs', import.meta.url));
const fileSize = 3_000_000;
const digestOfFile = digest(fileSize);
/** As other routers, the director heeds a route's MTU only where it is locked. */
const narrow = ['mtu', 'lock', '1400'];

let network: Network;
let talker: Talker;

/**
 * Who computes the sums of what the client sends: itself, or the director's device, or nobody, for a veth's other end trusts
 * them unseen. tcpdump sees sums that are still to be computed as wrong, so in the last case only the kernel's word counts.
 */
const offloads = [
  ['off', 'on'],
  ['on', 'off'],
  ['on', 'on'],
] as const;

describe.each([
  ['masq', 0, clientAddress],
  ['gate', 0, undefined],
  ['tunnel', 20, undefined],
  ['fullnat', 0, dip],
] as const)('%s', (method, header, peer) => {
  beforeAll(async () => {
    network = await openNetwork(method);
    if (method === 'tunnel') await leaveSegmentsAsTheyAre(network);
    await addServices(network, [
      { protocol: 'tcp', port: 80 },
      { protocol: 'tcp', port: 7 },
      { protocol: 'udp', port: 7 },
    ]);
    talker = await startTalker(network);
  });

  afterAll(() => network[Symbol.asyncDispose]());

  test('answers a TTL of 1 with time exceeded from the VIP, whoever computes sums', async () => {
    await network.client.run('sysctl', '-q', 'net.ipv4.ip_default_ttl=1');
    for (const [client, director] of offloads) {
      await offload(client, director);
      const capture = await captureIcmp(network.client, 'outer');
      await expect(talker.open('tcp', { timeoutMs: 100 })).rejects.toThrow();
      const talk = await talker.open('udp');
      expect(await talk.ask({ timeoutMs: 100 })).toBeUndefined();
      const exceeded = `${vip} > ${clientAddress}: ICMP time exceeded in-transit`;
      await until(() => capture.messages().filter((message) => message.includes(exceeded)).length >= 2);
      if (client === 'off' || director === 'off') expectRightSums(capture);
    }
    expect(await readCounter(network.client, 'Icmp', 'InTimeExcds')).toBeGreaterThanOrEqual(6);
    expect(await readCounter(network.client, 'Icmp', 'InCsumErrors')).toBe(0);
    await network.client.run('sysctl', '-q', 'net.ipv4.ip_default_ttl=2');
    expect(await (await talker.open('udp')).ask()).toMatch(/^rs/);
    await network.client.run('sysctl', '-q', 'net.ipv4.ip_default_ttl=64');
  });

  test('refuses at once what no destination is left for', async () => {
    const [rs1] = network.realServers;
    await restore(network, [
      ...[`-A -t ${vip}:81 -s rr`, `-A -u ${vip}:81 -s rr`],
      ...[`-A -t ${vip}:82 -s wlc`, `-a -t ${vip}:82 -r ${rs1.rip}:82 ${methodOption(network)} -w 0`],
    ]);
    const capture = await captureIcmp(network.client, 'outer');
    await offload('off', 'on');
    for (const port of [81, 82]) {
      await expect(talker.open('tcp', { port, timeoutMs: 900 })).rejects.toThrow('ECONNREFUSED');
    }
    const talk = await talker.open('udp', { port: 81 });
    await talk.ask({ timeoutMs: 200 });
    expect(talk.error()).toBe('ECONNREFUSED');
    await until(() => capture.messages().length >= 3);
    for (const message of capture.messages()) {
      expect(message).toContain(`${vip} > ${clientAddress}: ICMP ${vip}`);
      expect(message).toMatch(/(tcp|udp) port 8[12] unreachable/);
    }
    expectRightSums(capture);
  });

  test('tells a client that sends too much for the way what fits, and the transfer goes on', async () => {
    for (const mtu of [1500 - header, 1400 - header]) {
      const isNarrow = mtu < 1480;
      if (isNarrow)
        await network.director.run('ip', 'route', 'change', '10.1.0.0/24', 'dev', 'inner', 'src', dip, ...narrow);
      for (const [client, director] of offloads) {
        await offload(client, director);
        await network.client.run('ip', 'route', 'flush', 'cache');
        const capture = await captureIcmp(network.client, 'outer');
        const needed = `${vip} > ${clientAddress}: ICMP ${vip} unreachable - need to frag (mtu ${mtu})`;
        // A way is looked up once a second: what was sent before may have gone by the old one.
        await until(async () => {
          expect(await upload()).toBe(digestOfFile);
          return mtu === 1500 || capture.messages().some((message) => message.includes(needed));
        });
        if (mtu === 1500) continue;
        if (client === 'off' || director === 'off') expectRightSums(capture);
        expect(await network.client.run('ip', 'route', 'get', vip)).toContain(`mtu ${mtu}`);
      }
    }
    expect(await readCounter(network.client, 'Icmp', 'InCsumErrors')).toBe(0);
  });

  if (peer !== undefined) {
    test('tells a real server that its answer is too large for the way to the client', async () => {
      const way = ['ip', 'route', 'change', '10.0.0.0/24', 'dev', 'outer', 'src', '10.0.0.254'];
      await network.director.run(...way, ...narrow);
      await network.client.run('ip', 'route', 'flush', 'cache'); // or it asks for segments as small as those that it sends
      const captures = await Promise.all(network.realServers.map((one) => captureIcmp(one, 'inner')));
      const download = `curl -sS --max-time 10 http://${vip}/bytes/${fileSize} | sha256sum`;
      await until(async () => {
        expect((await network.client.run('sh', '-c', download)).split(' ')[0]).toBe(digestOfFile);
        return captures.some((capture) => capture.messages().length > 0);
      });
      const [message = ''] = captures.flatMap((capture) => capture.messages());
      expect(message).toContain(`${dip} > `);
      expect(message).toContain(`ICMP ${peer} unreachable - need to frag (mtu 1400)`);
      await network.director.run(...way);
    });

    test('tells a real server that its answer has no time to live left', async () => {
      const [rs1] = network.realServers;
      const capture = await captureIcmp(rs1, 'inner');
      await rs1.run('sysctl', '-q', 'net.ipv4.ip_default_ttl=1');
      for (let turn = 0; turn < 3; turn++) await (await talker.open('udp')).ask({ timeoutMs: 200 });
      await until(() => capture.messages().length > 0);
      expect(capture.messages()[0]).toContain(`${dip} > `);
      expect(capture.messages()[0]).toContain('ICMP time exceeded in-transit');
    });
  }
});

/** What bounds them on real servers of LVS-TUN is taken off, or no client would send too much. */
async function leaveSegmentsAsTheyAre({ realServers }: Network): Promise<void> {
  for (const one of realServers) {
    for (const name of ['outer', 'inner']) await one.run('tc', 'filter', 'del', 'dev', name, 'egress');
  }
}

async function offload(client: 'on' | 'off', director: 'on' | 'off'): Promise<void> {
  await network.client.run('ethtool', '-K', 'outer', 'tx', client);
  await network.director.run('ethtool', '-K', 'outer', 'tx', director);
}

function expectRightSums(capture: Capture): void {
  for (const message of capture.messages()) expect(message).not.toMatch(/wrong|incorrect|bad/);
}

function upload(): Promise<string> {
  const pipe = `"$0" "$1" ${fileSize} | curl -sS --max-time 5 --upload-file - http://${vip}/digest`;
  return network.client.run('sh', '-c', pipe, process.execPath, bytesProgram);
}
