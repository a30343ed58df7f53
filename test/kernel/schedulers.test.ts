// The schedulers, met by real packets: the sequences that IPVS of Linux 6.1 gave, edits in the middle included.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LiveDestination } from '../../src/dataplane/live.ts';
import { readLive } from '../../src/dataplane/read.ts';
import { formatAddress, parseAddress } from '../../src/model/address.ts';
import type { Destination, Method, Scheduler, Service } from '../../src/model/service.ts';
import { schedulers } from '../../src/model/service.ts';
import { preferredBy, takeCensus } from '../invariants.ts';
import { build, flag, parse } from '../packets.ts';
import { randomFrom } from '../random.ts';
import { type EditedSchedule, readEditedSchedules, realServer } from '../reference/edited-schedules.ts';
import { destination, openStage, ripMac, type Stage, service } from './stage.ts';

/** In a sequence a digit is the real server, 'x' a refusal, '|' the next edit. */
interface Recording {
  readonly scheduler: Scheduler;
  readonly flags: readonly string[];
  readonly weights: readonly number[];
  /** Of the real servers. */
  readonly port: number;
  /** All connections stay open; else each is closed before the next. */
  readonly isHeld: boolean;
  readonly sequence: string;
  /** What each connection is between. */
  readonly ends: (connection: number) => { readonly source: string; readonly destination: string };
}

const client = '10.0.0.1';
const vip = '10.0.0.100';
/** Of the services that were recorded with a firewall mark for many addresses. */
const marked = Array.from({ length: 20 }, (_, index) => `203.0.113.${index + 1}`);
const text = readFileSync(new URL('../fixtures/sched.txt', import.meta.url), 'utf8').split('\n');

let stage: Stage;

beforeAll(() => {
  stage = openStage();
  const { ip } = stage.namespace;
  ip('address', 'add', '10.1.0.254/24', 'dev', 'v0');
  ip('address', 'add', 'fd00:b::254/64', 'dev', 'v0', 'nodad');
  for (const family of [4, 6] as const) {
    for (const number of [1, 2, 3, 4])
      ip('neighbour', 'add', realServer(family, number), 'lladdr', ripMac(number), 'nud', 'permanent', 'dev', 'v0');
  }
});

beforeEach(() => {
  stage.install();
  stage.settle();
});

afterAll(() => stage?.[Symbol.dispose]());

describe('as recorded', () => {
  const recordings = text.map(toRecording).filter((recording) => recording !== undefined);

  const edited = readEditedSchedules();

  test('every scheduler is there but twos, which none of the recorded kernels has', () => {
    const found = new Set([...recordings, ...edited].map(({ scheduler }) => scheduler));
    expect([...found, 'twos'].sort()).toEqual([...schedulers].sort());
    expect(recordings.length).toBeGreaterThan(110);
  });

  test.each(recordings.map((recording) => [nameOf(recording), recording] as const))('%s', (_, recording) => {
    expect(play(recording)).toBe(recording.sequence);
    expect(takeCensus(stage.maps).violations).toEqual([]);
  });

  test.each(edited.map((schedule) => [schedule.text, schedule] as const))('%s', (_, schedule) => {
    expect(playEdited(schedule)).toEqual(goalsOf(schedule));
    expect(takeCensus(stage.maps).violations).toEqual([]);
  });
});

test('the least loaded of many real servers is chosen, the newest among equals', () => {
  const weights = [3, 1, 2, 1];
  stage.install(at(vip, 'wlc', weights, 'fullnat'));
  const chosen = Array.from({ length: 14 }, (_, connection) =>
    connect({ source: client, destination: vip }, 5000 + connection),
  );
  expect([1, 2, 3, 4].map((number) => chosen.filter((one) => one === String(number)).length)).toEqual([6, 2, 4, 2]);
});

test.each(['lc', 'wlc', 'sed', 'nq', 'fo', 'ovf', 'lblc'] as const)(
  'of a hundred real servers %s finds the one that a look at each of them finds, whatever ends and is edited',
  (scheduler) => {
    const random = randomFrom(7);
    const present = Array.from({ length: 100 }, (_, index) => index);
    let weights = present.map(() => random.below(4));
    const thresholds = present.map(() => (random.once(5) ? random.below(3) + 1 : undefined));
    const install = (): void =>
      stage.install(
        service({
          vip,
          scheduler,
          destinations: present.map((index) =>
            destination(1 + (index % 4), 'masq', {
              rip: parseAddress(realServer(4, 1 + (index % 4))),
              port: 1000 + index,
              weight: weights[index] ?? 0,
              ...(thresholds[index] !== undefined && { upperThreshold: thresholds[index] }),
            }),
          ),
        }),
      );
    install();
    const open: number[] = [];
    let last: number | undefined;
    for (let connection = 0; connection < 400; connection++) {
      const [live] = readLive(stage.maps).services;
      const destinations = live?.destinations ?? [];
      const isKept = scheduler === 'lblc' && last !== undefined && !isOverloaded(last, destinations);
      const expected = isKept ? last : preferredBy(stage.maps, scheduler, destinations);
      const { verdict, packet } = send({ source: client, destination: vip }, 10_000 + connection, flag.syn);
      const chosen = verdict === 'redirect' ? (parse(packet).ip.destinationPort ?? 0) - 1000 : undefined;
      expect(chosen, `connection ${connection}`).toBe(expected);
      last = chosen ?? last;
      if (chosen !== undefined) open.push(connection);
      for (let ends = random.below(3); ends > 0 && open.length > 0; ends--) {
        const [ended = 0] = open.splice(random.below(open.length), 1);
        for (const flags of [flag.ack, flag.rst]) send({ source: client, destination: vip }, 10_000 + ended, flags);
      }
      if (connection % 50 === 49) {
        weights = weights.map((weight) => (random.once(10) ? random.below(4) : weight));
        install();
      }
    }
    expect(takeCensus(stage.maps).violations).toEqual([]);
  },
);

