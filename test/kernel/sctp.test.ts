// SCTP: its states as net/netfilter/ipvs/ip_vs_proto_sctp.c has them, and its checksum right by each method and at both hooks.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/model/address.ts';
import type { FlowState } from '../../src/model/director.ts';
import type { Method } from '../../src/model/service.ts';
import { takeCensus } from '../invariants.ts';
import { build, type Chunk, checksumErrors, parse } from '../packets.ts';
import { client, destination, openStage, rip, type Stage, service, six, vip } from './stage.ts';

const columns = ['NO', 'I1', 'IN', 'CS', 'CR', 'CW', 'CO', 'CE', 'ES', 'SS', 'SR', 'SA', 'RJ', 'CL'] as const;
type Short = (typeof columns)[number];
type Direction = 'in' | 'out' | 'in only';
interface Step {
  readonly direction: Direction;
  readonly event: Event;
}

const names: Readonly<Record<Short, FlowState>> = {
  NO: 'NONE',
  I1: 'SCTP_INIT1',
  IN: 'SCTP_INIT',
  CS: 'SCTP_COOKIE_SENT',
  CR: 'SCTP_COOKIE_REPLIED',
  CW: 'SCTP_COOKIE_WAIT',
  CO: 'SCTP_COOKIE',
  CE: 'SCTP_COOKIE_ECHOED',
  ES: 'SCTP_ESTABLISHED',
  SS: 'SCTP_SHUTDOWN_SENT',
  SR: 'SCTP_SHUTDOWN_RECEIVED',
  SA: 'SCTP_SHUTDOWN_ACK_SENT',
  RJ: 'SCTP_REJECTED',
  CL: 'SCTP_CLOSED',
};
/** Chunk types (RFC 9260). */
const types = {
  data: 0,
  init: 1,
  initAck: 2,
  cookieEcho: 10,
  cookieAck: 11,
  shutdown: 7,
  shutdownAck: 8,
  shutdownComplete: 14,
  error: 9,
  abort: 6,
} as const;
type Event = keyof typeof types;
const events = Object.keys(types) as Event[];

/** sctp_states of Linux 6.1, whose rows are in columns' order. */
const table: Readonly<Record<Direction, Readonly<Record<Event, string>>>> = {
  in: {
    data: 'ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    init: 'I1 IN IN CS CR CW CO CE ES SS SR SA IN IN',
    initAck: 'CW CW CW CS CR CO CO CE ES SS SR SA RJ CL',
    cookieEcho: 'CR IN IN CR CR CW CO CE ES SS SR SA RJ CL',
    cookieAck: 'ES I1 IN CS CR CW CO ES ES SS SR SA RJ CL',
    shutdown: 'SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL',
    shutdownAck: 'CL IN IN CS CR CW CO CE ES CL SR CL RJ CL',
    shutdownComplete: 'CL CL CL CS CR CW CO CE ES SS SR CL RJ CL',
    error: 'CL I1 IN CS CR CW CO CL ES SS SR SA RJ CL',
    abort: 'CL CL CL CL CL RJ CL CL CL CL CL CL CL CL',
  },
  out: {
    data: 'ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    init: 'CW CW CW CW CW CW CW CW ES CW CW CW CW CW',
    initAck: 'CS CS CS CS CR CW CO CE ES SS SR SA RJ CL',
    cookieEcho: 'CE CE CE CE CE CE CE CE ES SS SR SA RJ CL',
    cookieAck: 'ES ES ES ES ES ES ES ES ES SS SR SA RJ CL',
    shutdown: 'SS SS SS SS SS SS SS SS SS SS SR SA RJ CL',
    shutdownAck: 'SA SA SA SA SA CW CO CE ES SA SA SA RJ CL',
    shutdownComplete: 'CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    error: 'CL CL CL CL CL CW CO CE ES SS SR SA RJ CL',
    abort: 'CL RJ CL CL CL CL CL CL CL CL CL CL CL CL',
  },
  'in only': {
    data: 'ES I1 IN CS CR ES CO CE ES SS SR SA RJ CL',
    init: 'I1 IN IN IN IN IN CO CE ES SS SR SA IN IN',
    initAck: 'CE CE CE CE CE CE CO CE ES SS SR SA RJ CL',
    cookieEcho: 'ES ES ES ES ES ES CO CE ES SS SR SA RJ CL',
    cookieAck: 'ES I1 IN ES ES CW ES ES ES SS SR SA RJ CL',
    shutdown: 'SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL',
    shutdownAck: 'CL IN IN CS CR CW CO CE CL CL SR CL RJ CL',
    shutdownComplete: 'CL CL CL CL CL CW CO CE ES SS CL CL RJ CL',
    error: 'CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    abort: 'CL CL CL CL CL RJ CL CL CL CL CL CL CL CL',
  },
};
const ports: Readonly<Record<Method, number>> = { masq: 80, gate: 81, tunnel: 82, fullnat: 83 };
const methods = Object.keys(ports) as Method[];
const realServerPort = 8080;
const local = '192.0.2.77';
const isTranslated = (method: Method): boolean => method === 'masq' || method === 'fullnat';
const directionsOf = (method: Method): readonly Direction[] => (isTranslated(method) ? ['in', 'out'] : ['in only']);

