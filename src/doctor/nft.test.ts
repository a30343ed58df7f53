// Which rules of nftables drop a client's SYN, or the answer: only those of which everything is known.
import { expect, test } from 'vitest';
import { type NftItem, questionFor, readChains, reply, request, whatDrops, whatDropsFirst } from './nft.ts';

const packet = request({ address: '203.0.113.100', port: 80, interface: 'eth0' });
const at = { family: 'inet', table: 'filter' } as const;
const daddr = (right: unknown, op = '==') => ({
  match: { op, left: { payload: { protocol: 'ip', field: 'daddr' } }, right },
});
const dport = (right: unknown) => ({
  match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right },
});
const by = (name: string) => ({ match: { op: '==', left: { meta: { key: 'iifname' } }, right: name } });
const marked = { match: { op: '==', left: { meta: { key: 'mark' } }, right: 7 } };
const states = (...right: string[]) => ({ match: { op: 'in', left: { ct: { key: 'state' } }, right } });
const byPort = (port: number, verdict: Expression) => ({
  vmap: { key: { payload: { protocol: 'tcp', field: 'dport' } }, data: { set: [[port, verdict]] } },
});
const [drop, accept, counter] = [{ drop: null }, { accept: null }, { counter: { packets: 0, bytes: 0 } }];
type Expression = Readonly<Record<string, unknown>>;

test.each<[string, readonly (readonly Expression[])[], string, boolean]>([
  ['no rule', [], 'accept', false],
  ['a rule about the VIP and its port', [[daddr('203.0.113.100'), dport(80), counter, drop]], 'accept', true],
  ['a rule about another address', [[daddr('203.0.113.101'), drop]], 'accept', false],
  ['a rule about all others', [[daddr('203.0.113.101', '!='), drop]], 'accept', true],
  ['a rule about its network', [[daddr({ prefix: { addr: '203.0.113.0', len: 24 } }), drop]], 'accept', true],
  ['a rule about a set of ports', [[dport({ set: [22, { range: [79, 81] }] }), { reject: null }]], 'accept', true],
  ['a rule that asks for what is not known', [[marked, drop]], 'accept', false],
  ['a rule about the interface', [[by('eth0'), drop]], 'accept', true],
  ['a rule about another interface', [[by('eth1'), drop]], 'accept', false],
  ['a rule behind one about known connections', [[states('established', 'related'), accept], [drop]], 'accept', true],
  ['a rule about new connections', [[states('new'), drop]], 'accept', true],
  ['a named set', [[daddr('@bad'), drop]], 'accept', true],
  ['a map of verdicts', [[byPort(80, drop)]], 'accept', true],
  ['a map of verdicts of other ports', [[byPort(81, drop)]], 'accept', false],
  ['a map of verdicts that accepts', [[byPort(80, accept)], [drop]], 'accept', false],
  ['a rule behind one that accepts', [[dport(80), accept], [drop]], 'accept', false],
  ['a rule behind one that may accept', [[marked, accept], [drop]], 'accept', false],
  ['a rule as iptables writes it', [[dport(80), { xt: { type: 'target', name: 'REJECT' } }]], 'accept', true],
  ['one with a comment', [[{ xt: { type: 'match', name: 'comment' } }, dport(80), drop]], 'accept', true],
  ['one with a match whose words are not known', [[{ xt: { type: 'match', name: 'u32' } }, drop]], 'accept', false],
  ['one that logs', [[dport(80), { xt: { type: 'target', name: 'LOG' } }]], 'accept', false],
  ['a policy', [[dport(22), accept]], 'drop', true],
  ['a policy behind a rule that accepts', [[daddr('203.0.113.100'), accept]], 'drop', false],
  ['a chain that is called', [[{ jump: { target: 'deeper' } }]], 'accept', true],
])('%s', (_, rules, policy, isDropped) => {
  const items: readonly NftItem[] = [
    { chain: { ...at, name: 'input', hook: 'input', prio: 0, policy } },
    { chain: { ...at, name: 'deeper' } },
    { set: { ...at, name: 'bad', elem: ['203.0.113.7', { elem: { val: '203.0.113.100' } }] } },
    ...rules.map((expr, handle) => ({ rule: { ...at, chain: 'input', handle, expr } })),
    { rule: { ...at, chain: 'deeper', handle: 99, expr: [dport(80), drop] } },
  ];
  const chains = readChains(items, 4);
  const [input] = chains;
  expect(input && whatDrops(input, chains, packet) !== undefined).toBe(isDropped);
});

