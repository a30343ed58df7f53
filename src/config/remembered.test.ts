// What is read a second time is what was not there the first time, and the result is the same as if all were read.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseConfig } from './load.ts';
import { Remembered } from './remembered.ts';

const entry = (host: number, weight: number): string =>
  `  - tcp: 192.0.2.${host}:80\n    destinations:\n      - {rip: 10.0.0.${host}, weight: ${weight}}\n`;
const file = (entries: readonly string[], around = ''): string => `services:\n${entries.join('')}${around}`;
const read = (text: string, remembered?: Remembered) => parseConfig(Buffer.from(text), 'web.yaml', remembered);

describe('services that are written as before', () => {
  test('are the same objects, and others are not', () => {
    const remembered = new Remembered();
    const before = read(file([entry(1, 1), entry(2, 1), entry(3, 1)]), remembered);
    const after = read(file([entry(1, 1), entry(2, 2), entry(3, 1)]), remembered);
    expect(after.services.map((service, index) => service === before.services[index])).toEqual([true, false, true]);
    expect(after.services[1]?.destinations[0]?.weight).toBe(2);
  });

  test('are read again when what they have in common changes', () => {
    const remembered = new Remembered();
    const text = file([entry(1, 1)]);
    read(text, remembered);
    expect(read(`${text}defaults: {scheduler: rr}\n`, remembered).services[0]?.scheduler).toBe('rr');
  });

  test('do not hide what is wrong elsewhere, nor where it is', () => {
    const remembered = new Remembered();
    const text = file([entry(1, 1), entry(2, 1)]);
    read(text, remembered);
    const problem = (changed: string): string => {
      try {
        read(changed, remembered);
        return 'nothing';
      } catch (error) {
        return String(error);
      }
    };
    expect(problem(`${text}services: []\n`)).toContain('web.yaml:8:1');
    expect(problem(file([entry(1, 1), entry(2, 1), entry(1, 1)]))).toContain(
      'the service tcp 192.0.2.1:80 is there twice',
    );
    expect(problem(file([entry(1, 1), '  - tpc: 192.0.2.9:80\n']))).toContain('web.yaml:5:5');
    expect(problem(`${text}marks:\n${entry(1, 1)}`)).toContain('web.yaml:9:');
    expect(read(text, remembered).services).toHaveLength(2);
  });

  test('come out as if nothing were remembered, whatever was read before', () => {
    const lines = fc.constantFrom('# a word\n', '\n', '  # of a service\n', '    # of a destination\n');
    const one = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 2 }), fc.option(lines, { nil: '' }));
    const text = fc
      .tuple(fc.uniqueArray(one, { selector: ([host]) => host, maxLength: 5 }), fc.boolean())
      .map(([all, isAround]) => {
        const entries = all.map(([host, weight, comment]) => entry(host, weight) + comment);
        return (
          (isAround ? '# ours\ndefaults: {scheduler: sed}\n' : '') +
          (all.length === 0 ? 'services: []\n' : file(entries))
        );
      });
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 6 }), (texts) => {
        const remembered = new Remembered();
        for (const each of texts) expect(read(each, remembered)).toEqual(read(each));
      }),
    );
  });
});
