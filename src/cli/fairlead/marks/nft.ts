// What `nft list ruleset` prints, as far as it gives marks to packets that come in: chains of the prerouting hook, by priority.
import type { Family } from '../../../model/address.ts';
import { FairleadError } from '../../../model/error.ts';
import type { MarkRule } from '../../../model/mark.ts';
import type { Found, Refused } from './found.ts';
import { type Item, type NftChain, type NftRule, readChains } from './nft-chains.ts';
import { readNftRule } from './nft-rule.ts';

export function readNftRuleset(text: string): Found {
  const lines = text.split('\n');
  const chains = readChains(text);
  const givers = chains.filter((chain) => chain.hook !== undefined && givesMarks(chain, chains));
  const inOrder = givers.filter(({ hook }) => hook === 'prerouting').sort((a, b) => a.priority - b.priority);
  const rules: MarkRule[] = [];
  const refused: Refused[] = [];
  const attempt = (line: number, read: () => readonly MarkRule[]): void => {
    try {
      rules.push(...read());
    } catch (error) {
      if (!(error instanceof FairleadError)) throw error;
      refused.push({ line, text: lines[line - 1]?.trim() ?? '', why: error.message });
    }
  };
  // Before, or where, IPVS takes packets, and not where Fairlead can.
  for (const chain of givers.filter(({ hook }) => hook === 'input' || hook === 'ingress')) {
    for (const rule of chain.rules.filter((one) => leadsToMark(one, chain, chains))) {
      attempt(rule.line, () => refuse(`marks given at the hook ${chain.hook} are not supported`));
    }
  }
  for (const [index, chain] of inOrder.entries()) {
    if (chain.policy !== 'accept') {
      attempt(chain.line, () => refuse(`the policy ${chain.policy} is not supported`));
    }
    const later = inOrder.slice(index + 1).find((other) => mayMeet(chain, other));
    for (const rule of chain.rules) attempt(rule.line, () => readOne(chain, rule, later));
  }
  return { rules, refused: refused.sort((a, b) => a.line - b.line) };
}

function readOne(chain: NftChain, rule: NftRule, later: NftChain | undefined): readonly MarkRule[] {
  const family = familyOfTable(chain);
  if (family === 'none') refuse(`marks given in tables of the family ${chain.family} are not supported`);
  const rules = readNftRule(rule, family === 'both' ? undefined : family);
  // A verdict ends its own chain only.
  if (later !== undefined && rules.some(({ isLast }) => isLast)) {
    refuse(`a verdict is not supported while the chain ${later.name} of the table ${later.table} gives marks after it`);
  }
  return rules;
}

function familyOfTable({ family }: NftChain): Family | 'both' | 'none' {
  if (family === 'inet') return 'both';
  if (family === 'ip') return 4;
  return family === 'ip6' ? 6 : 'none';
}

function mayMeet(one: NftChain, other: NftChain): boolean {
  return one.family === other.family || one.family === 'inet' || other.family === 'inet';
}

/** By its own rules or by those of chains that it leads to. */
function givesMarks(chain: NftChain, chains: readonly NftChain[], seen: ReadonlySet<NftChain> = new Set()): boolean {
  if (seen.has(chain)) return false;
  const known = new Set([...seen, chain]);
  return chain.rules.some((rule) => leadsToMark(rule, chain, chains, known));
}

function leadsToMark(
  { items }: NftRule,
  chain: NftChain,
  chains: readonly NftChain[],
  seen: ReadonlySet<NftChain> = new Set([chain]),
): boolean {
  if (items.some((item, at) => isWord(item, 'mark') && isWord(items[at + 1], 'set') && !isWord(items[at - 1], 'ct'))) {
    return true;
  }
  const named = items.flatMap((item) => ('text' in item ? [item.text] : item.flatMap((one) => one.split(' '))));
  return chains
    .filter(({ family, table, name }) => family === chain.family && table === chain.table && named.includes(name))
    .some((next) => givesMarks(next, chains, seen));
}

function isWord(item: Item | undefined, text: string): boolean {
  return item !== undefined && 'text' in item && !item.isQuoted && item.text === text;
}

function refuse(why: string): never {
  throw new FairleadError('bad-input', why);
}
