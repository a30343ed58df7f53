// Rules that give marks, met by real packets: what they make of a mark, whom it counts for, and that a change is all at once.
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Address, formatAddress, parseAddress } from '../../src/model/address.ts';
import { formatRule, type MarkRule, prefixMask } from '../../src/model/mark.ts';
import type { Destination } from '../../src/model/service.ts';
import { build, type Description, flag, parse, protocol } from '../packets.ts';
import { client, destination, openStage, rip, ripMac, type Stage, service, six, vip } from './stage.ts';

const families = {
  IPv4: { family: 4, vip, client, rip, network: '203.0.113.0/24', other: '198.51.100.99' },
  IPv6: {
    family: 6,
    vip: six.vip,
    client: six.client,
    rip: six.rip,
    network: '2001:db8:c::/48',
    other: '2001:db8:a::9',
  },
} as const;
type Ends = (typeof families)[keyof typeof families];
const marks = [1, 2, 3, 4];

let stage: Stage;
let port = 20_000;

beforeAll(() => {
  stage = openStage();
  stage.install(...Object.values(families).flatMap(servicesOf));
  // Every way becomes known.
  for (const ends of Object.values(families)) {
    for (const mark of marks) {
      stage.mark(`-d ${ends.vip} --set-mark ${mark}`);
      for (let count = 0; count < 2; count++) send(ends);
    }
  }
});

beforeEach(() => {
  stage.mark();
  stage.settle();
  stage.news();
});

afterAll(() => stage?.[Symbol.dispose]());

describe.each(Object.entries(families))('by %s', (_, ends) => {
  test.each<readonly [what: string, rules: readonly string[], mark: number | 'pass']>([
    ['a packet that no rule matches has none', ['-p udp --set-mark 1'], 'pass'],
    ['the last rule that matches wins', ['--set-mark 1', `-d ${ends.vip} --set-mark 2`], 2],
    ['a rule that does not match changes nothing', ['--set-mark 1', `-d ${ends.other} --set-mark 2`], 1],
    ['ACCEPT ends the walk', ['--set-mark 1', `-s ${ends.network} -j ACCEPT`, '--set-mark 2'], 1],
    ['RETURN does too', ['--set-mark 1', '-j RETURN', '--set-mark 2'], 1],
    ['bits are set by "or"', ['--set-mark 1', '--or-mark 2'], 3],
    ['bits are kept by "and"', ['--set-mark 7', '--and-mark 4'], 4],
    ['bits change by "xor"', ['--set-mark 7', '--xor-mark 4'], 3],
    ['under a mask other bits stay', ['--set-mark 5', '--set-mark 2/0x7'], 2],
    ['a mark can be asked for', ['--set-mark 1', '--mark 1/0x3 --set-mark 2', '! --mark 2 --set-mark 3'], 2],
    ['one of several ports', ['-p tcp --dports 79,80,443 --set-mark 1'], 1],
    ['none of several ports', ['-p tcp ! --dports 79,80,443 --set-mark 1'], 'pass'],
    ['a port within a range', ['-p tcp --dport 1:80 --set-mark 1'], 1],
    ['a port beyond a range', ['-p tcp --dport 81:90 --set-mark 1'], 'pass'],
    ['fifteen ranges of each', [`-p tcp --sports ${ranges(20_000)} --dports ${ranges(66)} --set-mark 4`], 4],
    ['a network of clients', [`-s ${ends.network} --set-mark 1`], 1],
    ['all but a network of clients', [`! -s ${ends.network} --set-mark 1`], 'pass'],
    ['all VIPs but one', [`! -d ${ends.other} --set-mark 1`], 1],
    ['all protocols but one', ['! -p udp --set-mark 1'], 1],
    ['its own family', [`-${ends.family} --set-mark 1`], 1],
    ['the other family', [`-${10 - ends.family} --set-mark 1`], 'pass'],
    ['the interface it came by', ['-i lo --set-mark 1'], 1],
    ['another interface', ['-i v0 --set-mark 1'], 'pass'],
    ['all interfaces but another', ['! -i v0 --set-mark 1'], 1],
    ['interfaces by the beginning of their names', ['-i l+ --set-mark 1', '-i v+ --set-mark 2'], 1],
    ['an interface that is not there', ['-i eth7 --set-mark 1'], 'pass'],
  ])('%s', (_what, rules, mark) => {
    stage.mark(...rules);
    for (const hook of ['xdp', 'tc'] as const) expect([hook, send(ends, {}, hook)]).toEqual([hook, mark]);
  });

  test.each<readonly [string, Partial<Description>]>([
    ['tcp', { flags: flag.syn }],
    ['udp', { payload: Buffer.alloc(8) }],
    ['sctp', { chunks: [{ type: 1, value: Buffer.alloc(16) }] }],
    ['esp', { protocol: protocol.esp, body: Buffer.alloc(32) }],
    ['ah', { protocol: protocol.ah, body: Buffer.alloc(32) }],
  ])('the protocol %s, and it alone', (name, facts) => {
    for (const one of ['tcp', 'udp', 'sctp', 'esp', 'ah']) {
      stage.mark(`-p ${one} --set-mark 1`);
      stage.settle();
      expect([one, send(ends, facts)]).toEqual([one, one === name ? 1 : 'pass']);
    }
  });

  test('at TC the rules begin with what an earlier filter left', () => {
    stage.mark('--mark 3 --set-mark 4', `-s ${ends.other} --set-mark 2`);
    const frame = (): Buffer => request(ends, {});
    expect(chosen(stage.marked(3, frame()))).toBe(4);
    expect(chosen(stage.marked(1, frame()))).toBe(1);
  });

  test('a connection stays where it is, whatever the rules say later', () => {
    stage.mark('--set-mark 1');
    const sourcePort = port++;
    expect(send(ends, { sourcePort })).toBe(1);
    stage.mark('--set-mark 2');
    expect(send(ends, { sourcePort, flags: flag.ack })).toBe(1);
    expect(send(ends)).toBe(2);
    stage.mark();
    expect(send(ends, { sourcePort, flags: flag.ack })).toBe(1);
  });

  test('trace tells the mark, and the interface may be named', () => {
    stage.mark('-i v1 -p tcp --set-mark 2', '-p tcp --or-mark 0x10');
    const asked = { protocol: 'tcp', source: end(ends.client, 4000), target: end(ends.vip, 80) } as const;
    const [v1] = stage.namespace.output('cat', '/sys/class/net/v1/ifindex').split('\n');
    expect(stage.trace(asked)?.mark).toBe(0x10);
    expect(stage.trace({ ...asked, interfaceIndex: Number(v1) })).toMatchObject({ mark: 0x12 });
  });

  test('any rules make of any packet what iptables would', () => {
    fc.assert(
      fc.property(fc.array(anyRule(ends), { maxLength: 8 }), anyPacket(ends), (rules, packet) => {
        stage.mark(...rules.map(formatRule));
        const traced = stage.trace({
          protocol: packet.protocol,
          source: { address: packet.source, port: packet.sourcePort },
          target: { address: packet.target, port: packet.targetPort },
        });
        expect(traced?.mark ?? 0).toBe(markOf(rules, packet));
      }),
      { numRuns: 150 },
    );
  });
});

