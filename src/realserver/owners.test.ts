// Shared changes stay until the last VIP that needs them goes; what somebody else had set up is never in the journal.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Change, keyOf } from './change.ts';
import { emptyJournal, type Journal, type RecordedVip } from './journal.ts';
import { withoutVip, withVip } from './owners.ts';
import type { Need } from './plan.ts';

const ignore = setting('0', '1');
const address = (vip: string): Change => ({ kind: 'address', vip });

describe('a journal', () => {
  test('has what was changed for a VIP, in the order in which it was made', () => {
    const journal = withVip(emptyJournal, recorded('a'), [unmet(ignore), unmet(address('a'))]);
    expect(journal.vips).toEqual([recorded('a')]);
    expect(journal.changes).toEqual([
      { ...ignore, vips: ['a'] },
      { ...address('a'), vips: ['a'] },
    ]);
  });

  test('has nothing of what was so before', () => {
    expect(withVip(emptyJournal, recorded('a'), [met(ignore)]).changes).toEqual([]);
  });

  test('gives a shared change a second owner, who keeps it when the first goes', () => {
    const first = withVip(emptyJournal, recorded('a'), [unmet(ignore), unmet(address('a'))]);
    const both = withVip(first, recorded('b'), [met(ignore), unmet(address('b'))]);
    const { doomed, rest } = withoutVip(both, 'a');
    expect(doomed).toEqual([address('a')]);
    expect(rest.changes).toEqual([
      { ...ignore, vips: ['b'] },
      { ...address('b'), vips: ['b'] },
    ]);
    expect(withoutVip(rest, 'b')).toEqual({ doomed: [address('b'), ignore], rest: emptyJournal });
  });

  test('remembers the value of before through repetition', () => {
    const once = withVip(emptyJournal, recorded('a'), [unmet(ignore)]);
    expect(withVip(once, recorded('a'), [met(ignore)])).toEqual(once);
  });

  test('takes over the value that somebody else has set since', () => {
    const once = withVip(emptyJournal, recorded('a'), [unmet(ignore)]);
    const again = withVip(once, recorded('a'), [unmet(setting('5', '1'))]);
    expect(again.changes).toEqual([{ ...setting('5', '1'), vips: ['a'] }]);
  });

  test('undoes a table and its chains after the rules in them, though somebody took them away meanwhile', () => {
    const table: Change = { kind: 'arp-table' };
    const chain: Change = { kind: 'arp-chain', chain: 'INPUT' };
    const rule: Change = { kind: 'arp-rule', chain: 'INPUT', rule: ['-d', 'a', '-j', 'DROP'] };
    const first = withVip(emptyJournal, recorded('a'), [met(table), met(chain), unmet(rule), unmet(address('a'))]);
    const again = withVip(first, recorded('a'), [unmet(table), unmet(chain), unmet(rule), met(address('a'))]);
    expect(withoutVip(again, 'a').doomed).toEqual([address('a'), rule, chain, table]);
  });

  test('is empty again after any VIPs came and went in any order, and undoes each change once', () => {
    const vips = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 });
    const orders = vips.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })));
    fc.assert(
      fc.property(orders, ([coming, going]) => {
        let journal: Journal = emptyJournal;
        for (const vip of coming) journal = withVip(journal, recorded(vip), needsOf(journal, [ignore, address(vip)]));
        const undone: string[] = [];
        for (const vip of going) {
          const { doomed, rest } = withoutVip(journal, vip);
          undone.push(...doomed.map(keyOf));
          journal = rest;
        }
        expect(journal).toEqual(emptyJournal);
        expect(undone.sort()).toEqual([keyOf(ignore), ...coming.map((vip) => keyOf(address(vip)))].sort());
        expect(new Set(undone).size).toBe(undone.length);
      }),
    );
  });
});

function recorded(vip: string): RecordedVip {
  return { vip, method: 'tunnel', arp: 'ignore', isDeclared: false };
}

function setting(before: string, after: string): Change {
  return { kind: 'setting', interface: 'all', name: 'arp_ignore', before, after };
}

function unmet(change: Change): Need {
  return { key: keyOf(change), change };
}

function met(change: Change): Need {
  return { key: keyOf(change), change: undefined };
}

/** As on a machine where what is recorded is so. */
function needsOf(journal: Journal, wanted: readonly Change[]): readonly Need[] {
  const known = new Set(journal.changes.map(keyOf));
  return wanted.map((change) => (known.has(keyOf(change)) ? met(change) : unmet(change)));
}
