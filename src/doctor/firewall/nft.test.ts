// Which rules of nftables drop a client's SYN, or the answer: only those of which everything is known.
import { expect, test } from 'vitest';
import { type NftItem, readChains, whatDropsAttempt, whatDropsFirst } from './nft.ts';
import { matchOf } from './nft-match.ts';
import { questionFor, reply, request } from './packet.ts';

const syn = request({ address: '203.0.113.100', port: 80, interface: 'eth0' });
const at = { family: 'inet', table: 'filter' } as const;
const daddr = (right: unknown, op = '==') => ({
  match: { op, left: { payload: { protocol: 'ip', field: 'daddr' } }, right },
});
const dport = (right: unknown) => ({
  match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right },
});
const by = (name: string) => ({ match: { op: '==', left: { meta: { key: 'iifname' } }, right: name } });
const compared = (op: string, right: number) => ({
  match: { op, left: { payload: { protocol: 'tcp', field: 'dport' } }, right },
});
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
  ['a chain that may be called, and only drops', [[marked, { jump: { target: 'deeper' } }]], 'accept', false],
  ['a policy behind a chain that may be called', [[marked, { jump: { target: 'deeper' } }]], 'drop', true],
  ['a policy behind a chain that may accept', [[marked, { jump: { target: 'lenient' } }]], 'drop', false],
  ['a policy behind a chain that is not known', [[marked, { jump: { target: 'nowhere' } }]], 'drop', false],
  [
    'a policy behind what may be left by',
    [
      [marked, { return: null }],
      [dport(80), accept],
    ],
    'drop',
    false,
  ],
  ['a rule behind a chain that is gone to', [[{ goto: { target: 'other' } }], [drop]], 'accept', false],
  ['a policy behind a chain that is gone to', [[{ goto: { target: 'other' } }], [accept]], 'drop', true],
  ['a rule about lower ports', [[compared('<', 1024), drop]], 'accept', true],
  ['a rule about higher ports', [[compared('>', 80), drop]], 'accept', false],
  ['a rule about this port and higher ones', [[compared('>=', 80), drop]], 'accept', true],
  ['a policy behind one about lower ports', [[compared('<=', 80), accept]], 'drop', false],
  ['a rule behind one that redirects', [[dport(80), { redirect: { port: 8080 } }], [drop]], 'accept', false],
  ['a rule behind one of another port that redirects', [[dport(81), { redirect: {} }], [drop]], 'accept', true],
  ['a rule behind one that asks a program', [[{ queue: { num: 1 } }], [drop]], 'accept', false],
  ['a rule behind a target that is not known', [[{ xt: { type: 'target', name: 'TPROXY' } }], [drop]], 'accept', false],
  ['a rule that has a limit', [[dport(80), { limit: { rate: 5, per: 'second' } }, drop]], 'accept', false],
])('%s', (_, rules, policy, isDropped) => {
  const items: readonly NftItem[] = [
    { chain: { ...at, name: 'input', hook: 'input', prio: 0, policy } },
    ...['deeper', 'lenient', 'other'].map((name) => ({ chain: { ...at, name } })),
    { set: { ...at, name: 'bad', elem: ['203.0.113.7', { elem: { val: '203.0.113.100' } }] } },
    ...rules.map((expr, handle) => ({ rule: { ...at, chain: 'input', handle, expr } })),
    { rule: { ...at, chain: 'deeper', handle: 99, expr: [dport(80), drop] } },
    { rule: { ...at, chain: 'lenient', handle: 98, expr: [dport(80), accept] } },
    { rule: { ...at, chain: 'other', handle: 97, expr: [dport(81), accept] } },
  ];
  expect(whatDropsFirst(readChains(items, 4), ['input'], syn) !== undefined).toBe(isDropped);
});

/** As nft 1.0.6 prints them, and newer ones with `|`. */
const flags = (op: string, right: unknown, mask?: unknown) => {
  const field = { payload: { protocol: 'tcp', field: 'flags' } };
  return { match: { op, left: mask === undefined ? field : { '&': [field, mask] }, right } };
};
const [four, both] = [
  ['fin', 'syn', 'rst', 'ack'],
  ['syn', 'ack'],
];

test.each<[string, Expression, boolean | undefined, boolean | undefined]>([
  ['tcp flags syn', flags('in', 'syn'), true, true],
  ['tcp flags syn,ack', flags('in', both), true, true],
  ['tcp flags ack', flags('in', 'ack'), false, true],
  ['tcp flags ! syn', flags('!', 'syn'), false, false],
  ['tcp flags ! fin,rst', flags('!', ['fin', 'rst']), true, true],
  ['tcp flags == syn', flags('==', 'syn'), true, false],
  ['tcp flags != syn', flags('!=', 'syn'), false, true],
  ['tcp flags { syn, syn|ack }', flags('==', { set: [{ '|': both }, 'syn'] }), true, true],
  ['tcp flags & (fin|syn|rst|ack) == syn', flags('==', 'syn', four), true, false],
  ['tcp flags & (fin|syn|rst|ack) != syn', flags('!=', 'syn', four), false, true],
  ['tcp flags & (fin|syn) == syn', flags('==', 'syn', { '|': ['fin', 'syn'] }), true, true],
  ['tcp flags & (fin|syn|rst) == syn', flags('==', 'syn', { '|': [{ '|': ['fin', 'syn'] }, 'rst'] }), true, true],
  ['tcp flags & (syn|ack) == syn|ack', flags('==', both, both), false, true],
  ['tcp flags & fin == 0', flags('==', 0, 'fin'), true, true],
  ['tcp flags < syn', flags('<', 'syn', four), undefined, undefined],
  ['tcp flags == @named', flags('==', '@named'), undefined, undefined],
])('%s: SYN %s, SYN and ACK %s', (_, expression, ofRequest, ofReply) => {
  const answers = { yes: true, no: false, unknown: undefined };
  const attempt = { address: '203.0.113.100', port: 80 };
  const asked = [request(attempt), reply(attempt)].map((one) => answers[matchOf(expression, one, new Map())]);
  expect(asked).toEqual([ofRequest, ofReply]);
});