test('hundreds of rules are walked through, and no more than there is room for are taken', () => {
  const rules = Array.from({ length: 1023 }, (_, number) => `-s 10.0.${number >> 8}.${number & 255} --set-mark 1`);
  stage.mark(...rules, '--set-mark 3');
  expect(send(families.IPv4)).toBe(3);
  expect(() => stage.mark(...rules, '--set-mark 1', '--set-mark 2')).toThrow('there is room for 1024 mark rules');
  expect(send(families.IPv4)).toBe(3);
});

test('rules for an interface follow it when it comes again', () => {
  stage.mark('-i v7 --set-mark 1');
  const { ip } = stage.namespace;
  ip('link', 'add', 'v7', 'type', 'veth', 'peer', 'name', 'v8');
  const arrive = () => {
    const destinationMac = stage.namespace.output('cat', '/sys/class/net/v7/address').trim();
    return chosen(stage.tc(request(families.IPv4, { destinationMac, flags: flag.syn }), { context: comingBy('v7') }));
  };
  expect(arrive()).toBe('pass');
  stage.install(...Object.values(families).flatMap(servicesOf));
  expect(arrive()).toBe(1);
  ip('link', 'delete', 'v7');
});

/** Real server N for mark N. */
function servicesOf({ family, rip: address }: Ends) {
  return marks.map((mark) => service({ mark, family, destinations: [server(mark, parseAddress(address(mark)))] }));
}

function server(number: number, address: Address): Destination {
  return destination(number, 'gate', { rip: address, port: 0 });
}

function request(ends: Ends, facts: Partial<Description>): Buffer {
  return build({
    source: ends.client,
    destination: ends.vip,
    sourcePort: port++,
    destinationPort: 80,
    ...(Object.keys(facts).some((name) => name !== 'sourcePort') ? {} : { flags: flag.syn }),
    ...facts,
  });
}

/** The real server's number, which is the mark's. */
function send(ends: Ends, facts: Partial<Description> = {}, hook: 'xdp' | 'tc' | 'both' = 'both'): number | 'pass' {
  const frame = request(ends, facts);
  if (hook === 'xdp') return chosen(stage.xdp(frame));
  return chosen(hook === 'tc' ? stage.tc(frame) : stage.walk(frame));
}

function chosen({ verdict, packet }: { readonly verdict: string; readonly packet: Buffer }): number | 'pass' {
  if (verdict === 'pass') return 'pass';
  if (verdict !== 'redirect') throw new Error(`the packet was not forwarded: ${verdict}`);
  // At TC the kernel writes the MAC after the program: the connection tells.
  const mac = parse(packet).destinationMac;
  const byMac = marks.find((number) => ripMac(number) === mac);
  if (byMac !== undefined) return byMac;
  const newest = stage.connections().find(({ client: from }) => from.port === port - 1 || from.port === 0);
  const address = newest && formatAddress(newest.destination.address);
  return marks.find((number) => rip(number) === address || six.rip(number) === address) ?? 'pass';
}