const six = '2001:db8:a::10';
const daddrSix = (right: unknown) => ({
  match: { op: '==', left: { payload: { protocol: 'ip6', field: 'daddr' } }, right },
});

test.each<[string, readonly Expression[], boolean]>([
  ['about the VIP', [daddrSix(six), drop], true],
  ['about its network', [daddrSix({ prefix: { addr: '2001:db8:a::', len: 48 } }), drop], true],
  ['about another network', [daddrSix({ prefix: { addr: '2001:db8:b::', len: 48 } }), drop], false],
  ['about an address of IPv4', [daddr('203.0.113.100', '!='), drop], false],
])('IPv6: a rule %s', (_, expr, isDropped) => {
  const place = { family: 'ip6', table: 'filter' } as const;
  const items: readonly NftItem[] = [
    { chain: { ...place, name: 'input', hook: 'input', prio: 0, policy: 'accept' } },
    { rule: { ...place, chain: 'input', handle: 1, expr } },
  ];
  expect(readChains(items, 4)).toEqual([]);
  const chains = readChains(items, 6);
  const [input] = chains;
  expect(input && whatDrops(input, chains, request({ address: six, port: 80 })) !== undefined).toBe(isDropped);
});

test('an answer is dropped by a rule about its source, and not by one about new connections', () => {
  const saddr = { match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: '203.0.113.100' } };
  const dropped = (...expr: readonly Expression[]): boolean => {
    const items: readonly NftItem[] = [
      { chain: { ...at, name: 'output', hook: 'output', prio: 0, policy: 'accept' } },
      { rule: { ...at, chain: 'output', handle: 1, expr } },
    ];
    const chains = readChains(items, 4);
    const [output] = chains;
    return (
      output !== undefined && whatDrops(output, chains, reply({ address: '203.0.113.100', port: 80 })) !== undefined
    );
  };
  expect([dropped(saddr, drop), dropped(saddr, states('new'), drop), dropped(dport(80), drop)]).toEqual([
    ...[true, false, false],
  ]);
});

test.each([
  ['arp', { protocol: 'arp', field: 'daddr ip' }, '203.0.113.100', true],
  ['arp', { protocol: 'arp', field: 'daddr ip' }, '203.0.113.101', false],
  ['netdev', { protocol: 'ether', field: 'type' }, 'arp', true],
  ['netdev', { protocol: 'ether', field: 'type' }, 'ip6', false],
  ['netdev', { protocol: 'ip', field: 'daddr' }, '203.0.113.100', false],
])('of family %s, a rule about %j being %s drops the question for the VIP: %s', (family, payload, right, expected) => {
  const place = { family, table: 'f' };
  const hook = family === 'arp' ? 'input' : 'ingress';
  const items: readonly NftItem[] = [
    { chain: { ...place, name: 'c', hook, dev: 'eth0', policy: 'accept' } },
    { rule: { ...place, chain: 'c', handle: 1, expr: [{ match: { op: '==', left: { payload }, right } }, drop] } },
  ];
  const asked = (dev: string): boolean => {
    const chains = readChains(items, 'arp', dev);
    return whatDropsFirst(chains, ['ingress', 'input'], questionFor('203.0.113.100', dev)) !== undefined;
  };
  expect([asked('eth0'), asked('eth1')]).toEqual([expected, false]);
});

test('neighbour discovery for a VIP is dropped by a rule about its kind, and by none about ARP or TCP', () => {
  const kind = (name: string) => ({
    match: { op: '==', left: { payload: { protocol: 'icmpv6', field: 'type' } }, right: name },
  });
  const dropped = (...expr: readonly Expression[]): boolean => {
    const items: readonly NftItem[] = [
      { chain: { ...at, name: 'input', hook: 'input', policy: 'accept' } },
      { rule: { ...at, chain: 'input', handle: 1, expr } },
    ];
    return whatDropsFirst(readChains(items, 6), ['input'], questionFor(six, 'eth0')) !== undefined;
  };
  expect([
    dropped(kind('nd-neighbor-solicit'), drop),
    dropped(kind('nd-router-advert'), drop),
    dropped(dport(80), drop),
  ]).toEqual([true, false, false]);
});
