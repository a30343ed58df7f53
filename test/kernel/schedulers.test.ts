// The ten schedulers, met by real packets: the sequences that IPVS of Linux 6.1 gave, edits in the middle included.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Method, Scheduler, Service } from '../../src/model/service.ts';
import { schedulers } from '../../src/model/service.ts';
import { takeCensus } from '../invariants.ts';
import { build, flag, parse } from '../packets.ts';
import { destination, openStage, rip, type Stage, service, vip } from './stage.ts';

/** In a sequence a digit is the real server, 'x' a refusal, '|' the next edit. */
interface Recording {
  readonly scheduler: Scheduler;
  readonly weights: readonly number[];
  /** All connections stay open; else each is closed before the next. */
  readonly isHeld: boolean;
  readonly sequence: string;
  /** What each connection is between. */
  readonly ends: (connection: number) => { readonly source: string; readonly destination: string };
}

const client = '10.0.0.1';
/** Of the services that were recorded with a firewall mark for many addresses. */
const marked = Array.from({ length: 20 }, (_, index) => `203.0.113.${index + 1}`);
const text = readFileSync(new URL('../fixtures/sched.txt', import.meta.url), 'utf8').split('\n');

let stage: Stage;

beforeAll(() => {
  stage = openStage();
  stage.install(service({ destinations: [1, 2, 3, 4].map((number) => destination(number, 'gate')) }));
  for (let port = 1; port < 5; port++) connect({ source: client, destination: vip }, port);
});

beforeEach(() => {
  stage.install();
  stage.settle();
});

afterAll(() => stage?.[Symbol.dispose]());

describe('as recorded', () => {
  const recordings = text.map(toRecording).filter((recording) => recording !== undefined);

  test('every scheduler is there', () => {
    expect(new Set(recordings.map(({ scheduler }) => scheduler))).toEqual(new Set(schedulers));
    expect(recordings.length).toBeGreaterThan(60);
  });

  test.each(recordings.map((recording) => [nameOf(recording), recording] as const))('%s', (_, recording) => {
    expect(play(recording)).toBe(recording.sequence);
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

function nameOf({ scheduler, weights, isHeld, sequence }: Recording): string {
  return `${scheduler} ${weights} ${isHeld ? 'held' : 'short'} ${sequence}`;
}

function toRecording(line: string, index: number): Recording | undefined {
  const [, name, flags, weights, life, found] = /^(\S+) +(?:flags=(\S+) +)?w=(\S+) (short|held) +(.*)/.exec(line) ?? [];
  const scheduler = schedulers.find((known) => known === name);
  if (scheduler === undefined || weights === undefined || found === undefined) return undefined;
  const isMarked = flags === undefined;
  const hasOtherMeans = (flags !== undefined && flags !== '-') || found.startsWith('|');
  const sharesItsCache = isMarked && scheduler.startsWith('lblc'); // one cache for many services: only a mark has that
  if (hasOtherMeans || sharesItsCache) return undefined;
  const section = text.slice(0, index).findLast((earlier) => earlier.startsWith('#')) ?? '';
  const isOfMany = section.startsWith('# many client');
  return {
    scheduler,
    weights: weights.split(',').map(Number),
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

function play({ scheduler, weights, isHeld, sequence, ends }: Recording): string {
  // As an ipvsadm for each real server does it: what a scheduler keeps begins with the first.
  const vips = [...new Set([...sequence].map((_, connection) => ends(connection).destination))];
  for (let count = 1; count <= weights.length; count++) {
    stage.install(...vips.map((address) => at(address, scheduler, weights.slice(0, count), 'masq')));
  }
  const script = [...(edits[`${scheduler} ${weights}`] ?? [])];
  let installed = at(vip, scheduler, weights, 'masq');
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

/** Real servers were added in order: the newest is first. */
function at(address: string, scheduler: Scheduler, weights: readonly number[], method: Method): Service {
  const destinations = weights.map((weight, index) => destination(index + 1, method, { weight })).reverse();
  return service({ vip: address, scheduler, destinations });
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
  return (edited) => ({ ...edited, destinations: [destination(number, 'masq', { weight }), ...edited.destinations] });
}

function isOf({ rip: address }: Service['destinations'][number], number: number): boolean {
  return address.bytes.join('.') === rip(number);
}

/** The number of the real server that a new connection goes to, or x. */
function connect(between: { source: string; destination: string }, sourcePort: number): string {
  const { verdict, packet } = send(between, sourcePort, flag.syn);
  if (verdict !== 'redirect') return 'x';
  const { ip } = parse(packet);
  if (ip.icmp !== undefined) return 'x';
  const number = [1, 2, 3, 4].find((one) => rip(one) === ip.destination);
  return number === undefined ? '?' : String(number);
}

function send(
  between: { source: string; destination: string },
  sourcePort: number,
  flags: number,
): ReturnType<Stage['walk']> {
  return stage.walk(build({ ...between, sourcePort, destinationPort: 80, flags }));
}
