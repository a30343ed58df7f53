// How fairlead top sorts and shortens.
import { expect, test } from 'vitest';
import { formatTop, type Row } from './top.ts';

const row = (name: string, more: Partial<Row>): Row => ({
  ...{ name, weight: undefined, cps: 0, active: 0, inactive: 0, inPackets: 0, outPackets: 0, in: 0, out: 0 },
  ...more,
});
const rows = [row('tcp 10.0.0.2:80', { cps: 3, in: 12_345 }), row('tcp 10.0.0.10:80', { cps: 20, active: 1_500_000 })];

test('the largest first, and large figures short', () => {
  expect(formatTop(rows, 'cps')).toBe(
    [
      'NAME              WEIGHT  CONN/S  ACTIVE  INACTIVE  IN PKT/S  OUT PKT/S  IN BYTE/S  OUT BYTE/S',
      'tcp 10.0.0.10:80              20    1.5M         0         0          0          0           0',
      'tcp 10.0.0.2:80                3       0         0         0          0      12.3k           0',
      '',
    ].join('\n'),
  );
});

test.each([
  ['in', 'tcp 10.0.0.2:80'],
  ['active', 'tcp 10.0.0.10:80'],
  ['name', 'tcp 10.0.0.2:80'],
] as const)('by %s', (key, first) => {
  expect(formatTop(rows, key, 1).split('\n')[1]).toContain(first);
});
