// Making and unmaking a real server in a real namespace: whatever happens between, all is as it was before.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BpfObject } from '../../src/kernel/object.ts';
import { attachTc } from '../../src/kernel/tc.ts';
import { add, remove, reset } from '../../src/realserver/agent.ts';
import { formatChange } from '../../src/realserver/change.ts';
import { journalPath } from '../../src/realserver/journal.ts';
import type { Wanted } from '../../src/realserver/plan.ts';
import { readStatus } from '../../src/realserver/status.ts';
import { ipip, type TunnelEnd } from '../../src/realserver/tunnel.ts';
import { type TestNamespace, testNamespace } from './namespace.ts';

const object = new URL('../../build/bpf/realserver.bpf.o', import.meta.url).pathname;
const [vip, other] = ['203.0.113.100', '203.0.113.101'];
const vipSix = '2001:db8:a::10';
const gre = { type: 'gre', port: 0 } as const;
const gue = { type: 'gue', port: 6080 } as const;

let namespace: TestNamespace;

beforeEach(() => {
  namespace = testNamespace();
});

afterEach(() => {
  try {
    for (const one of status().vips) finish(remove(one.vip));
  } finally {
    namespace[Symbol.dispose]();
  }
});

describe('on an untouched machine', () => {
  test('adding makes what status tells, and removing leaves no trace', () => {
    const before = traces();
    expect(finish(add(tunnel(vip))).map(formatChange)).toEqual([
      'net.ipv4.conf.all.arp_ignore: 0 -> 1',
      'net.ipv4.conf.all.arp_announce: 0 -> 2',
      `${vip}/32 on lo, scope host`,
      'qdisc clsact on v1',
      ...programs('v1'),
      'qdisc clsact on v0',
      ...programs('v0'),
      `tunnelled packets for ${vip} are decapsulated (ipip)`,
    ]);
    expect(status()).toMatchObject({
      vips: [{ vip, method: 'tunnel', packets: 0, bytes: 0 }],
      program: 'on',
      interfaces: [
        { interface: 'v1', attached: true },
        { interface: 'v0', attached: true },
      ],
    });
    expect(status().changes.filter(({ inEffect }) => !inEffect)).toEqual([]);
    finish(remove(vip));
    expect(traces()).toEqual(before);
    expect(namespace.run(() => existsSync(journalPath()))).toBe(false);
  });

  test('adding again changes nothing', () => {
    finish(add(tunnel(vip)));
    const before = traces();
    expect(finish(add(tunnel(vip)))).toEqual([]);
    expect(traces()).toEqual(before);
  });

  test.each([
    [vip, other],
    [other, vip],
  ])('two VIPs share what both need until the last goes: first %s', (first, last) => {
    const before = traces();
    finish(add(tunnel(vip)));
    expect(finish(add(tunnel(other))).map(({ kind }) => kind)).toEqual(['address', 'decapsulation']);
    expect(finish(remove(first)).map(({ change }) => change.kind)).toEqual(['decapsulation', 'address']);
    expect(status().changes.filter(({ inEffect }) => !inEffect)).toEqual([]);
    finish(remove(last));
    expect(traces()).toEqual(before);
  });

  test('a VIP of IPv6 needs no ARP settings, and leaves no trace either', () => {
    const before = traces();
    expect(finish(add(tunnel(vipSix, gue))).map(formatChange)).toEqual([
      `${vipSix}/128 on lo, deprecated`,
      'qdisc clsact on v1',
      ...programs('v1'),
      'qdisc clsact on v0',
      ...programs('v0'),
      `tunnelled packets for ${vipSix} are decapsulated (gue 6080)`,
    ]);
    expect(status().changes.filter(({ inEffect }) => !inEffect)).toEqual([]);
    expect(finish(add(tunnel(vipSix, gue)))).toEqual([]);
    finish(remove(vipSix));
    expect(traces()).toEqual(before);
  });

  test('gate by IPv6 needs the VIP alone', () => {
    const before = traces();
    const wanted: Wanted = { ...tunnel(vipSix), method: 'gate' };
    expect(finish(add(wanted)).map(formatChange)).toEqual([`${vipSix}/128 on lo, deprecated`]);
    expect(() => finish(add(tunnel(vipSix)))).toThrow('was added as --method gate, not as --method tunnel');
    finish(reset());
    expect(traces()).toEqual(before);
  });

  test('a VIP may be served by several kinds of tunnels, which go with it', () => {
    const before = traces();
    finish(add(tunnel(vip)));
    for (const kind of [gre, gue, { ...gue, port: 6081 }])
      expect(finish(add(tunnel(vip, kind))).map(({ kind }) => kind)).toEqual(['decapsulation']);
    finish(add(tunnel(other, gue)));
    expect(status().vips).toMatchObject([
      { vip, tunnels: [{ type: 'ipip' }, gre, gue, { type: 'gue', port: 6081 }] },
      { vip: other, tunnels: [gue] },
    ]);
    expect(status().changes.filter(({ inEffect }) => !inEffect)).toEqual([]);
    finish(remove(vip));
    expect(status().vips).toMatchObject([{ vip: other, tunnels: [gue] }]);
    expect(status().changes.filter(({ inEffect }) => !inEffect)).toEqual([]);
    finish(remove(other));
    expect(traces()).toEqual(before);
  });

  test('a VIP that was never added is refused, and nothing changes', () => {
    finish(add(tunnel(vip)));
    const before = traces();
    expect(() => finish(remove(other))).toThrow(`${other} is not a VIP that was added`);
    expect(traces()).toEqual(before);
  });
});