test('twos takes the less loaded of two that are drawn by weight', () => {
  stage.install(at(vip, 'twos', [1, 0, 3, 16], 'masq'));
  const count = (number: number, chosen: readonly string[]): number =>
    chosen.filter((one) => one === `${number}`).length;
  const held = Array.from({ length: 200 }, (_, index) => connect({ source: client, destination: vip }, 5000 + index));
  // 10, 30 and 160 would be even; drawing alone spreads by 3, 5 and 6.
  expect(count(1, held)).toBeLessThan(26);
  expect(count(2, held)).toBe(0);
  expect(count(3, held)).toBeGreaterThan(10);
  expect(count(4, held)).toBeGreaterThan(135);
  stage.install(at(vip, 'twos', [0, 0, 0, 0], 'masq'));
  expect(connect({ source: client, destination: vip }, 6000)).toBe('x');
});

test.each([
  ['small', [1, 3]],
  ['too large for their sum to be remembered', [2 ** 30, 2 ** 31 - 1]],
])('twos finds the few of a hundred that have weights: %s ones', (_, [light = 0, heavy = 0]) => {
  const weights = Array.from({ length: 100 }, (_, index) => (index === 1 || index === 70 ? light : 0));
  weights[2] = heavy;
  weights[98] = heavy;
  const destinations = weights.map((weight, index) =>
    destination(1 + (index % 4), 'masq', {
      rip: parseAddress(realServer(4, 1 + (index % 4))),
      port: 1000 + index,
      weight,
    }),
  );
  stage.install(service({ vip, scheduler: 'twos', destinations }));
  const chosen = Array.from({ length: 400 }, (_, connection) => {
    const { packet } = send({ source: client, destination: vip }, 5000 + connection, flag.syn);
    return (parse(packet).ip.destinationPort ?? 0) - 1000;
  });
  const counts = [1, 2, 70, 98].map((index) => chosen.filter((one) => one === index).length);
  expect(counts.reduce((sum, count) => sum + count)).toBe(400);
  for (const index of [0, 2])
    expect((counts[index + 1] ?? 0) / (counts[index] ?? 0)).toBeGreaterThan(heavy / light / 2);
  expect(takeCensus(stage.maps).violations).toEqual([]);
});

function isOverloaded(index: number, destinations: readonly LiveDestination[]): boolean {
  const column = stage.maps.rows('destinations').number('active');
  const of = destinations[index];
  if (of === undefined || of.weight === 0) return true;
  return column.get(of.slot) > of.weight && destinations.some(({ slot, weight }) => 2 * column.get(slot) < weight);
}

function nameOf({ scheduler, flags, weights, isHeld, sequence }: Recording): string {
  return `${scheduler} ${flags} ${weights} ${isHeld ? 'held' : 'short'} ${sequence}`;
}

function toRecording(line: string, index: number): Recording | undefined {
  const [, name, flags, weights, life, found] = /^(\S+) +(?:flags=(\S+) +)?w=(\S+) (short|held) +(.*)/.exec(line) ?? [];
  const scheduler = schedulers.find((known) => known === name);
  if (scheduler === undefined || weights === undefined || found === undefined) return undefined;
  const isMarked = flags === undefined;
  const sharesItsCache = isMarked && scheduler.startsWith('lblc'); // one cache for many services: only a mark has that
  if (found.startsWith('|') || sharesItsCache) return undefined;
  const section = text.slice(0, index).findLast((earlier) => earlier.startsWith('#')) ?? '';
  const isOfMany = section.startsWith('# many client');
  return {
    scheduler,
    flags: flags === undefined || flags === '-' ? [] : flags.split(','),
    weights: weights.split(',').map(Number),
    port: isMarked ? 0 : 80,
    isHeld: life === 'held',
    sequence: found.replaceAll(/\(ERR[^)]*\)/g, 'x'),
    ends: (connection) => ({
      source: isOfMany ? `10.0.0.${(connection % 20) + 1}` : client,
      destination: (isMarked && scheduler === 'dh' && marked[connection % marked.length]) || vip,
    }),
  };
}

type Edit = (service: Service) => Service;

