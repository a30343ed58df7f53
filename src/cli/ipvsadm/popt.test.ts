// The option reader: popt's clusters, glued and optional arguments, and its errors.
import { expect, test } from 'vitest';
import { options } from './options.ts';
import { lookupOf, readWords } from './popt.ts';

test.each([
  ['a cluster', '-Ln', ['list', 'numeric']],
  ['an argument glued to a letter', '-At10.0.0.1:80 -srr', ['add-service', 'tcp-service=10.0.0.1:80', 'scheduler=rr']],
  ['an argument after an equals sign', '-A -t=X --scheduler=rr', ['add-service', 'tcp-service=X', 'scheduler=rr']],
  ['an empty argument', '-t=', ['tcp-service=']],
  ['the next word as an argument, whatever it is', '-t -n -u -', ['tcp-service=-n', 'udp-service=-']],
  ['an optional argument that is there', '-p 60', ['persistent=60']],
  ['no optional argument where an option follows', '-p -n', ['persistent', 'numeric']],
  ['no optional argument at the end', '-p', ['persistent']],
  ['both letters of list', '-l -L', ['list', 'list']],
  ['words that are no options', 'a - -n b', ['numeric', 'left a', 'left -', 'left b']],
  ['only words after two dashes', '-n -- -n --stats', ['numeric', 'left -n', 'left --stats']],
  ['no abbreviation', '--sched rr', ['--sched: unknown option']],
  ['no single dash before a long name', '-list', ['list', 'ipip', 'scheduler=t']],
  ['an unknown letter within a cluster', '-nq', ['numeric', '-nq: unknown option']],
  ['a missing argument', '-A -t', ['add-service', '-t: missing argument']],
  ['an argument that is not wanted', '--stats=1', ['--stats=1: option does not take an argument']],
  ['an argument that no letter of a cluster wants', '-Ln=3', ['list', '-Ln=3: option does not take an argument']],
])('reads %s: %s', (_what, line, expected) => {
  expect(read(line.split(' '))).toEqual(expected);
});

test('no letter and no long name stands for two options', () => {
  const letters = options.flatMap(({ shorts }) => Array.from(shorts));
  expect(new Set(letters).size).toBe(letters.length);
  expect(new Set(options.map(({ long }) => long)).size).toBe(options.length);
});

function read(argv: readonly string[]): readonly string[] {
  const words = readWords(argv, lookupOf(options));
  const read: string[] = [];
  for (let reading = words.next(); reading !== undefined; reading = words.next()) {
    if (reading.kind === 'error') return [...read, reading.text];
    read.push(reading.option.long + (reading.argument === undefined ? '' : `=${reading.argument}`));
  }
  return [...read, ...words.leftovers.map((word) => `left ${word}`)];
}
