// Upgrades to programs that lay out what they keep in other ways, and back again: nobody notices, and nothing is forgotten.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Method } from '../../src/model/service.ts';
import { makeOtherBuild, type OtherBuild } from '../other-build.ts';
import { randomFrom } from '../random.ts';
import { destination, fairlead, ipvsadm, methodOption, type Network, openNetwork, restore, vip } from './network.ts';
import { startTalker, type Talk } from './talk.ts';
import { useXdp } from './xdp.ts';

let other: OtherBuild;

beforeAll(() => {
  other = makeOtherBuild();
});

afterAll(() => other?.[Symbol.dispose]());

const cases: readonly (readonly [Method, 'tc' | 'xdp'])[] = [
  ['masq', 'tc'],
  ['gate', 'tc'],
  ['tunnel', 'tc'],
  ['fullnat', 'tc'],
  ['masq', 'xdp'],
];

describe.each(cases)('%s at %s', (method, hook) => {
  test('connections, services, counters, marks and settings outlive an upgrade, and one back', async () => {
    await using network = await openNetwork(method);
    await fill(network);
    if (hook === 'xdp') await useXdp(network);
    const talker = await startTalker(network);
    const talks = [await talker.open('tcp'), await talker.open('tcp'), await talker.open('udp')];
    const names = await answers(talks);
    let present = { fairlead, ipvsadm };
    for (const next of [other, present]) {
      const before = await everything(network, present);
      expect(before).toContain('persistent 500');
      expect((await network.director.attempt([next.ipvsadm, '-Ln'])).stderr).toContain('fairlead attach');
      await network.director.run(next.fairlead, 'attach', '--hook', hook, 'outer', 'inner');
      expect(await everything(network, next)).toBe(before);
      expect(await answers(talks)).toEqual(names);
      const fresh = await talker.open('tcp');
      expect(await fresh.ask()).toBe(names[0]); // persistence: the same client, the same real server
      fresh.reset();
      present = next;
    }
  });
});

test('who upgrades may be killed at any moment: packets go on, and the next one brings it to its end', async () => {
  await using network = await openNetwork('masq');
  await fill(network);
  const talker = await startTalker(network);
  // A datagram that comes while packets are held is lost, and nobody sends it again.
  const talks = [await talker.open('tcp'), await talker.open('tcp')];
  const names = await answers(talks);
  const random = randomFrom(Date.now());
  for (let turn = 0; turn < 8; turn++) {
    const builds = turn % 2 === 0 ? [other.fairlead, fairlead] : [fairlead, other.fairlead];
    const abort = AbortSignal.timeout(200 + random.below(1500));
    await network.director.attempt([builds[0] ?? '', 'attach'], {}, abort).catch(() => undefined);
    expect(await answers(talks)).toEqual(names);
  }
  await network.director.run(fairlead, 'attach');
  expect(await answers(talks)).toEqual(names);
  expect(await network.director.run(ipvsadm, '-Ln')).toContain('persistent 500');
});

test('a table that becomes too small is made larger, and connections go on', async () => {
  await using network = await openNetwork('masq');
  await fill(network);
  const talker = await startTalker(network);
  const talks = [await talker.open('tcp'), await talker.open('tcp')];
  const names = await answers(talks);
  const counters = (): Promise<string> => network.director.run(ipvsadm, '-Ln', '--stats', '--exact', '-t', `${vip}:7`);
  const before = await counters();
  const sizeOf = async (): Promise<{ used: number; size: number }> =>
    JSON.parse(await network.director.run(fairlead, 'status', '-o', 'json')).destinations;
  const { used, size } = await sizeOf();
  const more = Array.from(
    { length: size },
    (_, index) => `-a -t ${vip}:9 -r 10.9.${index >> 8}.${index & 255}:${9 + (index >> 16)} -m`,
  );
  await restore(network, [`-A -t ${vip}:9 -s rr`, ...more]);
  expect(await sizeOf()).toMatchObject({ used: used + size, size: size * 2 });
  expect(await counters()).toBe(before);
  expect(await answers(talks)).toEqual(names);
});

/** Something in each of the maps that are kept. */
async function fill(network: Network): Promise<void> {
  const { director, vip, realServers } = network;
  const at = (port: number, ...options: readonly string[]): string[] =>
    realServers.map((one, index) =>
      ['-a', ...options, '-r', destination(network, one, port), methodOption(network), '-w', index + 1].join(' '),
    );
  await restore(network, [
    `-A -t ${vip}:7 -s wlc -p 500`,
    ...at(7, '-t', `${vip}:7`),
    `-A -u ${vip}:7 -s sh`,
    ...at(7, '-u', `${vip}:7`),
    `-A -t ${vip}:8 -s lblcr`,
    ...at(8, '-t', `${vip}:8`),
    '-A -f 7 -s wrr',
  ]);
  await director.run(ipvsadm, '--set', '1000', '100', '200');
  await director.run(fairlead, 'mark', 'add', '-p', 'tcp', '-d', '192.0.2.1', '--dports', '80,443', '--set-mark', '7');
  await director.run(fairlead, 'settings', 'expire_nodest_conn=1');
}

function answers(talks: readonly Talk[]): Promise<readonly (string | undefined)[]> {
  return Promise.all(talks.map((talk) => talk.ask()));
}

/** What operators can see, but for how long connections still live and how busy they are. */
async function everything({ director }: Network, commands: Pick<OtherBuild, 'fairlead' | 'ipvsadm'>): Promise<string> {
  const told = await Promise.all([
    director.run(commands.ipvsadm, '-Sn'),
    director.run(commands.ipvsadm, '-Ln'),
    director.run(commands.ipvsadm, '-Ln', '--stats', '--exact'),
    director.run(commands.ipvsadm, '-L', '--timeout'),
    director.run(commands.ipvsadm, '-Lnc'),
    director.run(commands.fairlead, 'mark', 'list'),
    director.run(commands.fairlead, 'settings'),
  ]);
  return told.join('\n').replace(/ \d\d:\d\d +/g, ' ');
}
