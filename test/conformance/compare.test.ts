// Two transcripts agree when only order and moments differ.
import { expect, test } from 'vitest';
import { compare } from './compare.ts';

const listing = (...entries: readonly string[]): string =>
  `$ ipvsadm -Lnc\nIPVS connection entries\n${entries.join('\n')}\n`;
const first = 'TCP 14:59  ESTABLISHED 10.0.0.1:1000      10.0.0.100:80      10.1.0.1:80';
const second = 'TCP 00:59  SYN_RECV    10.0.0.2:1000      10.0.0.100:80      10.1.0.2:80';

test.each([
  ['the same text', listing(first, second), listing(first, second)],
  ['connections in another order', listing(first, second), listing(second, first)],
  ['a timer one second on', listing(first), listing(first.replace('14:59', '15:00'))],
])('%s agrees', (_, ipvs, fairlead) => {
  expect(compare(ipvs, fairlead)).toEqual([]);
});

test.each([
  ['a timer two seconds on', listing(first), listing(first.replace('14:59', '15:01'))],
  ['a connection more', listing(first), listing(first, second)],
  ['another state', listing(second), listing(second.replace('SYN_RECV   ', 'ESTABLISHED'))],
  ['an end before the last step', `${listing(first)}$ ipvsadm -C\n`, listing(first)],
])('%s does not agree', (_, ipvs, fairlead) => {
  expect(compare(ipvs, fairlead)).toHaveLength(1);
});

test('a disagreement names its step and has both answers', () => {
  expect(compare('$ a\n1\n$ b\n2\n', '$ a\n1\n$ b\n3\n')).toEqual([{ step: '$ b', ipvs: ['2'], fairlead: ['3'] }]);
});