function comingBy(name: string): Buffer {
  const context = Buffer.alloc(192);
  const index = Number(stage.namespace.output('cat', `/sys/class/net/${name}/ifindex`));
  context.writeUInt32LE(index, 40);
  return context;
}

function end(address: string, number: number) {
  return { address: parseAddress(address), port: number };
}

/** Fifteen, of which the last has the port. */
function ranges(first: number): string {
  return Array.from({ length: 15 }, (_, index) => (index === 14 ? `${first + 14}:65535` : `${index}`)).join(',');
}

interface AnyPacket {
  readonly protocol: 'tcp' | 'udp';
  readonly source: Address;
  readonly target: Address;
  readonly sourcePort: number;
  readonly targetPort: number;
}

/** Few values, so that rules and packets meet. */
const smallPort = fc.integer({ min: 1, max: 5 });
const word = fc.oneof(fc.integer({ min: 0, max: 7 }), fc.constantFrom(0xffffffff, 0x80000001));

function anyAddress({ family }: Ends): fc.Arbitrary<Address> {
  const count = family === 4 ? 4 : 16;
  return fc
    .array(fc.constantFrom(0, 1, 0x81), { minLength: 2, maxLength: 2 })
    .map(([first = 0, last = 0]) => ({ family, bytes: [10, first, ...new Array<number>(count - 3).fill(0), last] }));
}

function anyPacket(ends: Ends): fc.Arbitrary<AnyPacket> {
  return fc.record({
    protocol: fc.constantFrom('tcp', 'udp'),
    source: anyAddress(ends),
    target: anyAddress(ends),
    sourcePort: smallPort,
    targetPort: smallPort,
  });
}

function anyRule(ends: Ends): fc.Arbitrary<MarkRule> {
  const bits = ends.family === 4 ? 32 : 128;
  const isNot = fc.boolean();
  const range = fc
    .record({ address: anyAddress(ends), length: fc.constantFrom(8, 9, 16, bits - 7, bits), isNot })
    .map(({ address, length, isNot: not }) => {
      const mask = prefixMask(ends.family, length);
      return {
        address: { ...address, bytes: address.bytes.map((byte, index) => byte & (mask.bytes[index] ?? 0)) },
        mask,
        isNot: not,
      };
    });
  const ports = fc.record({
    ranges: fc.array(
      fc.tuple(smallPort, smallPort).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) })),
      { minLength: 1, maxLength: 3 },
    ),
    isNot,
  });
  const change = fc.record({ value: word, mask: word });
  return fc
    .record(
      {
        protocol: fc.record({ name: fc.constantFrom('tcp' as const, 'udp' as const), isNot }),
        source: range,
        target: range,
        interface: fc.record({ name: fc.constantFrom('lo', 'v0'), isNot }),
        sourcePorts: ports,
        targetPorts: ports,
        mark: fc.record({ value: word, mask: word, isNot }),
        set: change,
        isLast: fc.boolean(),
      },
      { requiredKeys: ['isLast'] },
    )
    .filter(({ set, isLast }) => set !== undefined || isLast)
    .map((rule) => {
      const { sourcePorts, targetPorts, ...others } = rule;
      return rule.protocol === undefined || rule.protocol.isNot ? others : rule;
    }) as fc.Arbitrary<MarkRule>;
}

/** The oracle, straight from iptables(8). Packets of a trace come by lo. */
function markOf(rules: readonly MarkRule[], packet: AnyPacket): number {
  let mark = 0;
  for (const rule of rules) {
    const met = (match: { readonly isNot: boolean } | undefined, holds: () => boolean): boolean =>
      match === undefined || holds() !== match.isNot;
    const within = (address: Address, range: MarkRule['source']): boolean =>
      range?.address.bytes.every((byte, index) => {
        const bits = range.mask.bytes[index] ?? 0;
        return ((address.bytes[index] ?? 0) & bits) === byte;
      }) ?? true;
    const among = (number: number, ports: MarkRule['sourcePorts']): boolean =>
      ports?.ranges.some(({ first, last }) => first <= number && number <= last) ?? true;
    const matches =
      met(rule.protocol, () => rule.protocol?.name === packet.protocol) &&
      met(rule.source, () => within(packet.source, rule.source)) &&
      met(rule.target, () => within(packet.target, rule.target)) &&
      met(rule.interface, () => rule.interface?.name === 'lo') &&
      met(rule.sourcePorts, () => among(packet.sourcePort, rule.sourcePorts)) &&
      met(rule.targetPorts, () => among(packet.targetPort, rule.targetPorts)) &&
      met(rule.mark, () => (mark & (rule.mark?.mask ?? 0)) >>> 0 === rule.mark?.value);
    if (!matches) continue;
    if (rule.set !== undefined) mark = ((mark & ~rule.set.mask) ^ rule.set.value) >>> 0;
    if (rule.isLast) break;
  }
  return mark;
}
