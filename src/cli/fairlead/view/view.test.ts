// Services as they are shown: what is declared and what is installed side by side, described, and as top sees them.
import { describe, expect, test } from 'vitest';
import type { DestinationStatus, ServiceStatus } from '../../../api/contract.ts';
import type { Counters, InstalledService } from '../../../model/director.ts';
import { parseService } from '../daemon/names.ts';
import { formatStanding } from '../daemon/show.ts';
import { takeSample } from '../top/sample.ts';
import { draw, press, type Screen } from '../top/screen.ts';
import { arrange, formatTop } from '../top/table.ts';
import { toKeys } from '../top/terminal.ts';
import { toView } from './view.ts';
import { compact, formatAge, toServiceWord } from './words.ts';

const counters = (connections: bigint): Counters => ({
  ...{ connections, inPackets: connections * 10n, outPackets: 0n },
  ...{ inBytes: connections * 1500n, outBytes: 0n },
});
const service = (port: number, destinations: readonly (readonly [last: number, active: number, count: bigint])[]) =>
  ({
    identity: { kind: 'address', protocol: 'tcp', vip: { family: 4, bytes: [192, 0, 2, 10] }, port },
    scheduler: 'wlc',
    localAddresses: [],
    counters: counters(destinations.reduce((sum, [, , count]) => sum + count, 0n)),
    rates: counters(0n),
    destinations: destinations.map(([last, active, count]) => ({
      ...{ rip: { family: 4, bytes: [10, 1, 0, last] }, port: 8080, method: 'masq', weight: 3 },
      ...{ activeConnections: active, inactiveConnections: 1, persistentConnections: 0 },
      ...{ counters: counters(count), rates: counters(1n) },
    })),
  }) as InstalledService;
const standing = (destination: string, more: Partial<DestinationStatus> = {}): DestinationStatus => ({
  ...{ destination, isUp: true, declaredWeight: 3, activeConnections: 0, inactiveConnections: 0 },
  checks: [
    {
      ...{ kind: 'http', state: more.isUp === false ? 'down' : 'up', reason: '', sinceMs: 0 },
      ...{ intervalMs: 2000, timeoutMs: 1000, rise: 2, fall: 3 },
    },
  ],
  ...more,
});
const declared: readonly ServiceStatus[] = [
  {
    ...{ service: 'tcp 192.0.2.10:80', scheduler: 'wlc', isQuorumLost: false },
    ...{ quorum: { weight: 1, hysteresis: 0 }, onFailure: 'remove', onRemove: 'keep', slowStartMs: 0 },
    destinations: [standing('10.1.0.2:8080', { isUp: false, reason: 'refused' }), standing('10.1.0.1:8080')],
  },
];
const installed = [service(81, [[9, 7, 100n]]), service(80, [[1, 5, 40n]])];
const view = toView(installed, declared);

test('what is declared comes first, and what only one side knows is there too', () => {
  expect(view.services.map(({ key }) => key)).toEqual(['tcp 192.0.2.10:80', 'tcp 192.0.2.10:81']);
  const [first, second] = view.services;
  expect(first?.destinations.map((one) => [one.key, one.installed?.weight, one.declared?.isUp])).toEqual([
    ['10.1.0.2:8080', undefined, false],
    ['10.1.0.1:8080', 3, true],
  ]);
  expect(second?.declared).toBeUndefined();
});

test.each(['tcp 192.0.2.10:80', 'udp [2001:db8::1]:53', 'mark 7 4', 'mark 7 6'])('%s as commands take it', (key) => {
  expect(parseService(toServiceWord(key))).toBe(key);
});

test('wide has the method, what is declared, and the checks', () => {
  const [titles = '', , down = '', up = ''] = formatStanding(view.services.slice(0, 1), 'wide').split('\n');
  expect(titles.split(/ {2,}/)).toContain('DECLARED');
  expect(down).toMatch(/10\.1\.0\.2:8080 +- +down +- +3 .* http down +refused$/);
  expect(up).toMatch(/10\.1\.0\.1:8080 +masq +up +3 +3 .* http up$/);
});

test.each([
  [0, '0'],
  [7.25, '7.3'],
  [999, '999'],
  [1000, '1k'],
  [1234, '1.2k'],
  [123_456, '123k'],
  [999_700, '1M'],
  [9_999_999_999n, '10G'],
  [2n ** 64n, '18E'],
])('%s is %s', (value, text) => {
  expect(compact(value)).toBe(text);
});

test.each([
  [0, '0s'],
  [119_000, '119s'],
  [120_000, '2m'],
  [7_200_000, '2h'],
  [200_000_000, '2d'],
])('%s ms are %s', (ms, text) => {
  expect(formatAge(1000, 1000 + ms)).toBe(text);
});

describe('top', () => {
  const first = takeSample(view, 10_000, undefined);
  const later = toView([service(81, [[9, 7, 300n]]), service(80, [[1, 5, 10n]])], declared);
  const second = takeSample(later, 12_000, first);
  const byName: Screen = { sort: 'name', isReversed: false, isServicesOnly: false, scroll: 0 };
  const size = { columns: 80, rows: 6 };

  test('has rates of the data plane first, then of the time between two looks, also when counters were zeroed', () => {
    expect(first.rows.map(({ connections }) => connections)).toEqual([0, 0, 1, 0, 1]);
    expect(second.rows.map(({ connections }) => connections)).toEqual([5, 0, 5, 100, 100]);
    expect(second.rows.map(({ inBytes }) => inBytes)).toEqual([7500, 0, 7500, 150_000, 150_000]);
  });

  test('puts destinations below their services, or the busiest first', () => {
    const names = (screen: Screen) => formatTop(second.rows, screen).map((line) => line.split(/ {2,}\S/)[0]);
    expect(names(byName)).toEqual([
      ...['NAME', '192.0.2.10:80/tcp', '', '', '192.0.2.10:81/tcp', ''].map((name) => expect.stringContaining(name)),
    ]);
    const busiest = arrange(second.rows, { ...byName, sort: 'connections' });
    expect(busiest.map(({ destination }) => destination)).toEqual(['10.1.0.9:8080', '10.1.0.1:8080', '10.1.0.2:8080']);
    const services = arrange(second.rows, { ...byName, sort: 'bytes', isReversed: true, isServicesOnly: true });
    expect(services.map((row) => row.service)).toEqual(['192.0.2.10:80/tcp', '192.0.2.10:81/tcp']);
    expect(arrange(second.rows, { ...byName, isReversed: true })[0]?.service).toBe('192.0.2.10:81/tcp');
  });

  test('fits the terminal, and scrolls in it', () => {
    const lines = draw(second.rows, byName, size, 0);
    expect(lines).toHaveLength(size.rows);
    expect(lines.every((line) => line.length <= size.columns)).toBe(true);
    expect(lines[0]).toContain('1 to 3 of 5');
    const scrolled = toKeys('jjj\x1b[Bk').reduce<Screen>((at, key) => press(at, key, second.rows, size) ?? at, byName);
    expect(scrolled.scroll).toBe(1);
    expect(draw(second.rows, scrolled, size, 0)[0]).toContain('2 to 4 of 5');
  });

  test.each<[string, Partial<Screen> | undefined]>([
    ['c', { sort: 'connections' }],
    ['r', { isReversed: true }],
    ['s', { isServicesOnly: true }],
    ['x', {}],
    ['q', undefined],
    ['\x03', undefined],
  ])('key %j', (key, change) => {
    expect(press(byName, key, second.rows, size)).toEqual(change && { ...byName, ...change });
  });
});
