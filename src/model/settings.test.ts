// Settings by name and value: what the kernel takes is taken, what it refuses is refused, and how that is said.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  initialSettings,
  meaningless,
  parseAssignment,
  parseSettingName,
  parseSettingValue,
  type SettingName,
  settingNames,
} from './settings.ts';

const recorded = readFileSync(fileURLToPath(new URL('../../test/fixtures/settings.txt', import.meta.url)), 'utf8');

/** NAME INITIAL [TRIED] VALUE-OR-REFUSED, of Linux 6.1. */
const answers = [...recorded.matchAll(/^(\w+) (\d+) \[(.*)\] (-?\d+|refused)$/gm)].map(
  ([, name = '', initial = '', tried = '', answer = '']) => ({ name, initial: Number(initial), tried, answer }),
);

describe('as Linux 6.1 has them', () => {
  test('all of them are known', () => {
    expect(answers.length).toBeGreaterThan(300);
    const known = [...settingNames, ...Object.keys(meaningless)];
    const names = [...new Set(recorded.split('\n').flatMap((line) => /^[a-z]\w*/.exec(line) ?? []))];
    expect(names.filter((name) => !known.includes(name))).toEqual([]);
  });

  test.each(settingNames)('%s', (name) => {
    const own = answers.filter((one) => one.name === name);
    expect(own.length).toBeGreaterThan(10);
    for (const { initial, tried, answer } of own) {
      expect([name, initialSettings[name]]).toEqual([name, initial]);
      expect([name, tried, outcome(name, tried)]).toEqual([name, tried, expected(name, tried, answer)]);
    }
  });
});

/** Modes by need are one to who sets them. The longest time is the one that the kernel takes at any HZ, the shortest 0. */
function expected(name: SettingName, tried: string, answer: string): string {
  if (answer !== 'refused' && name.endsWith('_expiration') && (Number(tried) > 2_147_483 || Number(tried) < 0))
    return 'refused';
  return answer !== 'refused' && tried === '2' ? '2' : answer;
}

function outcome(name: SettingName, text: string): string {
  try {
    return `${parseSettingValue(name, text)}`;
  } catch {
    return 'refused';
  }
}

test.each([
  ['drop_entry=3', ['drop_entry', 3]],
  ['net.ipv4.vs.drop_entry = 3', ['drop_entry', 3]],
  ['net/ipv4/vs/sloppy_tcp=1', ['sloppy_tcp', 1]],
  ['amemthresh=-1', ['amemthresh', -1]],
  ['amemthresh=-0', ['amemthresh', 0]],
  ['am_droprate=0x10', ['am_droprate', 16]],
])('%s is an assignment', (text, expected) => {
  expect(parseAssignment(text)).toEqual(expected);
});

test.each([
  ['drop_entri=3', 'expected the name of a setting, got "drop_entri"; did you mean drop_entry?'],
  ['drop_entry=4', 'drop_entry: expected a number from 0 to 3, got "4"'],
  ['drop_entry=', 'drop_entry: expected a number from 0 to 3, got ""'],
  ['sloppy_tcp=yes', 'sloppy_tcp: expected a number from -2147483648 to 2147483647, got "yes"'],
  ['sloppy_tcp=1.5', 'sloppy_tcp: expected a number'],
  ['lblc_expiration=2147484', 'lblc_expiration: expected a number from 0 to 2147483, got "2147484"'],
  ['conntrack=1', 'conntrack has no meaning here: packets are forwarded before netfilter sees them'],
  ['=1', 'expected the name of a setting, got ""'],
])('%s is none', (text, message) => {
  expect(() => parseAssignment(text)).toThrow(message);
});

test('every number of the range is read as it is written', () => {
  fc.assert(
    fc.property(fc.integer(), (number) => {
      expect(parseAssignment(`amemthresh=${number}`)).toEqual(['amemthresh', number + 0]);
    }),
  );
});

test('a name is no property of all objects', () => {
  for (const name of ['constructor', 'toString', '__proto__'])
    expect(() => parseSettingName(name)).toThrow('expected the name of a setting');
});

test('the page of settings has each of them', () => {
  const page = readFileSync(fileURLToPath(new URL('../../docs/settings.md', import.meta.url)), 'utf8');
  for (const name of [...settingNames, ...Object.keys(meaningless)]) expect(page).toContain(`\`${name}\``);
});
