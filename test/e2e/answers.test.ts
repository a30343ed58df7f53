// What the director answers itself, by ICMP from the VIP: who sends what can't be forwarded learns of it at once, with right sums.
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import type { Method } from '../../src/model/service.ts';
import { type Capture, captureIcmp } from './capture.ts';
import {
  addServices,
  clientAddress,
  dip,
  type Host,
  ipvsadm,
  methodOption,
  type Network,
  openNetwork,
  restore,
  vip,
} from './network.ts';
import { bytes } from './programs/bytes.mjs';
import { startTalker, type Talker } from './talk.ts';
import { until } from './until.ts';

const methods = ['masq', 'gate', 'tunnel', 'fullnat'] as const;
const bytesProgram = fileURLToPath(new URL('programs/bytes.mjs', import.meta.url));
const fileSize = 3_000_000;

let network: Network;
let talker: Talker;

afterEach(() => network[Symbol.asyncDispose]());

async function begin(method: Method): Promise<void> {
  network = await openNetwork(method);
  await addServices(network, [
    { protocol: 'tcp', port: 80 },
    { protocol: 'tcp', port: 7 },
    { protocol: 'udp', port: 7 },
  ]);
  talker = await startTalker(network);
}

/**
 * Who computes the sums of what the client sends: itself, or the director's device, or nobody, for a veth's other end trusts
 * them unseen. tcpdump sees sums that are still to be computed as wrong, so in the last case only the kernel's word counts.
 */
const offloads = [
  ['the client computes sums', 'off', 'on'],
  ['the director’s device computes sums', 'on', 'off'],
  ['nobody computes sums', 'on', 'on'],
] as const;

describe.each(methods)('%s', (method) => {
  test('answers a TTL of 1 with time exceeded from the VIP, whoever computes sums', async () => {
    await begin(method);
    await network.client.run('sysctl', '-q', 'net.ipv4.ip_default_ttl=1');
    for (const [_, client, director] of offloads) {
      await offload(client, director);
      const capture = await captureIcmp(network.client, 'outer');
      await expect(talker.open('tcp', { timeoutMs: 100 })).rejects.toThrow();
      const talk = await talker.open('udp');
      expect(await talk.ask({ timeoutMs: 100 })).toBeUndefined();
      const exceeded = `${vip} > ${clientAddress}: ICMP time exceeded in-transit`;
      await until(() => capture.messages().filter((message) => message.includes(exceeded)).length >= 2);
      if (client === 'off' || director === 'off') expectRightSums(capture);
    }
    expect(await counter(network.client, 'Icmp', 'InTimeExcds')).toBeGreaterThanOrEqual(6);
    expect(await counter(network.client, 'Icmp', 'InCsumErrors')).toBe(0);
    await network.client.run('sysctl', '-q', 'net.ipv4.ip_default_ttl=2');
    expect(await (await talker.open('udp')).ask()).toMatch(/^rs/);
  });

  test('refuses at once what no destination is left for', async () => {
    await begin(method);
    const [rs1] = network.realServers;
    await restore(network, [
      ...[`-A -t ${vip}:81 -s rr`, `-A -u ${vip}:81 -s rr`],
      ...[`-A -t ${vip}:82 -s wlc`, `-a -t ${vip}:82 -r ${rs1.rip}:82 ${methodOption(network)} -w 0`],
    ]);
    const capture = await captureIcmp(network.client, 'outer');
    await offload('off', 'on');
    for (const port of [81, 82])
      await expect(talker.open('tcp', { port, timeoutMs: 900 })).rejects.toThrow('ECONNREFUSED');
    const talk = await talker.open('udp', { port: 81 });
    expect(await talk.ask({ timeoutMs: 500 })).toBeUndefined();
    expect(talk.error()).toBe('ECONNREFUSED');
    await until(() => capture.messages().length >= 3);
    for (const message of capture.messages()) expect(message).toContain(`${vip} > ${clientAddress}: ICMP ${vip}`);
    expectRightSums(capture);
  });
});

describe.each([
  ['masq', 1400],
  ['gate', 1400],
  ['tunnel', 1380],
  ['fullnat', 1400],
] as const)('%s', (method, expectedMtu) => {
  test('tells who sends too much for the way what fits, and the transfer goes on', async () => {
    await begin(method);
    await network.director.run(
      'ip',
      'route',
      'change',
      '10.1.0.0/24',
      'dev',
      'inner',
      'src',
      dip,
      'mtu',
      'lock',
      '1400',
    );
    for (const [_, client, director] of offloads) {
      await offload(client, director);
      await network.client.run('ip', 'route', 'flush', 'cache');
      const capture = await captureIcmp(network.client, 'outer');
      expect(await upload()).toBe(digest(fileSize));
      await until(() => capture.messages().length > 0);
      const needed = `${vip} > ${clientAddress}: ICMP ${vip} unreachable - need to frag (mtu ${expectedMtu})`;
      expect(capture.messages()[0]).toContain(needed);
      if (client === 'off' || director === 'off') expectRightSums(capture);
      expect(await network.client.run('ip', 'route', 'get', vip)).toContain(`mtu ${expectedMtu}`);
    }
    expect(await counter(network.client, 'Icmp', 'InCsumErrors')).toBe(0);
  });
});

test('tunnel takes its own header off the MTU of an ordinary network', async () => {
  await begin('tunnel');
  expect(await upload()).toBe(digest(fileSize));
  expect(await network.client.run('ip', 'route', 'get', vip)).toContain('mtu 1480');
});

describe.each([
  ['masq', clientAddress],
  ['fullnat', dip],
] as const)('%s tells a real server', (method, peer) => {
  test('that its answer is too large for the way to the client', async () => {
    await begin(method);
    await network.director.run(
      'ip',
      'route',
      'change',
      '10.0.0.0/24',
      'dev',
      'outer',
      'src',
      '10.0.0.254',
      'mtu',
      'lock',
      '1400',
    );
    const captures = await Promise.all(network.realServers.map((one) => captureIcmp(one, 'inner')));
    const download = `curl -sS --max-time 10 http://${vip}/bytes/${fileSize} | sha256sum`;
    expect((await network.client.run('sh', '-c', download)).split(' ')[0]).toBe(digest(fileSize));
    await until(() => captures.some((capture) => capture.messages().length > 0));
    const [message = ''] = captures.flatMap((capture) => capture.messages());
    expect(message).toContain(`${dip} > `);
    expect(message).toContain(`ICMP ${peer} unreachable - need to frag (mtu 1400)`);
  });

  test('that its answer has no time to live left', async () => {
    await begin(method);
    const capture = await captureIcmp(network.realServers[0], 'inner');
    await network.realServers[0].run('sysctl', '-q', 'net.ipv4.ip_default_ttl=1');
    await network.director.run(ipvsadm, '-E', '-u', `${vip}:7`, '-s', 'rr');
    for (let turn = 0; turn < 3; turn++) await (await talker.open('udp')).ask({ timeoutMs: 200 });
    await until(() => capture.messages().some((message) => message.includes(`${dip} > `)));
    expect(capture.messages()[0]).toContain('ICMP time exceeded in-transit');
  });
});

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

async function counter(host: Host, protocol: string, name: string): Promise<number> {
  const rows = (await host.run('cat', '/proc/net/snmp')).split('\n').map((row) => row.split(' '));
  const [names = [], values = []] = rows.filter(([title]) => title === `${protocol}:`);
  return Number(values[names.indexOf(name)]);
}

function digest(size: number): string {
  const hash = createHash('sha256');
  for (const chunk of bytes(size)) hash.update(chunk);
  return hash.digest('hex');
}
