// The checker of the connection table sees each kind of damage, and none where there is none.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type ControlWord, controlOf } from '../../src/dataplane/control.ts';
import { upgrade } from '../../src/dataplane/director.ts';
import type { Maps } from '../../src/dataplane/maps.ts';
import { parseAddress } from '../../src/model/address.ts';
import { takeCensus } from '../invariants.ts';
import { build, flag } from '../packets.ts';
import { client, destination, openStage, type Stage, service, six, vip } from './stage.ts';

let stage: Stage;

beforeAll(() => {
  stage = openStage();
  stage.install(
    service({ destinations: [destination(1, 'masq')] }),
    service({ port: 81, destinations: [destination(2, 'gate')] }),
  );
});

beforeEach(() => {
  stage.settle();
  for (let port = 2000; port < 2100; port++) {
    for (const destinationPort of [80, 81]) {
      const ends = { source: client, destination: vip, sourcePort: port, destinationPort };
      stage.walk(build({ ...ends, flags: flag.syn }));
    }
  }
});

afterAll(() => stage?.[Symbol.dispose]());

test('a table that packets made is sound', () => {
  expect(takeCensus(stage.maps)).toEqual({ connections: 200, replies: 100, violations: [] });
});

test('of a table that an earlier build has made, IPv6 entries go where that one would look for them', () => {
  using former = openStage();
  former.maps.rows('instances').patch(0, { pair_keys: [0n, 0n, 0n, 0n], build: 0 });
  expect(former.run(upgrade)).toBe(true);
  const rip = parseAddress(six.rip(1));
  former.install(service({ vip: six.vip, destinations: [{ ...destination(1, 'masq'), rip }] }));
  for (let sourcePort = 2000; sourcePort < 2100; sourcePort++)
    former.walk(build({ source: six.client, destination: six.vip, sourcePort, destinationPort: 80, flags: flag.syn }));
  expect(former.maps.rows('instances').read(0)).toMatchObject({ pair_keys: [0n, 0n, 0n, 0n] });
  expect(takeCensus(former.maps)).toEqual({ connections: 100, replies: 100, violations: [] });
});

/** Of a connection by masq, or by gate. */
function slotOf(maps: Maps, isTranslated: boolean): number {
  const flows = maps.rows('flows');
  const { flowKinds, numbers } = maps.vocabulary;
  for (let slot = 0; slot < flows.length; slot++) {
    const isLive = controlOf(numbers).kind(flows.number('control').get(slot)) === flowKinds.get('FLOW_LIVE');
    if (isLive && (flows.number('partner').get(slot) !== numbers.NO_PARTNER) === isTranslated) return slot;
  }
  throw new Error('there is no such connection');
}

test.each<[string, RegExp, (maps: Maps) => void]>([
  ['an entry that is not linked', /not linked/, (maps) => maps.rows('flows').bigint('home').set(homeOf(maps), 0n)],
  ['an entry that is half made', /rests in FLOW_BUSY/, (maps) => setKind(maps, 1)],
  ['an entry that went without being unlinked', /where no entry of it is/, (maps) => setKind(maps, 0)],
  ['a key that two entries have', /the same key/, duplicate],
  ['a reply without its connection', /whose partner/, (maps) => setKind(maps, 0)],
  ['a destination that counts too many', /there are/, (maps) => maps.rows('destinations').number('active').set(0, 999)],
  ['a connection that counts as what it is not', /counts as inactive/, (maps) => change(maps, { isInactive: true })],
  [
    'a page that a sweep would pass over',
    /has no bit/,
    (maps) => void new Uint8Array(maps.map('flow_pages').mmap()).fill(0),
  ],
])('%s is seen', (_, message, damage) => {
  damage(stage.maps);
  expect(takeCensus(stage.maps).violations.join('\n')).toMatch(message);
});

function change(maps: Maps, difference: Partial<ControlWord>): void {
  const words = maps.rows('flows').number('control');
  const control = controlOf(maps.vocabulary.numbers);
  const slot = slotOf(maps, true);
  words.set(slot, control.encode({ ...control.decode(words.get(slot)), ...difference }));
}

function setKind(maps: Maps, kind: number): void {
  change(maps, { kind });
}

/** The home of a connection: its slot less what its offset says. */
function homeOf(maps: Maps): number {
  const flows = maps.rows('flows');
  const slot = slotOf(maps, true);
  const { offset } = controlOf(maps.vocabulary.numbers).decode(flows.number('control').get(slot));
  return (slot - (offset * (offset + 1)) / 2 + flows.length) % flows.length;
}

function duplicate(maps: Maps): void {
  const flows = maps.rows('flows');
  const [one, other] = [slotOf(maps, true), slotOf(maps, false)];
  for (const member of ['addresses', 'ports']) flows.bigint(member).set(other, flows.bigint(member).get(one));
}
