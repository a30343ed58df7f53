// Two transcripts agree when only order and moments differ.
import { expect, test } from 'vitest';
import { compare } from './compare.ts';

/** A packet at one time, and at another a listing. */
function listing(times: readonly [number, number], ...entries: readonly string[]): string {
  const [sent, listed] = times.map((time) => time.toFixed(3));
  const asked = `$ ipvsadm -C\n@ ${listed}\n$ ipvsadm -Lnc\nIPVS connection entries\n${entries.join('\n')}\n@ ${listed}1\n`;
  return `@ ${sent}\n> c ip\nnothing arrives\n@ ${sent}1\n${asked}`;
}

const first = 'TCP 14:59  ESTABLISHED 10.0.0.1:1000      10.0.0.100:80      10.1.0.1:80';
const second = 'TCP 00:59  SYN_RECV    10.0.0.2:1000      10.0.0.100:80      10.1.0.2:80';
const later = first.replace('14:59', '14:50');

test.each([
  ['the same text', listing([0, 1], first, second), listing([0, 1], first, second)],
  ['connections in another order', listing([0, 1], first, second), listing([0, 1], second, first)],
  ['a timer one second on', listing([0, 1], first), listing([0, 1], first.replace('14:59', '15:00'))],
  ['a timer nine seconds on, listed nine seconds later', listing([0, 1], first), listing([7, 17], later)],
  [
    'a connection that a slower side has no more',
    listing([0, 1], first, second),
    listing([0, 60], first.replace('14:59', '14:00')),
  ],
  ['flow labels of its own', '$ a\nip6 a > b hlim 64 flow 0x6a1f8 len 20\n', '$ a\nip6 a > b hlim 64 len 20\n'],
])('%s agrees', (_, ipvs, fairlead) => {
  expect(compare(ipvs, fairlead)).toEqual([]);
});

test.each([
  ['a timer two seconds on', listing([0, 1], first), listing([0, 1], first.replace('14:59', '15:01'))],
  ['a timer nine seconds on, listed as soon', listing([0, 1], first), listing([7, 8], later)],
  ['another timeout, a day later', listing([0, 1], first), listing([86400, 86401], later)],
  ['a connection more', listing([0, 1], first), listing([0, 1], first, second)],
  ['another state', listing([0, 1], second), listing([0, 1], second.replace('SYN_RECV   ', 'ESTABLISHED'))],
  ['an end before the last step', `${listing([0, 1], first)}$ ipvsadm -C\n`, listing([0, 1], first)],
  [
    'a connection that is gone too early',
    listing([0, 1], first, second),
    listing([0, 40], first.replace('14:59', '14:20')),
  ],
  ['another flow label of a packet forwarded', '$ a\nip6 a > b hlim 63 flow 0x6a1f8\n', '$ a\nip6 a > b hlim 63\n'],
])('%s does not agree', (_, ipvs, fairlead) => {
  expect(compare(ipvs, fairlead)).toHaveLength(1);
});

test('a disagreement names its step and has both answers', () => {
  expect(compare('$ a\n1\n$ b\n2\n', '$ a\n1\n$ b\n3\n')).toEqual([{ step: '$ b', ipvs: ['2'], fairlead: ['3'] }]);
});
