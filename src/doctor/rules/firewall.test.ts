// Which of the ports that a firewall drops are told, and that what is told opens no more than that.
import { expect, test } from 'vitest';
import type { Dropping } from '../firewall/nft.ts';
import { judge, type Subject } from './firewall.ts';

const subject: Subject = { address: '203.0.113.100', what: 'clients send', why: 'because', ports: [] };
const place = 'inet filter input';
const general: Dropping = { text: 'rule 9: drop', place, before: 9, remove: undefined, isGeneral: true };
const policy: Dropping = { ...general, text: 'the policy', before: undefined };
const own: Dropping = { ...general, text: 'rule 5', before: 5, remove: 'nft delete rule 5', isGeneral: false };
const called: Dropping = { ...own, remove: undefined };

const added = (ports: string): string => `nft 'add rule ${place} ip daddr 203.0.113.100 tcp dport { ${ports} } accept'`;
const inserted = (ports: string, before = 9): string =>
  `nft 'insert rule ${place} position ${before} ip daddr 203.0.113.100 tcp dport { ${ports} } accept'`;

test.each<[string, Partial<Subject>, Readonly<Record<number, Dropping | undefined>>, readonly string[]]>([
  ['nothing', {}, { 22: undefined, 80: undefined }, []],
  ['a firewall that lets some in', {}, { 22: general, 80: undefined }, []],
  ['a policy that lets some in', {}, { 22: policy, 80: undefined }, []],
  ['a firewall that lets nothing in', {}, { 22: general, 80: general }, [inserted('22, 80')]],
  ['a policy that lets nothing in', {}, { 22: policy, 80: policy }, [added('22, 80')]],
  ['a rule like a policy and a policy', {}, { 22: general, 80: policy }, [inserted('22'), added('80')]],
  ['a rule about a port', {}, { 22: undefined, 80: own }, ['nft delete rule 5']],
  ['a rule about ports', {}, { 22: own, 80: own }, ['nft delete rule 5']],
  ['a rule about a port, and a policy', {}, { 22: policy, 80: own }, ['nft delete rule 5']],
  ['a chain that is called for ports', {}, { 22: called, 80: called, 99: undefined }, [inserted('22, 80', 5)]],
  ['a port that is asked about', { ports: [80] }, { 22: general, 80: general, 99: undefined }, [inserted('80')]],
  ['a port that is asked about, and no other', { ports: [80] }, { 22: policy, 80: policy }, [added('80')]],
  ['a port that is asked about and let in', { ports: [80] }, { 22: general, 80: undefined }, []],
  ['a port at which nothing listens', { ports: [81] }, { 22: general, 80: undefined }, []],
  ['one who is kept out of some', { isAllOrNothing: true }, { 22: own, 80: undefined }, []],
  ['one who is kept out of all', { isAllOrNothing: true }, { 22: own, 80: own }, ['nft delete rule 5']],
  [
    'one who is kept out of what is asked about',
    { isAllOrNothing: true, ports: [80] },
    { 22: undefined, 80: own },
    ['nft delete rule 5'],
  ],
])('%s', (_, more, drops, commands) => {
  const found = Object.entries(drops).map(([port, dropping]) => ({ port: Number(port), dropping, isReply: false }));
  const told = judge({ ...subject, ...more }, found);
  expect(told.map(({ problem }) => problem.mend.command)).toEqual(commands);
});
