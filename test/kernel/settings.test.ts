// Settings of net.ipv4.vs: what each makes of packets, connections and rates. Numbers and packets are what Linux 6.1's IPVS gave.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/model/address.ts';
import type { FlowState } from '../../src/model/director.ts';
import type { Method, Service } from '../../src/model/service.ts';
import { initialSettings } from '../../src/model/settings.ts';
import { takeCensus } from '../invariants.ts';
import { build, buildIcmpError, buildIp, checksumErrors, type Description, flag, parse, protocol } from '../packets.ts';
import {
  client,
  destination,
  dip,
  openStage,
  persistence,
  rip,
  type Stage,
  service,
  six,
  type Verdict,
  vip,
} from './stage.ts';
import { until } from './until.ts';

let stage: Stage;
let sourcePort = 20_000;

beforeAll(() => {
  stage = openStage({ connections: 4096 });
  const methods: readonly Method[] = ['masq', 'gate', 'tunnel'];
  stage.install(
    ...methods.map((method, index) => service({ port: 80 + index, destinations: [destination(1, method)] })),
    service({ vip: six.vip, destinations: [destination(1, 'masq', { rip: parseAddress(six.rip(1)) })] }),
  );
  for (const index of methods.keys()) connect({ port: 80 + index });
});

beforeEach(() => {
  stage.install();
  stage.settle();
  stage.set(initialSettings);
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

test('at first they are as IPVS has them', () => {
  expect(stage.settings()).toEqual(initialSettings);
});

describe('drop_packet', () => {
  const outcomes = (count: number, facts: Ends = {}): string =>
    Array.from({ length: count }, () => (connect({ port: 81, ...facts }) === 'drop' ? '-' : '.')).join('');

  beforeEach(() => {
    stage.install(
      service({ port: 81, destinations: [destination(1, 'gate')] }),
      service({ port: 81, protocol: 'udp', destinations: [destination(1, 'gate')] }),
    );
    stage.set({ drop_counter: 0 });
  });

  test('3 drops one of am_droprate, the first one first', () => {
    stage.set({ drop_packet: 3, am_droprate: 4 });
    expect(outcomes(13)).toBe('-...-...-...-');
    expect(outcomes(13, { udp: true })).toBe('...-...-...-.');
    expect(stage.news()['drop-packet']).toBe(7);
  });

  test('leaves what belongs to a connection, or to no service', () => {
    const from = sourcePort;
    connect({ port: 81 });
    stage.set({ drop_packet: 3, am_droprate: 1 });
    expect(send(81, flag.ack, { from })).toBe('redirect');
    expect(send(81, flag.syn)).toBe('drop');
    expect([send(81, flag.ack), send(999, flag.syn)]).toEqual(['pass', 'pass']);
    expect(stage.trace(questionTo(81))?.verdict).toBe('forwarded');
  });

  test.each([
    [3, 0],
    [0, 1],
    [1, 1],
  ])('%i with am_droprate %i drops none', (mode, rate) => {
    stage.set({ drop_packet: mode, am_droprate: rate });
    expect(outcomes(8)).toBe('........');
  });

  test('by need drops one of amemthresh / (amemthresh - room)', async () => {
    stage.set({ drop_packet: 1, amemthresh: 2 * room() });
    await until(() => stage.settings().drop_packet === 2);
    stage.set({ drop_counter: 0 });
    expect(outcomes(7)).toBe('-.-.-.-');
    stage.set({ amemthresh: 100 });
    await until(() => stage.settings().drop_packet === 1);
    expect(outcomes(8)).toBe('........');
  });
});

describe('by need', () => {
  const modes = (): readonly number[] => {
    const { drop_entry, drop_packet, secure_tcp } = stage.settings();
    return [drop_entry, drop_packet, secure_tcp];
  };

  test('is 2 while the table has room for less than amemthresh connections, 0 and 3 stay', async () => {
    stage.install(service({ port: 81, destinations: [destination(1, 'gate')] }));
    const enough = room();
    stage.set({ drop_entry: 1, drop_packet: 3, secure_tcp: 1, amemthresh: enough });
    await pause(300);
    expect(modes()).toEqual([1, 3, 1]);
    stage.set({ drop_packet: 0 });
    connect({ port: 81 });
    await until(() => modes().join() === '2,0,2');
    stage.set({ amemthresh: -1 });
    await until(() => modes().join() === '1,0,1');
  });

  test('is one mode to who sets it', async () => {
    stage.change({ drop_entry: 2 });
    expect(stage.settings().drop_entry).toBe(1);
    stage.change({ amemthresh: 1_000_000 });
    await until(() => stage.settings().drop_entry === 2);
    stage.change({ drop_entry: 1 });
    expect(stage.settings().drop_entry).toBe(2);
    stage.change({ drop_entry: 0 });
    await pause(300);
    expect(stage.settings().drop_entry).toBe(0);
  });
});

describe('drop_entry', () => {
  const many = 320;
  const count = (state: FlowState): number => stage.connections().filter((one) => one.state === state).length;

  function fill(): void {
    stage.install(
      service({ port: 81, destinations: [destination(1, 'gate')] }),
      service({ port: 82, protocol: 'udp', destinations: [destination(1, 'gate')] }),
      service({ port: 83, persistence: persistence(300), destinations: [destination(1, 'gate')] }),
    );
    for (let index = 0; index < many; index++) begin({ port: 81 });
    for (let index = 0; index < 20; index++) establish(81);
    for (let index = 0; index < 20; index++) begin({ port: 82, udp: true });
    for (let index = 0; index < 60; index++) begin({ port: 83, source: `203.0.113.${100 + index}` });
    establish(83);
  }

  test('0 ends nothing', async () => {
    fill();
    await pause(2500);
    expect([count('SYN_RECV'), count('ESTABLISHED'), count('UDP')]).toEqual([many + 60, 21, 20]);
  });

  test('3 ends half-open connections, a 32nd of them each second, and templates without an established one', async () => {
    fill();
    stage.setTimeouts(300);
    stage.set({ drop_entry: 3 });
    const start = performance.now();
    await until(() => count('SYN_RECV') < (many + 60) * 0.8);
    const seconds = (performance.now() - start) / 1000;
    // 7 s on average; a half and twice of that are farther off than chance goes.
    expect(seconds).toBeGreaterThan(3.5);
    expect(seconds).toBeLessThan(14);
    stage.set({ drop_entry: 0 });
    expect([count('ESTABLISHED'), count('UDP')]).toEqual([21, 20]);
    const open = stage.connections().filter((one) => one.virtual.port === 83);
    const templates = open.filter(({ isTemplate }) => isTemplate).length;
    expect(templates).toBeLessThan(61);
    expect(templates).toBe(open.length - templates);
    expect(takeCensus(stage.maps).violations).toEqual([]);
    expect(stage.news()['drop-entry']).toBe(many + 60 - count('SYN_RECV'));
  });
});

describe('nat_icmp_send', () => {
  const answers = (facts: Partial<Description>): string => {
    const { verdict, packet } = stage.walk(
      build({ source: rip(1), destination: client, destinationPort: 5000, sourcePort: 80, ...facts }),
    );
    if (verdict !== 'redirect') return verdict;
    expect(checksumErrors(packet)).toEqual([]);
    const { ip } = parse(packet);
    // What was on its way on has aged, what was for the director has not.
    if (ip.icmp !== undefined) expect(ip.inner?.ttl).toBe(facts.destination === dip ? 64 : 63);
    return `${ip.source} > ${ip.destination} ${ip.icmp?.type} ${ip.icmp?.code}`;
  };

  beforeEach(() => {
    stage.install(
      service({ destinations: [destination(1, 'masq'), destination(2, 'gate')] }),
      service({ mark: 7, destinations: [destination(3, 'masq')] }),
      service({ vip: six.vip, destinations: [destination(1, 'masq', { rip: parseAddress(six.rip(1)) })] }),
    );
  });

  const refused = `${dip} > ${rip(1)} 3 3`;
  test.each<[string, Partial<Description>, string]>([
    ['SYN+ACK', { flags: flag.syn | flag.ack }, refused],
    ['SYN', { flags: flag.syn }, refused],
    ['RST', { flags: flag.rst | flag.ack }, 'pass'],
    ['a packet from another port', { flags: flag.ack, sourcePort: 81 }, 'pass'],
    ['another protocol', {}, 'pass'],
    ['any protocol from the real server of a mark', { source: rip(3) }, `${dip} > ${rip(3)} 3 3`],
    ['a packet from a real server of gate', { source: rip(2), flags: flag.ack }, 'pass'],
    ['a packet to the director itself', { flags: flag.ack, destination: dip }, refused],
    ['IPv6', { source: six.rip(1), destination: six.client, flags: flag.ack }, `${six.dip} > ${six.rip(1)} 1 4`],
    ['a TTL of 1, of which the director itself tells', { flags: flag.ack, ttl: 1 }, 'pass'],
  ])('answers %s', (_, facts, expected) => {
    expect(answers(facts)).toBe('pass');
    stage.set({ nat_icmp_send: 1 });
    expect(answers(facts)).toBe(expected);
    expect(stage.news()).toEqual(expected === 'pass' ? {} : { 'no-connection': 1 });
    expect(stage.connections()).toEqual([]);
  });

  test('leaves answers of connections, and real servers that were deleted', () => {
    const from = sourcePort;
    connect({ port: 80 });
    stage.set({ nat_icmp_send: 1 });
    expect(answers({ flags: flag.syn | flag.ack, destinationPort: from })).toContain(`${vip} > ${client}`);
    stage.install();
    expect(answers({ flags: flag.ack })).toBe('pass');
  });
});

describe('schedule_icmp', () => {
  const families = {
    IPv4: { vip, client, rip: rip(1), number: protocol.icmp, type: 3, code: 3 },
    IPv6: { vip: six.vip, client: six.client, rip: six.rip(1), number: protocol.icmp6, type: 1, code: 4 },
  } as const;

  function error(family: keyof typeof families, port: number, facts: Partial<Description> = { flags: flag.ack }) {
    const { vip: own, client: peer, number, type, code } = families[family];
    const quoted = buildIp({ source: own, sourcePort: port, destination: peer, destinationPort: 5000, ...facts });
    const ends = { source: peer, destination: own };
    return stage.walk(build({ ...ends, protocol: number, body: buildIcmpError({ type, code, quoted, ...ends }) }));
  }

  beforeEach(() => {
    const both = (facts: { port: number; protocol?: 'udp' }, method: Method): readonly Service[] =>
      Object.values(families).map(({ vip: own, rip: real }) =>
        service({
          ...facts,
          vip: own,
          destinations: [destination(1, method, { rip: parseAddress(real), port: facts.port })],
        }),
      );
    stage.install(
      ...both({ port: 80 }, 'masq'),
      ...both({ port: 81 }, 'gate'),
      ...both({ port: 82 }, 'tunnel'),
      ...both({ port: 53, protocol: 'udp' }, 'masq'),
      service({ port: 83 }),
    );
  });

  describe.each(Object.keys(families) as (keyof typeof families)[])('of %s', (family) => {
    const { client: peer, rip: real, vip: own } = families[family];

    test('opens the connection that an error is about, in no state', () => {
      expect(error(family, 80).verdict).toBe('pass');
      expect(stage.connections()).toEqual([]);
      stage.change({ schedule_icmp: 1 });
      const { verdict, packet } = error(family, 80);
      expect(verdict).toBe('redirect');
      const { ip } = parse(packet);
      expect(ip).toMatchObject({ source: peer, destination: real, ttl: 63 });
      expect(ip.inner).toMatchObject({ source: real, sourcePort: 80, destination: peer, destinationPort: 5000 });
      expect(stage.connections()).toMatchObject([
        { state: 'NONE', client: { address: parseAddress(peer), port: 5000 }, virtual: { port: 80 } },
      ]);
      expect(stage.services()[family === 'IPv4' ? 0 : 1]?.destinations[0]).toMatchObject({
        activeConnections: 0,
        inactiveConnections: 1,
        counters: { connections: 1n, inPackets: 1n },
      });
      expect(takeCensus(stage.maps)).toEqual({ connections: 1, replies: 1, violations: [] });
      expect(error(family, 80).verdict).toBe('redirect');
      expect(stage.connections()).toHaveLength(1);
    });

    test('sends it whole by gate and tunnel', () => {
      stage.change({ schedule_icmp: 1 });
      expect(parse(error(family, 81).packet).ip).toMatchObject({ source: peer, destination: own, ttl: 63 });
      expect(parse(error(family, 82).packet).ip.destination).toBe(real);
      expect(takeCensus(stage.maps)).toEqual({ connections: 2, replies: 0, violations: [] });
    });

    test('of UDP opens what a datagram would', () => {
      stage.change({ schedule_icmp: 1 });
      expect(error(family, 53, {}).verdict).toBe('redirect');
      expect(stage.connections()).toMatchObject([{ state: 'UDP', protocol: 'udp' }]);
    });
  });

  test('drops what no real server takes, and leaves what is for no service', () => {
    stage.change({ schedule_icmp: 1 });
    expect([error('IPv4', 83).verdict, error('IPv4', 84).verdict]).toEqual(['drop', 'pass']);
    expect(stage.news()['no-destination']).toBe(1);
  });

  test('a connection so opened becomes what its own packets make it', () => {
    stage.change({ schedule_icmp: 1 });
    error('IPv4', 80);
    const back = { source: rip(1), sourcePort: 80, destination: client, destinationPort: 5000 };
    expect(stage.walk(build({ ...back, flags: flag.ack })).verdict).toBe('redirect');
    expect(stage.connections()).toMatchObject([{ state: 'ESTABLISHED' }]);
  });
});

describe('pmtu_disc', () => {
  const outer = (facts: Partial<Description>): boolean | string => {
    const { verdict, packet } = stage.walk(
      build({ source: client, sourcePort: 5001, destination: vip, destinationPort: 82, flags: flag.syn, ...facts }),
    );
    if (verdict !== 'redirect') return verdict;
    const { icmp, dontFragment } = parse(packet).ip;
    return icmp === undefined ? dontFragment : `icmp ${icmp.code}`;
  };
  const sets = (): readonly (boolean | string)[] => [
    outer({ dontFragment: true }),
    outer({}),
    outer({ dontFragment: true, payload: Buffer.alloc(1500 - 20 - 40) }),
    outer({ dontFragment: true, payload: Buffer.alloc(1500 - 20 - 39) }),
  ];

  test("0 takes DF off a tunnel's packets, and what is too large is cut", () => {
    stage.install(service({ port: 82, destinations: [destination(1, 'tunnel')] }));
    outer({});
    expect(sets()).toEqual([true, false, true, 'icmp 4']);
    stage.change({ pmtu_disc: 0 });
    outer({});
    stage.news();
    expect(sets()).toEqual([false, false, false, false]);
    expect(stage.news()).not.toMatchObject({ 'must-fragment': 1 });
    stage.change({ pmtu_disc: 1 });
    outer({});
    expect(sets()).toEqual([true, false, true, 'icmp 4']);
  });
});

describe('cache_bypass', () => {
  const far = '203.0.113.99';
  const toMark = (facts: Partial<Description> = {}) =>
    stage.marked(
      7,
      build({ source: client, sourcePort: 5002, destination: far, destinationPort: 80, flags: flag.syn, ...facts }),
    );

  test('sends what a mark without a real server brought to where it is for', () => {
    stage.install(service({ mark: 7 }));
    expect(parse(toMark().packet).ip.icmp).toMatchObject({ type: 3, code: 3 });
    expect(toMark({ flags: flag.ack }).verdict).toBe('pass');
    stage.set({ cache_bypass: 1 });
    for (const flags of [flag.syn, flag.ack]) {
      const { verdict, packet } = toMark({ flags });
      expect(verdict).toBe('redirect');
      expect(checksumErrors(packet)).toEqual([]);
      expect(parse(packet).ip).toMatchObject({ source: client, destination: far, ttl: 63, flags });
    }
    expect(stage.connections()).toEqual([]);
  });

  test.each<[string, Partial<Description>, number]>([
    ['for the director itself', { destination: dip }, 7],
    ['for a group', { destination: '224.0.0.5' }, 7],
    ['for all on the link', { destination: '255.255.255.255' }, 7],
    ['for a service that is not of a mark', { destination: vip, destinationPort: 90 }, 8],
  ])('refuses a packet that is %s', (_, facts, mark) => {
    stage.install(service({ mark: 7 }), service({ port: 90 }));
    stage.set({ cache_bypass: 1 });
    const frame = build({
      source: client,
      sourcePort: 5002,
      destination: far,
      destinationPort: 80,
      flags: flag.syn,
      ...facts,
    });
    expect(parse(stage.marked(mark, frame).packet).ip.icmp).toMatchObject({ type: 3, code: 3 });
  });

  test('leaves a mark with a real server to it', () => {
    stage.install(service({ mark: 7, destinations: [destination(1, 'gate')] }));
    stage.set({ cache_bypass: 1 });
    expect(toMark().verdict).toBe('redirect');
    expect(stage.connections()).toHaveLength(1);
  });
});

test('run_estimation 0 leaves the rates as they are, and counters go on', async () => {
  stage.install(service({ port: 81, destinations: [destination(1, 'gate')] }));
  const rates = () => stage.services()[0]?.rates;
  for (let index = 0; index < 500; index++) begin({ port: 81 });
  await until(() => (rates()?.connections ?? 0n) > 0n);
  stage.set({ run_estimation: 0 });
  await pause(200);
  const before = rates();
  for (let index = 0; index < 100; index++) begin({ port: 81 });
  await pause(4500);
  expect(rates()).toEqual(before);
  expect(stage.services()[0]?.counters.connections).toBe(600n);
  stage.set({ run_estimation: 1 });
  await until(() => rates()?.connections !== before?.connections);
}, 60_000);

describe.each([
  ['lblc', 'lblc_expiration'],
  ['lblcr', 'lblcr_expiration'],
] as const)('%s', (scheduler, name) => {
  test(`forgets an address after ${name}`, async () => {
    const chosen = (): string => connect({ port: 81 });
    stage.install(
      service({ scheduler, port: 81, destinations: [2, 1].map((one) => destination(one, 'gate', { weight: 9 })) }),
    );
    expect([chosen(), chosen(), chosen()]).toEqual(['2', '2', '2']);
    stage.set({ [name]: 1 });
    await pause(1200);
    expect([chosen(), chosen()]).toEqual(['1', '1']);
  });
});

interface Ends {
  readonly port?: number;
  readonly source?: string;
  readonly from?: number;
  readonly udp?: boolean;
}

/** The number of the real server, or the verdict. Looks for it among all connections. */
function connect({ port = 80, from = sourcePort++, ...rest }: Ends): string {
  const verdict = begin({ port, from, ...rest });
  if (verdict !== 'redirect') return verdict;
  const entry = stage.connections().find((one) => one.client.port === from && one.virtual.port === port);
  return `${[1, 2, 3, 4].find((number) => entry?.destination.address.bytes.at(-1) === 10 + number)}`;
}

function begin({ port = 80, source = client, from = sourcePort++, udp = false }: Ends): Verdict {
  const ends = { source, sourcePort: from, destination: vip, destinationPort: port };
  return stage.walk(build({ ...ends, ...(udp ? {} : { flags: flag.syn }) })).verdict;
}

function send(port: number, flags: number, { from = sourcePort++ }: Ends = {}): string {
  return stage.walk(build({ source: client, sourcePort: from, destination: vip, destinationPort: port, flags }))
    .verdict;
}

function establish(port: number): void {
  const from = sourcePort++;
  for (const flags of [flag.syn, flag.ack]) send(port, flags, { from });
}

function questionTo(port: number) {
  const at = (text: string, number: number) => ({ address: parseAddress(text), port: number });
  return { protocol: 'tcp', source: at(client, sourcePort++), target: at(vip, port) } as const;
}

/** Connections that the table is made for. */
function room(): number {
  return Math.floor(stage.maps.instance.flow_slots / stage.maps.vocabulary.numbers.SLOTS_PER_CONNECTION);
}
