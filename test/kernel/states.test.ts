// Every TCP state that packets can reach, and every packet in it, in each direction: as net/netfilter/ipvs/ip_vs_proto_tcp.c.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { FlowState } from '../../src/model/director.ts';
import type { Method } from '../../src/model/service.ts';
import { takeCensus } from '../invariants.ts';
import { build, flag } from '../packets.ts';
import { client, destination, openStage, rip, type Stage, service, vip } from './stage.ts';

const columns = ['NO', 'ES', 'SS', 'SR', 'FW', 'TW', 'CL', 'CW', 'LA', 'LI', 'SA'] as const;
type Short = (typeof columns)[number];
type Event = 'syn' | 'fin' | 'ack' | 'rst';
type Direction = 'in' | 'out' | 'in only';
interface Step {
  readonly direction: Direction;
  readonly event: Event;
}

const names: Readonly<Record<Short, FlowState>> = {
  NO: 'NONE',
  ES: 'ESTABLISHED',
  SS: 'SYN_SENT',
  SR: 'SYN_RECV',
  FW: 'FIN_WAIT',
  TW: 'TIME_WAIT',
  CL: 'CLOSE',
  CW: 'CLOSE_WAIT',
  LA: 'LAST_ACK',
  LI: 'LISTEN',
  SA: 'SYNACK',
};
const flags: Readonly<Record<Event, number>> = {
  syn: flag.syn,
  fin: flag.fin | flag.ack,
  ack: flag.ack | flag.psh,
  rst: flag.rst | flag.ack,
};

type Rules = Readonly<Record<Direction, Readonly<Record<Event, string>>>>;

/** tcp_states of Linux 6.1, whose rows are in columns' order. */
const table: Rules = {
  in: {
    syn: 'SR ES ES SR SR SR SR SR SR SR SR',
    fin: 'CL CW SS TW TW TW CL CW LA LI TW',
    ack: 'ES ES SS ES FW TW CL CW CL LI ES',
    rst: 'CL CL CL SR CL CL CL CL LA LI SR',
  },
  out: {
    syn: 'SS ES SS SR SS SS SS SS SS LI SR',
    fin: 'TW FW SS TW FW TW CL TW LA LI TW',
    ack: 'ES ES SS ES FW TW CL CW LA ES ES',
    rst: 'CL CL SS CL CL TW CL CL CL CL CL',
  },
  'in only': {
    syn: 'SR ES ES SR SR SR SR SR SR SR SR',
    fin: 'CL FW SS TW FW TW CL CW LA LI TW',
    ack: 'ES ES SS ES FW TW CL CW CL LI ES',
    rst: 'CL CL CL SR CL CL CL CL LA LI CL',
  },
};
/** tcp_states_dos: what secure_tcp has in their place. */
const secureTable: Rules = {
  in: {
    syn: 'SR ES ES SR SR SR SR SR SR SR SA',
    fin: 'CL CW SS TW TW TW CL CW LA LI SA',
    ack: 'ES ES SS SR FW TW CL CW CL LI SA',
    rst: 'CL CL CL SR CL CL CL CL LA LI CL',
  },
  out: {
    syn: 'SS ES SS SA SS SS SS SS SS LI SA',
    fin: 'TW FW SS TW FW TW CL TW LA LI TW',
    ack: 'ES ES SS ES FW TW CL CW LA ES ES',
    rst: 'CL CL SS CL CL TW CL CL CL CL CL',
  },
  'in only': {
    syn: 'SA ES ES SR SA SA SA SA SA SA SA',
    fin: 'CL FW SS TW FW TW CL CW LA LI TW',
    ack: 'ES ES SS ES FW TW CL CW CL LI ES',
    rst: 'CL CL CL SR CL CL CL CL LA LI CL',
  },
};
const modes = [
  { mode: '', secure: 0, rules: table, two: 'SR ES TW CL CW FW SS', one: 'SR ES TW CL FW' },
  { mode: ' with secure_tcp', secure: 3, rules: secureTable, two: 'SR SA ES TW CL CW FW SS', one: 'SA ES TW CL FW' },
] as const;
const events = Object.keys(flags) as Event[];
const directionsOf = (method: Method): readonly Direction[] =>
  method === 'masq' || method === 'fullnat' ? ['in', 'out'] : ['in only'];