let stage: Stage;
let sourcePort = 2000;

beforeAll(() => {
  stage = openStage({ connections: 4096 });
  stage.install(
    ...methods.map((method) =>
      service({
        protocol: 'sctp',
        port: ports[method],
        localAddresses: method === 'fullnat' ? [local] : [],
        destinations: [destination(1, method, { port: isTranslated(method) ? realServerPort : ports[method] })],
      }),
    ),
  );
  for (const method of methods) {
    const association = new Association(method);
    association.send({ direction: 'in', event: 'init' });
    if (isTranslated(method)) association.send({ direction: 'out', event: 'initAck' });
  }
});

beforeEach(() => {
  stage.settle();
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

/** One of those that see both directions, and one of those that don't. */
describe.each(['masq', 'gate'] as const)('an association by %s', (method) => {
  const cases = [...reachable(method)].flatMap(([state, path]) =>
    directionsOf(method).flatMap((direction) =>
      events
        .filter((event) => !(state === 'CL' && event === 'init' && direction !== 'out'))
        .map(
          (event) =>
            [
              names[state],
              event,
              direction,
              next(state, { direction, event }),
              [...path, { direction, event }],
            ] as const,
        ),
    ),
  );

  test.each(cases)('in %s, at a %s %s, is then in %s', (_state, _event, _direction, expected, path) => {
    const association = new Association(method);
    for (const step of path) association.send(step);
    expect(association.state()).toBe(names[expected]);
    expect(takeCensus(stage.maps)).toEqual({ connections: 1, replies: isTranslated(method) ? 1 : 0, violations: [] });
  });

  test('that is closed gives way to a new one', () => {
    const association = new Association(method);
    for (const event of ['init', 'abort', 'init'] as const) association.send({ direction: 'in', event });
    expect(association.state()).toBe('SCTP_INIT1');
    expect(takeCensus(stage.maps)).toMatchObject({ connections: 1, violations: [] });
  });

  test('is active only while it is established', () => {
    const association = new Association(method);
    const active = () => stage.services().find((one) => 'port' in one.identity && one.identity.port === ports[method]);
    association.send({ direction: 'in', event: 'init' });
    expect(active()?.destinations[0]).toMatchObject({ activeConnections: 0, inactiveConnections: 1 });
    if (isTranslated(method)) association.send({ direction: 'out', event: 'cookieAck' });
    else association.send({ direction: 'in', event: 'cookieEcho' });
    expect(association.state()).toBe('SCTP_ESTABLISHED');
    expect(active()?.destinations[0]).toMatchObject({ activeConnections: 1, inactiveConnections: 0 });
  });
});

describe('what a packet does to its association', () => {
  test.each<[string, readonly Chunk[], FlowState]>([
    ['is what its first chunk says', [{ type: types.data }, { type: types.abort }], 'SCTP_INIT1'],
    ['of an unknown chunk is what data does', [{ type: 130 }], 'SCTP_INIT1'],
    ['is nothing without a chunk', [], 'SCTP_INIT1'],
    ['is aborting it when an ABORT follows a cookie', [cookie(5), { type: types.abort }], 'SCTP_CLOSED'],
    ['is not so when another chunk does', [cookie(5), { type: types.data }], 'SCTP_ESTABLISHED'],
    ['is not so when the ABORT comes third', [cookie(5), { type: 3 }, { type: types.abort }], 'SCTP_ESTABLISHED'],
    ["is not so when the cookie's length is a lie", [{ ...cookie(5), length: 400 }, { type: 6 }], 'SCTP_ESTABLISHED'],
    ['nor when it is less than a header', [{ type: types.cookieEcho, length: 3 }, { type: 6 }], 'SCTP_ESTABLISHED'],
  ])('%s', (_, chunks, expected) => {
    for (const hook of ['xdp', 'tc'] as const) {
      const association = new Association('gate');
      association.send({ direction: 'in', event: 'init' });
      expect(stage[hook](association.request(chunks)).verdict).toBe('redirect');
      expect([hook, association.state()]).toEqual([hook, expected]);
    }
  });

  test("is not said by a frame's padding", () => {
    const association = new Association('gate');
    association.send({ direction: 'in', event: 'init' });
    const frame = Buffer.concat([association.request([cookie(4)]), Buffer.from([types.abort, 0, 0, 4])]);
    expect(stage.walk(frame).verdict).toBe('redirect');
    expect(association.state()).toBe('SCTP_ESTABLISHED');
  });

  test.each(events.filter((event) => event !== 'init'))('%s does not begin one', (event) => {
    const frame = new Association('masq').request([{ type: types[event] }]);
    const answer = stage.walk(frame);
    expect([answer.verdict, answer.packet.equals(frame), stage.news()]).toEqual(['pass', true, {}]);
  });
});

describe.each(['xdp', 'tc'] as const)('at %s', (hook) => {
  test.each(methods)('the checksum by %s is right, both ways and whatever the length', (method) => {
    const association = new Association(method);
    association.send({ direction: 'in', event: 'init' });
    for (const length of [0, 1, 3, 4, 15, 16, 17, 255, 256, 1000, 1300, 1440]) {
      const chunk = [{ type: 0, value: Buffer.from(Array.from({ length }, (_, at) => (at * 7 + length) & 0xff)) }];
      const { verdict, packet } = stage[hook](association.request(chunk));
      expect([length, verdict, checksumErrors(packet)]).toEqual([length, 'redirect', []]);
      const { ip } = parse(packet);
      if (isTranslated(method)) expect(ip).toMatchObject({ destination: rip(1), destinationPort: realServerPort });
      if (!isTranslated(method)) continue;
      const frame = association.reply(chunk);
      stage.tc(frame);
      const back = stage[hook](frame);
      expect([length, back.verdict, checksumErrors(back.packet)]).toEqual([length, 'redirect', []]);
      expect(parse(back.packet).ip).toMatchObject({
        source: vip,
        sourcePort: ports[method],
        destination: client,
        destinationPort: association.port,
      });
    }
  });

  test('a frame that is cut anywhere passes untouched', () => {
    const whole = new Association('masq').request([{ type: types.init, value: Buffer.alloc(16) }]);
    for (let length = hook === 'xdp' ? 14 : 34; length < whole.length; length++) {
      const frame = Buffer.from(whole.subarray(0, length));
      const answer = stage[hook](frame);
      expect([length, answer.verdict]).toEqual([length, 'pass']);
      expect(answer.packet.subarray(0, length).equals(frame)).toBe(true);
    }
    expect(stage.news()).toEqual({});
  });
});

test.each(['masq', 'fullnat'] as const)(
  'the checksum of IPv6 by %s is right, both ways and at both hooks',
  (method) => {
    const before = stage.services().map(({ counters: _c, rates: _r, ...rest }) => rest);
    const real = destination(1, method, { rip: parseAddress(six.rip(1)), port: realServerPort });
    stage.install(...before, service({ vip: six.vip, protocol: 'sctp', port: 80, destinations: [real] }));
    const init = build({
      source: six.client,
      sourcePort: 4001,
      destination: six.vip,
      destinationPort: 80,
      chunks: [{ type: types.init, value: Buffer.from('any value') }],
    });
    stage.walk(init);
    for (const hook of ['xdp', 'tc'] as const) {
      const { verdict, packet } = stage[hook](init);
      expect([hook, verdict, checksumErrors(packet)]).toEqual([hook, 'redirect', []]);
      const { ip } = parse(packet);
      expect(ip).toMatchObject({ destination: six.rip(1), destinationPort: realServerPort, ttl: 63 });
      const ends = { source: ip.destination, sourcePort: realServerPort, destination: ip.source };
      const answer = build({ ...ends, destinationPort: ip.sourcePort ?? 0, chunks: [{ type: types.initAck }] });
      stage.walk(answer);
      const back = stage[hook](answer);
      expect([hook, back.verdict, checksumErrors(back.packet)]).toEqual([hook, 'redirect', []]);
      expect(parse(back.packet).ip).toMatchObject({ source: six.vip, sourcePort: 80, destination: six.client });
    }
    expect(stage.tc(init, { flags: 4 }).verdict).toBe('redirect');
    stage.install(...before);
  },
);

test('a checksum that a device has summed up (CHECKSUM_COMPLETE) stays right', () => {
  const association = new Association('masq');
  const init = association.request([{ type: types.init, value: Buffer.from('any') }]);
  const { verdict, packet } = stage.tc(init, { flags: 4 });
  expect([verdict, checksumErrors(packet)]).toEqual(['redirect', []]);
});

function cookie(length: number): Chunk {
  return { type: types.cookieEcho, value: Buffer.alloc(length, 6) };
}

function next(state: Short, { direction, event }: Step): Short {
  return table[direction][event].split(' ')[columns.indexOf(state)] as Short;
}

/** By which packets each state is reached from a first INIT: the shortest way. */
function reachable(method: Method): ReadonlyMap<Short, readonly Step[]> {
  const [first = 'in'] = directionsOf(method);
  const start: Step = { direction: first, event: 'init' };
  const paths = new Map<Short, readonly Step[]>([[next('NO', start), [start]]]);
  for (const [state, path] of paths) {
    for (const direction of directionsOf(method)) {
      for (const event of events) {
        if (state === 'CL' && event === 'init' && direction !== 'out') continue;
        const reached = next(state, { direction, event });
        if (!paths.has(reached)) paths.set(reached, [...path, { direction, event }]);
      }
    }
  }
  return paths;
}

class Association {
  readonly port = sourcePort++;
  readonly #method: Method;

  constructor(method: Method) {
    this.#method = method;
  }

  send({ direction, event }: Step): void {
    const chunks = [{ type: types[event] }];
    const frame = direction === 'out' ? this.reply(chunks) : this.request(chunks);
    expect(stage.walk(frame).verdict).toBe('redirect');
  }

  request(chunks: readonly Chunk[]): Buffer {
    const ends = { source: client, sourcePort: this.port, destination: vip, destinationPort: ports[this.#method] };
    return build({ ...ends, chunks, dontFragment: true });
  }

  reply(chunks: readonly Chunk[]): Buffer {
    const { local: own } = this.#entry();
    const ends = { source: rip(1), sourcePort: realServerPort };
    const to =
      own === undefined
        ? { destination: client, destinationPort: this.port }
        : { destination: own.address.bytes.join('.'), destinationPort: own.port };
    return build({ ...ends, ...to, chunks, dontFragment: true });
  }

  state(): FlowState {
    return this.#entry().state;
  }

  #entry() {
    const found = stage.connections().find((one) => one.client.port === this.port);
    if (found === undefined) throw new Error('the association has no entry');
    return found;
  }
}