const edits: Readonly<Record<string, readonly Edit[]>> = {
  'wrr 1,2,3,4': [weigh(4, 1), remove(2), add(2, 5)],
  'rr 1,1,1,1': [remove(3), add(3, 1), weigh(1, 0)],
  'wlc 1,2,3,4': [weigh(1, 0)],
};

function play({ scheduler, flags, weights, port, isHeld, sequence, ends }: Recording): string {
  // As an ipvsadm for each real server does it: what a scheduler keeps begins with the first.
  const vips = [...new Set([...sequence].map((_, connection) => ends(connection).destination))];
  for (let count = 1; count <= weights.length; count++) {
    const some = weights.slice(0, count);
    stage.install(...vips.map((address) => at(address, scheduler, some, 'masq', flags, port)));
  }
  const script = [...(edits[`${scheduler} ${weights}`] ?? [])];
  let installed = at(vip, scheduler, weights, 'masq', flags, port);
  let connection = 0;
  return [...sequence]
    .map((symbol) => {
      if (symbol === '|') {
        installed = script.shift()?.(installed) ?? installed;
        stage.install(installed);
        return symbol;
      }
      const between = ends(connection);
      const chosen = connect(between, 20_000 + connection++);
      if (!isHeld && chosen !== 'x') {
        for (const flags of [flag.ack, flag.fin | flag.ack]) send(between, 20_000 + connection - 1, flags);
      }
      return chosen;
    })
    .join('');
}

function playEdited({ family, scheduler, flags, steps, vip: address, client: from, clientPort }: EditedSchedule) {
  const found: string[] = [];
  let installed = service({ vip: address, scheduler, schedulerFlags: flags });
  let connection = 0;
  for (const step of steps) {
    if (step.kind === 'connect') {
      const goals = Array.from(step.goals, () => {
        const number = connection++;
        return connect({ source: from(number), destination: address }, clientPort(number));
      });
      found.push(goals.join(''));
      continue;
    }
    if (step.kind === 'scheduler') installed = { ...installed, scheduler: step.scheduler, schedulerFlags: step.flags };
    else installed = { ...installed, destinations: edit(installed.destinations, family, step) };
    stage.install(installed);
  }
  return found;
}

function goalsOf({ steps }: EditedSchedule): readonly string[] {
  return steps.flatMap((step) => (step.kind === 'connect' ? [step.goals] : []));
}

type DestinationStep = Extract<EditedSchedule['steps'][number], { readonly number: number }>;

function edit(present: readonly Destination[], family: 4 | 6, step: DestinationStep): readonly Destination[] {
  const rip = parseAddress(realServer(family, step.number));
  const isMeant = (one: Destination): boolean => isOf(one, step.number) && one.port === step.port;
  if (step.kind === 'delete') return present.filter((one) => !isMeant(one));
  const { kind, port, weight, upperThreshold, lowerThreshold } = step;
  const wanted = destination(step.number, 'masq', { rip, port, weight, upperThreshold, lowerThreshold });
  return kind === 'add' ? [wanted, ...present] : present.map((one) => (isMeant(one) ? wanted : one));
}

/** Real servers were added in order: the newest is first. */
function at(
  address: string,
  scheduler: Scheduler,
  weights: readonly number[],
  method: Method,
  schedulerFlags: readonly string[] = [],
  port = 80,
): Service {
  const destinations = weights.map((weight, index) => real(index + 1, method, weight, port)).reverse();
  return service({ vip: address, scheduler, schedulerFlags, destinations });
}

function real(number: number, method: Method, weight: number, port = 80): Destination {
  return destination(number, method, { rip: parseAddress(realServer(4, number)), port, weight });
}

function weigh(number: number, weight: number): Edit {
  return (edited) => ({
    ...edited,
    destinations: edited.destinations.map((one) => (isOf(one, number) ? { ...one, weight } : one)),
  });
}

function remove(number: number): Edit {
  return (edited) => ({ ...edited, destinations: edited.destinations.filter((one) => !isOf(one, number)) });
}

function add(number: number, weight: number): Edit {
  return (edited) => ({ ...edited, destinations: [real(number, 'masq', weight), ...edited.destinations] });
}

function isOf({ rip }: Destination, number: number): boolean {
  return formatAddress(rip) === realServer(rip.family, number);
}

/** The number of the real server that a new connection goes to, or x. */
function connect(between: { source: string; destination: string }, sourcePort: number): string {
  const { verdict, packet } = send(between, sourcePort, flag.syn);
  if (verdict !== 'redirect') return 'x';
  const { ip } = parse(packet);
  if (ip.icmp !== undefined) return 'x';
  const number = [1, 2, 3, 4].find((one) => [realServer(4, one), realServer(6, one)].includes(ip.destination));
  return number === undefined ? '?' : String(number);
}

function send(
  between: { source: string; destination: string },
  sourcePort: number,
  flags: number,
): ReturnType<Stage['walk']> {
  return stage.walk(build({ ...between, sourcePort, destinationPort: 80, flags }));
}