const ports: Readonly<Record<Method, number>> = { masq: 80, gate: 81, tunnel: 82, fullnat: 83 };
const methods = Object.keys(ports) as Method[];

let stage: Stage;
let sourcePort = 2000;

beforeAll(() => {
  stage = openStage({ connections: 4096 });
  stage.install(
    ...methods.map((method) =>
      service({ port: ports[method], destinations: [destination(1, method, { port: ports[method] })] }),
    ),
  );
  for (const method of methods) new Connection(method).send({ direction: 'in', event: 'syn' });
});

beforeEach(() => stage.settle());

afterAll(() => stage?.[Symbol.dispose]());

describe.each(modes.flatMap((mode) => methods.map((method) => ({ method, ...mode }))))(
  'a connection by $method$mode',
  ({ method, secure, rules, two, one }) => {
    const paths = reachable(rules, method);

    beforeEach(() => stage.set({ secure_tcp: secure }));
    afterAll(() => stage.set({ secure_tcp: 0 }));

    const cases = [...paths].flatMap(([state, path]) =>
      directionsOf(method).flatMap((direction) =>
        events.map(
          (event) =>
            [
              names[state],
              event,
              direction,
              next(rules, state, { direction, event }),
              [...path, { direction, event }],
            ] as const,
        ),
      ),
    );

    test('can come to these states', () => {
      const expected = directionsOf(method).length === 2 ? two : one;
      expect([...paths.keys()].sort()).toEqual(expected.split(' ').sort());
    });

    test.each(cases)('in %s, at a %s %s, is then in %s', (_state, _event, _direction, expected, path) => {
      const connection = new Connection(method);
      for (const step of path) connection.send(step);
      expect(connection.state()).toBe(names[expected]);
      expect(takeCensus(stage.maps)).toEqual({
        connections: 1,
        replies: connection.isTranslated ? 1 : 0,
        violations: [],
      });
    });
  },
);

test.each(['TIME_WAIT', 'CLOSE'] as const)(
  'a SYN on a connection in %s is a new one, and is scheduled anew',
  (state) => {
    stage.install(service({ scheduler: 'rr', destinations: [destination(2, 'masq'), destination(1, 'masq')] }));
    for (const _ of ['each real server has its way looked up', 'by a packet'])
      new Connection('masq').send({ direction: 'in', event: 'syn' });
    stage.settle();
    const connection = new Connection('masq');
    const end: readonly Step[] =
      state === 'CLOSE'
        ? [{ direction: 'in', event: 'rst' }]
        : [
            { direction: 'in', event: 'fin' },
            { direction: 'out', event: 'fin' },
          ];
    for (const step of [
      { direction: 'in', event: 'syn' },
      { direction: 'in', event: 'ack' },
      ...end,
    ] as readonly Step[])
      connection.send(step);
    expect(connection.state()).toBe(state);
    const before = connection.realServer();
    connection.send({ direction: 'in', event: 'syn' });
    expect(connection.state()).toBe('SYN_RECV');
    expect(connection.realServer()).not.toBe(before);
    expect(takeCensus(stage.maps)).toEqual({ connections: 1, replies: 1, violations: [] });
  },
);

test('RST goes before SYN, SYN before FIN, FIN before ACK, and none of them closes', () => {
  stage.install(service({ port: ports.gate, destinations: [destination(1, 'gate', { port: ports.gate })] }));
  const order: readonly (readonly [number, FlowState])[] = [
    [flag.rst | flag.syn | flag.fin | flag.ack, 'CLOSE'],
    [flag.syn | flag.fin | flag.ack, 'ESTABLISHED'],
    [flag.fin | flag.ack, 'FIN_WAIT'],
    [flag.ack | flag.urg, 'ESTABLISHED'],
    [flag.urg, 'CLOSE'],
  ];
  for (const [bits, expected] of order) {
    const connection = new Connection('gate');
    connection.sendFlags(flag.syn);
    connection.sendFlags(flag.ack);
    connection.sendFlags(bits);
    expect([bits, connection.state()]).toEqual([bits, expected]);
  }
});