test.each<[string, readonly Expression[], boolean, boolean]>([
  ['a port', [dport(80), drop], false, true],
  ['an address', [daddr('203.0.113.100'), drop], false, true],
  ['a few ports', [dport({ set: [22, { range: [79, 81] }] }), drop], false, true],
  ['a map of verdicts', [byPort(80, drop)], false, false],
  ['all', [counter, drop], true, false],
  ['an interface', [by('eth0'), drop], true, false],
  ['what is new', [states('new'), drop], true, false],
  ['a protocol', [{ match: { op: '==', left: { meta: { key: 'l4proto' } }, right: 'tcp' } }, drop], true, false],
  ['all other ports', [compared('!=', 443), drop], true, false],
  ['all other addresses', [daddr('203.0.113.101', '!='), drop], true, false],
  ['all low ports', [dport({ range: [1, 1023] }), { reject: null }], true, false],
  ['a port beside many others', [dport({ set: [80, { range: [1000, 2000] }] }), drop], false, true],
  ['many ports beside another one', [dport({ set: [443, { range: [1, 200] }] }), drop], true, false],
  ['lower ports', [compared('<', 1024), drop], true, false],
  ['whom the chain is called for', [dport(80), { jump: { target: 'all' } }], false, false],
  ['whom nobody called the chain for', [{ jump: { target: 'all' } }], true, false],
])('a rule about %s: is it like a policy, can it be deleted', (_, expr, isGeneral, isRemovable) => {
  const items: readonly NftItem[] = [
    { chain: { ...at, name: 'input', hook: 'input', prio: 0, policy: 'accept' } },
    { chain: { ...at, name: 'all' } },
    { rule: { ...at, chain: 'input', handle: 7, expr } },
    { rule: { ...at, chain: 'all', handle: 9, expr: [drop] } },
  ];
  const found = whatDropsFirst(readChains(items, 4), ['input'], syn);
  expect([found?.isGeneral, found?.remove]).toEqual([
    isGeneral,
    isRemovable ? 'nft delete rule inet filter input handle 7' : undefined,
  ]);
});

test('what a policy drops is let in at the end of its chain, or before what leaves it', () => {
  const spot = (...rules: readonly (readonly Expression[])[]) => {
    const items: readonly NftItem[] = [
      { chain: { ...at, name: 'input', hook: 'input', prio: 0, policy: 'drop' } },
      { chain: { ...at, name: 'other' } },
      ...rules.map((expr, handle) => ({ rule: { ...at, chain: 'input', handle, expr } })),
    ];
    return whatDropsFirst(readChains(items, 4), ['input'], syn)?.before;
  };
  expect(spot([dport(22), accept])).toBe(undefined);
  expect(spot([dport(22), accept], [{ return: null }])).toBe(1);
  expect(spot([dport(22), accept], [{ goto: { target: 'other' } }])).toBe(1);
  expect(spot([dport(22), accept], [{ jump: { target: 'other' } }])).toBe(undefined);
  expect(spot([marked, { return: null }], [dport(22), accept])).toBe(0);
});

test('where connections may not be tracked, nobody knows their state', () => {
  const dropped = (...raw: readonly Expression[]): boolean => {
    const items: readonly NftItem[] = [
      { chain: { ...at, name: 'raw', hook: 'prerouting', prio: -300 } },
      { chain: { ...at, name: 'input', hook: 'input', prio: 0, policy: 'drop' } },
      { rule: { ...at, chain: 'raw', handle: 1, expr: raw } },
      { rule: { ...at, chain: 'input', handle: 2, expr: [states('untracked'), accept] } },
    ];
    return whatDropsAttempt(readChains(items, 4), { address: '203.0.113.100', port: 80 }).dropping !== undefined;
  };
  expect([dropped(dport(80), { notrack: null }), dropped(dport(81), { notrack: null }), dropped()]).toEqual([
    ...[false, true, true],
  ]);
});

test('answers meet no chain of type nat', () => {
  const items: readonly NftItem[] = [
    { chain: { ...at, name: 'nat', type: 'nat', hook: 'output', prio: -100 } },
    { chain: { ...at, name: 'output', hook: 'output', prio: 0, policy: 'drop' } },
    { rule: { ...at, chain: 'nat', handle: 1, expr: [marked, { dnat: { addr: '192.0.2.1' } }] } },
  ];
  const found = whatDropsAttempt(readChains(items, 4), { address: '203.0.113.100', port: 80 });
  expect([found.dropping?.isGeneral, found.isReply]).toEqual([true, true]);
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
  const packet = request({ address: six, port: 80 });
  expect(whatDropsFirst(readChains(items, 6), ['input'], packet) !== undefined).toBe(isDropped);
});

test('an answer is dropped by a rule about its source, and not by one about new connections', () => {
  const saddr = { match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: '203.0.113.100' } };
  const dropped = (...expr: readonly Expression[]): boolean => {
    const items: readonly NftItem[] = [
      { chain: { ...at, name: 'output', hook: 'output', prio: 0, policy: 'accept' } },
      { rule: { ...at, chain: 'output', handle: 1, expr } },
    ];
    const packet = reply({ address: '203.0.113.100', port: 80 });
    return whatDropsFirst(readChains(items, 4), ['output'], packet) !== undefined;
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
