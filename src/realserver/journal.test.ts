// The journal on disk: what is written is read back, and what can't be believed is refused or forgotten.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { emptyJournal, type Journal, readJournal, writeJournal } from './journal.ts';

const journal: Journal = {
  vips: [{ vip: '203.0.113.100', method: 'tunnel', arp: 'ignore', isDeclared: false }],
  changes: [
    { kind: 'setting', interface: 'all', name: 'arp_ignore', before: '0', after: '1', vips: ['203.0.113.100'] },
    { kind: 'filter', interface: { index: 2, name: 'eth0' }, point: 'ingress', vips: ['203.0.113.100'] },
  ],
  program: { id: 7, out: 10, vips: 8, refusals: 9, pathMtus: 11, digest: 'd1' },
};

let folder = '';
let path = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-journal-'));
  path = join(folder, 'deeper', '42.json');
});

afterEach(() => rmSync(folder, { recursive: true }));

test('a journal is read back as it was written', () => {
  writeJournal(journal, path);
  expect(readJournal(path)).toEqual(journal);
  expect(readdirSync(join(folder, 'deeper'))).toEqual(['42.json']);
});

test('no file is an empty journal, and an empty journal is no file', () => {
  expect(readJournal(path)).toEqual(emptyJournal);
  writeJournal(journal, path);
  writeJournal({ ...emptyJournal, program: journal.program }, path);
  expect(readdirSync(join(folder, 'deeper'))).toEqual([]);
  writeJournal(emptyJournal, path);
});

test('a journal of before the last boot says nothing of now', () => {
  writeJournal(journal, path);
  const stored = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify({ ...stored, bootId: 'another' }));
  expect(readJournal(path)).toEqual(emptyJournal);
});

test.each([
  ['that is damaged', '{"version":', 'is damaged'],
  ['of another version', '{"version":99}', 'another version of fairlead'],
])('a journal %s is refused', (_, text, message) => {
  writeJournal(journal, path);
  writeFileSync(path, text);
  expect(() => readJournal(path)).toThrow(message);
});