describe('on a machine that somebody has set up before', () => {
  beforeEach(setUpOddly);

  test('all of it is as it was after adding and removing', () => {
    const before = traces();
    expect(finish(add(tunnel(vip))).map(formatChange)).toEqual([
      'net.ipv4.conf.v1.arp_ignore: 5 -> 1',
      'net.ipv4.conf.all.arp_announce: 1 -> 2',
      'net.ipv4.conf.v0.rp_filter: 0 -> 2',
      `${vip}/32 on lo, scope host`,
      'qdisc clsact on v1',
      ...programs('v1'),
      ...programs('v0'),
      `tunnelled packets for ${vip} are decapsulated (ipip)`,
    ]);
    finish(remove(vip));
    expect(traces()).toEqual(before);
  });

  test.each<[string, Wanted]>([
    ['a tunnel', tunnel(vip)],
    ['a tunnel whose path is narrow', { ...tunnel(vip), mtu: 1400 }],
    ['gate', { ...tunnel(vip), method: 'gate' }],
    ['gate with arptables', { ...tunnel(vip), method: 'gate', arp: 'arptables' }],
    ['fullnat', { ...tunnel(vip), method: 'fullnat' }],
  ])('whoever dies at any step of adding %s, resetting ends where it began', (_, wanted) => {
    const before = traces();
    for (let steps = 1; !die(add(wanted), steps); steps++) {
      die(reset(), steps);
      finish(reset());
      expect(traces(), `after ${steps} steps`).toEqual(before);
    }
  });

  test('whoever dies at any step of adding, adding again ends where it should, and removing where it began', () => {
    const before = traces();
    finish(add(tunnel(vip)));
    const whole = traces();
    finish(remove(vip));
    for (let steps = 1; !die(add(tunnel(vip)), steps); steps++) {
      finish(add(tunnel(vip)));
      expect(traces(), `after ${steps} steps`).toEqual(whole);
      finish(remove(vip));
      expect(traces(), `after ${steps} steps`).toEqual(before);
    }
  });

  test.each([
    ['removing again ends where it began', false],
    ['adding and removing end where it began', true],
  ])('whoever dies at any step of removing, %s', (_, addsAgain) => {
    const before = traces();
    finish(add(tunnel(vip)));
    const whole = traces();
    for (let steps = 1; !die(remove(vip), steps); steps++) {
      if (addsAgain) {
        finish(add(tunnel(vip)));
        expect(traces(), `after ${steps} steps`).toEqual(whole);
      }
      if (status().vips.length > 0) finish(remove(vip));
      expect(traces(), `after ${steps} steps`).toEqual(before);
      finish(add(tunnel(vip)));
    }
    expect(traces()).toEqual(before);
  });

  test('what somebody else changes meanwhile is left alone', () => {
    finish(add(tunnel(vip)));
    namespace.output('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/conf/v0/rp_filter');
    namespace.ip('addr', 'del', `${vip}/32`, 'dev', 'lo');
    const outcomes = finish(remove(vip)).map(({ change, outcome }) => `${change.kind} ${outcome}`);
    expect(outcomes).toEqual([
      'decapsulation undone',
      ...new Array<string>(4).fill('filter undone'),
      'qdisc undone',
      'address gone',
      'setting left',
      'setting undone',
      'setting undone',
    ]);
    expect(namespace.output('cat', '/proc/sys/net/ipv4/conf/v0/rp_filter')).toBe('1\n');
  });

  test('what somebody else takes away is mended by adding again', () => {
    finish(add(tunnel(vip)));
    const whole = traces();
    namespace.output('tc', 'qdisc', 'del', 'dev', 'v1', 'clsact');
    namespace.ip('addr', 'del', `${vip}/32`, 'dev', 'lo');
    expect(status().interfaces).toContainEqual({ interface: 'v1', attached: false });
    expect(finish(add(tunnel(vip))).map(({ kind }) => kind)).toEqual(['address', 'qdisc', 'filter', 'filter']);
    expect(traces()).toEqual(whole);
  });

  test('what an older version attached is renewed by adding again', () => {
    finish(add(tunnel(vip)));
    finish(add(tunnel(other)));
    const whole = traces();
    const path = namespace.run(journalPath);
    writeFileSync(path, readFileSync(path, 'utf8').replace(/"digest": "[^"]*"/, '"digest": "older"'));
    expect(status().program).toBe('old');
    expect(finish(add(tunnel(vip))).map(({ kind }) => kind)).toEqual(new Array(4).fill('filter'));
    expect(status()).toMatchObject({ program: 'on', vips: [{ vip }, { vip: other }] });
    expect(status().changes.filter(({ inEffect }) => !inEffect)).toEqual([]);
    expect(traces()).toEqual(whole);
  });

  test('interfaces that are renamed or gone stop nothing', () => {
    const addresses = (): string => namespace.ip('addr', 'show', 'dev', 'lo');
    const before = addresses();
    finish(add(tunnel(vip)));
    namespace.ip('link', 'set', 'v0', 'down');
    namespace.ip('link', 'set', 'v0', 'name', 'w0');
    finish(remove(vip));
    expect(namespace.output('cat', '/proc/sys/net/ipv4/conf/w0/rp_filter')).toBe('0\n');
    finish(add(tunnel(vip)));
    namespace.ip('link', 'add', 'x0', 'type', 'veth', 'peer', 'name', 'x1');
    namespace.ip('link', 'del', 'w0');
    finish(remove(vip));
    expect(addresses()).toBe(before);
  });
});

describe('on a machine where somebody has a rule of arptables, in one of its chains', () => {
  const gate = (address: string): Wanted => ({ ...tunnel(address), method: 'gate', arp: 'arptables' });

  beforeEach(() => {
    setUpOddly();
    namespace.output('arptables', '-A', 'INPUT', '-s', '9.9.9.9', '-j', 'DROP');
  });

  test('whoever dies at any step of adding or resetting, resetting ends where it began', () => {
    const before = traces();
    for (let steps = 1; !die(add(gate(vip)), steps); steps++) {
      die(reset(), steps);
      finish(reset());
      expect(traces(), `after ${steps} steps`).toEqual(before);
    }
  });

  test.each([
    [vip, other],
    [other, vip],
  ])('two VIPs share the other chain until the last goes: first %s', (first, last) => {
    const before = traces();
    expect(finish(add(gate(vip))).map(({ kind }) => kind)).toContain('arp-chain');
    expect(finish(add(gate(other))).map(({ kind }) => kind)).not.toContain('arp-chain');
    finish(remove(first));
    expect(status().changes.filter(({ inEffect }) => !inEffect)).toEqual([]);
    finish(remove(last));
    expect(traces()).toEqual(before);
  });
});

test.each([
  ['nothing else', ''],
  ['a rule of somebody', 'arptables -A OUTPUT -s 9.9.9.9 -j DROP'],
])('a journal that an older version wrote, of the table without its chains, is undone: beside %s', (_, script) => {
  setUpOddly();
  namespace.output('sh', '-ec', script);
  const wanted = traces();
  namespace.output('sh', '-c', 'nft delete table arp filter 2>/dev/null || true');
  finish(add({ ...tunnel(vip), method: 'gate', arp: 'arptables' }));
  const path = namespace.run(journalPath);
  const { changes, ...rest } = JSON.parse(readFileSync(path, 'utf8'));
  const former = changes.filter(({ kind }: { kind: string }) => kind !== 'arp-chain');
  writeFileSync(path, JSON.stringify({ ...rest, changes: former }));
  namespace.output('sh', '-ec', script);
  finish(reset());
  expect(traces()).toEqual(wanted);
});

describe('it is refused, and nothing changes,', () => {
  test('where an interface has the VIP', () => {
    namespace.ip('addr', 'add', `${vip}/24`, 'dev', 'v0');
    const before = traces();
    expect(() => finish(add(tunnel(vip)))).toThrow(`v0 has ${vip} and answers ARP for it`);
    expect(traces()).toEqual(before);
  });

  test('where the last interface has a qdisc that clsact has no room beside', () => {
    namespace.output('tc', 'qdisc', 'add', 'dev', 'v0', 'ingress');
    const before = traces();
    expect(() => finish(add(tunnel(vip)))).toThrow('has the qdisc ingress where clsact is needed');
    expect(traces()).toEqual(before);
    expect(status().vips).toEqual([]);
  });

  test('for a second VIP, with the first one served as before', () => {
    finish(add(tunnel(vip)));
    namespace.ip('addr', 'add', `${other}/24`, 'dev', 'v0');
    const before = traces();
    expect(() => finish(add(tunnel(other)))).toThrow(`v0 has ${other}`);
    expect(traces()).toEqual(before);
    expect(status().vips).toMatchObject([{ vip }]);
  });
});

/** arp_ignore and rp_filter that don't do, one clsact qdisc with a filter in it, a way out by the other interface. */
function setUpOddly(): void {
  // Its own link-local addresses and routes appear a while after an interface is up.
  namespace.output('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6');
  namespace.ip('addr', 'add', '10.0.0.3/24', 'dev', 'v0');
  namespace.ip('addr', 'add', '10.0.1.3/24', 'dev', 'v1');
  for (const link of ['lo', 'v0', 'v1']) namespace.ip('link', 'set', link, 'up');
  namespace.ip('route', 'add', 'default', 'via', '10.0.1.1');
  const settings = {
    'all/arp_ignore': 1,
    'all/arp_announce': 1,
    'all/rp_filter': 1,
    'v0/rp_filter': 0,
    'v1/arp_ignore': 5,
  };
  const script = Object.entries(settings).map(([path, value]) => `echo ${value} > /proc/sys/net/ipv4/conf/${path}`);
  namespace.output('sh', '-ec', script.join('\n'));
  namespace.run(() => addFilter(indexOf('v0')));
}

/** The same program in another place is somebody else's. */
function addFilter(ifindex: number): void {
  using loaded = BpfObject.open(object);
  loaded.load();
  using program = loaded.program('realserver_tc');
  attachTc({ ifindex, point: 'ingress', priority: 10, handle: 1 }, program);
}

function indexOf(name: string): number {
  return JSON.parse(namespace.ip('-j', 'link', 'show', name))[0].ifindex;
}

function tunnel(address: string, kind: TunnelEnd = ipip): Wanted {
  return { vip: address, method: 'tunnel', arp: 'ignore', tunnel: kind, mtu: undefined, directors: [] };
}

function programs(name: string): readonly string[] {
  return [`decapsulating program on ${name}, ingress`, `program that bounds segments to the tunnel on ${name}, egress`];
}

/** In the namespace, to the end. */
function finish<T>(steps: Generator<unknown, T>): T {
  return namespace.run(() => {
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
    }
  });
}

/** As kill -9 leaves it: after so many steps nothing more is done but what the kernel does, which closes files. True at the end. */
function die(steps: Generator<unknown>, count: number): boolean {
  return namespace.run(() => {
    for (let step = 0; step < count; step++) if (steps.next().done) return true;
    steps.return(undefined);
    return false;
  });
}

function status(): ReturnType<typeof readStatus> {
  return namespace.run(readStatus);
}

/** All that somebody could see of it. The id of a program is another one each time it is loaded. */
function traces(): readonly string[] {
  const filters = 'for each in v0 v1; do tc filter show dev $each ingress; tc filter show dev $each egress; done';
  const others = "ip addr; ip route show table all; sysctl -a -r '^net'; tc qdisc show; nft list ruleset";
  return [
    ...namespace.output('sh', '-ec', others).split('\n'),
    namespace.output('sh', '-ec', filters).replace(/:\[\d+\]| id \d+/g, ''),
  ];
}