function next(rules: Rules, state: Short, { direction, event }: Step): Short {
  return rules[direction][event].split(' ')[columns.indexOf(state)] as Short;
}

/** By which packets each state is reached from a first SYN: the shortest way. */
function reachable(rules: Rules, method: Method): ReadonlyMap<Short, readonly Step[]> {
  const [first = 'in'] = directionsOf(method);
  const start: readonly Step[] = [{ direction: first, event: 'syn' }];
  const paths = new Map<Short, readonly Step[]>([[next(rules, 'NO', { direction: first, event: 'syn' }), start]]);
  for (const [state, path] of paths) {
    for (const direction of directionsOf(method)) {
      for (const event of events) {
        const reached = next(rules, state, { direction, event });
        if (!paths.has(reached)) paths.set(reached, [...path, { direction, event }]);
      }
    }
  }
  return paths;
}

class Connection {
  readonly isTranslated: boolean;
  readonly #port: number;
  readonly #sourcePort = sourcePort++;

  constructor(method: Method) {
    this.#port = ports[method];
    this.isTranslated = method === 'masq' || method === 'fullnat';
  }

  send({ direction, event }: Step): void {
    if (direction !== 'out') {
      this.sendFlags(flags[event]);
      return;
    }
    const { local } = this.#entry();
    const to = local ?? { address: client, port: this.#sourcePort };
    const ends = {
      source: this.realServer(),
      sourcePort: this.#port,
      destination: to.address,
      destinationPort: to.port,
    };
    expect(stage.walk(build({ ...ends, flags: flags[event] })).verdict).toBe('redirect');
  }

  sendFlags(bits: number): void {
    const ends = { source: client, sourcePort: this.#sourcePort, destination: vip, destinationPort: this.#port };
    expect(stage.walk(build({ ...ends, flags: bits })).verdict).toBe('redirect');
  }

  state(): FlowState {
    return this.#entry().state;
  }

  realServer(): string {
    return this.#entry().realServer;
  }

  #entry(): { state: FlowState; realServer: string; local?: { address: string; port: number } } {
    const found = stage
      .connections()
      .find((one) => one.client.port === this.#sourcePort && one.virtual.port === this.#port);
    if (found === undefined) throw new Error('the connection has no entry');
    const { state, destination: to, local } = found;
    const realServer = to.address.bytes.join('.');
    return local === undefined
      ? { state, realServer }
      : { state, realServer, local: { address: local.address.bytes.join('.'), port: local.port } };
  }
}

test('asked for again, or refused, before it is there: the destination is to blame; later, or by a stranger, it is not', () => {
  stage.install(service({ destinations: [destination(1, 'masq')] }));
  const ends = { source: client, sourcePort: 4444, destination: vip, destinationPort: 80 };
  const back = { source: rip(1), sourcePort: 80, destination: client };
  const counted = (): number => stage.services()[0]?.destinations[0]?.failures ?? Number.NaN;
  const before = counted();
  const failures = (): number => counted() - before;
  const send = (flags: number, port = 4444): void => void stage.walk(build({ ...ends, sourcePort: port, flags }));
  send(flag.syn);
  send(flag.syn); // at once: nobody does
  expect(failures()).toBe(0);
  const flows = stage.maps.rows('flows');
  const [seen, second] = [flows.number('seen'), stage.maps.rows('settings').number('hz').get(0)];
  for (let slot = 0; slot < flows.length; slot++) seen.set(slot, (seen.get(slot) - second) >>> 0);
  send(flag.syn);
  expect(failures()).toBe(1);
  stage.walk(build({ ...back, destinationPort: 4444, flags: flag.rst | flag.ack }));
  expect(failures()).toBe(2);
  send(flag.syn, 4445);
  stage.walk(build({ ...back, destinationPort: 4445, flags: flag.syn | flag.ack }));
  send(flag.ack, 4445);
  stage.walk(build({ ...back, destinationPort: 4445, flags: flag.rst }));
  send(flag.rst, 4446);
  expect(failures()).toBe(2);
});
