// A file of VIPs that says what can't be: where it says so, and nothing is looked at.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadWanted } from './file.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-realserver-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ['arptables of IPv6', '{vip: "2001:db8::1", method: gate, arp: arptables}', '.arp: arptables is for IPv4'],
  ['the same of a tunnel', '{vip: "2001:db8::1", method: tunnel, arp: arptables}', '.arp: arptables is for IPv4'],
  ['a tunnel of gate', '{vip: 192.0.2.1, method: gate, tun-type: gre}', '.tun-type: only method tunnel has this'],
])('%s is refused', (_, entry, message) => {
  expect(() => load(entry)).toThrow(`vips[0]${message}`);
});

test('what the command line takes is taken', () => {
  expect(load('{vip: 192.0.2.1, method: gate, arp: arptables}')).toMatchObject([
    { vip: '192.0.2.1', arp: 'arptables' },
  ]);
  expect(load('{vip: "2001:db8::1", method: gate, arp: ignore}')).toMatchObject([{ vip: '2001:db8::1' }]);
});

function load(entry: string): ReturnType<typeof loadWanted> {
  const path = join(folder, 'realserver.yaml');
  writeFileSync(path, `vips:\n- ${entry}\n`);
  return loadWanted(path);
}
