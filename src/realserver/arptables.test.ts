// What arptables prints is recognised as what was asked of it, by either of its programs.
import { expect, test } from 'vitest';
import { arpRuleKey, isUnusedChain, type NftItem, parseArpRules } from './arptables.ts';

const drop = ['-d', '192.0.2.10', '-j', 'DROP'];
const mangle = ['-o', 'eth0', '-s', '192.0.2.10', '-j', 'mangle', '--mangle-ip-s', '10.0.0.11'];

test.each([
  [
    'the older program',
    'Chain INPUT (policy ACCEPT)\n-j DROP -d 192.0.2.10 \n\nChain OUTPUT (policy ACCEPT)\n' +
      '-j mangle -o eth0 -s 192.0.2.10 --mangle-ip-s 10.0.0.11 \n\nChain FORWARD (policy ACCEPT)\n',
  ],
  [
    'the one on nftables, with counters',
    'Chain INPUT (policy ACCEPT)\n-j DROP -d 192.0.2.10 , pcnt=0 -- bcnt=0\n\nChain OUTPUT (policy ACCEPT)\n' +
      '-j mangle -s 192.0.2.10 -o eth0 --mangle-ip-s 10.0.0.11 , pcnt=4 -- bcnt=112\n',
  ],
])('a listing of %s', (_, listing) => {
  expect(parseArpRules(listing)).toEqual([arpRuleKey('INPUT', drop), arpRuleKey('OUTPUT', mangle)]);
});

test('a rule with more to match is another one', () => {
  const [rule] = parseArpRules('Chain INPUT (policy ACCEPT)\n-j DROP -i eth1 -d 192.0.2.10 \n');
  expect(rule).not.toBe(arpRuleKey('INPUT', drop));
});

const input: NftItem = { chain: { name: 'INPUT', policy: 'accept' } };
const output: NftItem = { chain: { name: 'OUTPUT', policy: 'accept' } };

test.each<[string, readonly NftItem[], boolean]>([
  ['alone', [output], true],
  ['beside others and their rules', [input, output, { chain: { name: 'user' } }, { rule: { chain: 'INPUT' } }], true],
  ['with a rule', [input, output, { rule: { chain: 'OUTPUT' } }], false],
  ['that drops what is left', [{ chain: { name: 'OUTPUT', policy: 'drop' } }], false],
  ['that has no hook', [{ chain: { name: 'OUTPUT' } }], false],
  ['that is not there', [input], false],
])('whether a chain is unused: one %s', (_, table, expected) => {
  expect(isUnusedChain('OUTPUT', table)).toBe(expected);
});
