// Numbers that stand in kept maps: which changes of a build an upgrade refuses.
import { expect, test } from 'vitest';
import type { TypeLayouts } from '../../kernel/btf.ts';
import { readObjectLayouts } from '../load.ts';
import { keptNumbers, requireSameNumbers } from './numbers.ts';

const own = readObjectLayouts();

/** As this build has them, but for one enum; without `numbers` it has none of that name. */
function build(tag: string, numbers?: ReadonlyMap<string, number>): TypeLayouts {
  return {
    struct: own.struct,
    enum: (name) => {
      if (name !== tag) return own.enum(name);
      if (numbers === undefined) throw new Error(`no enum ${name}`);
      return numbers;
    },
  };
}

function without(tag: string, name: string): ReadonlyMap<string, number> {
  return new Map([...own.enum(tag)].filter(([one]) => one !== name));
}

test.each(keptNumbers)('%s: what came since, or is the same, is no obstacle', (tag) => {
  const [last = ''] = [...own.enum(tag).keys()].slice(-1);
  requireSameNumbers(build(tag, without(tag, last)), own);
  requireSameNumbers(build(tag), own);
  requireSameNumbers(own, own);
});

test.each([
  ['scheduler', 'SCHEDULER_WLC'],
  ['flow_state', 'STATE_UDP'],
  ['reason', 'REASON_NO_ROUTE'],
])('%s: a number that means something else is refused', (tag, name) => {
  const numbers = new Map(own.enum(tag)).set(name, 77);
  expect(() => requireSameNumbers(build(tag, numbers), own)).toThrow(`${name} was 77 and is`);
});

test('what is kept must still have its name; a counter may be left behind', () => {
  expect(() => requireSameNumbers(own, build('scheduler', without('scheduler', 'SCHEDULER_WLC')))).toThrow(
    'is no more',
  );
  requireSameNumbers(own, build('reason', without('reason', 'REASON_NO_ROUTE')));
});
