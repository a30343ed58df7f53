// The rules of arptables, as far as two of them can be compared: each program version prints them in an order of its own.
import { FairleadError } from '../model/error.ts';
import { run } from './command.ts';

/** Those that rules about a VIP are in. */
export const arpChains = ['INPUT', 'OUTPUT'] as const;
export type ArpChain = (typeof arpChains)[number];

/** One text for a rule, whatever the order of its options; with its chain. */
export function arpRuleKey(chain: string, rule: readonly string[]): string {
  const pairs: string[] = [];
  for (let at = 0; at < rule.length; at += 2) pairs.push(`${rule[at]} ${rule[at + 1]}`);
  return [chain, ...pairs.sort()].join(' ');
}

export function readArpRules(): readonly string[] {
  return parseArpRules(run(['arptables', '-L', '-n']));
}

/**
 * Is there a table of its rules? The first rule makes one, and it stays when the last has gone. nft is asked first:
 * arptables-save looks for the names of addresses in rules, and waits long where no name server answers.
 */
export function hasArpTable(): boolean {
  return readArpTable() !== undefined || run(['arptables-save']).includes('*filter');
}

/** A chain too is made by its first rule, and stays. Where nft can't tell, a table counts as one that has them all. */
export function hasArpChain(chain: ArpChain): boolean {
  return readArpTable()?.some((item) => item.chain?.name === chain) ?? hasArpTable();
}

/** False: somebody else uses it by now, or it is none of nft's. */
export function removeUnusedArpTable(): boolean {
  // A journal of an older version has the table alone, which they were made with.
  for (const chain of arpChains) removeUnusedArpChain(chain);
  const isUnused = readArpTable()?.every((item) => 'table' in item || 'metainfo' in item) === true;
  if (isUnused) run(['nft', 'delete', 'table', 'arp', 'filter']);
  return isUnused;
}

/** As removeUnusedArpTable(). */
export function removeUnusedArpChain(chain: ArpChain): boolean {
  const isUnused = isUnusedChain(chain, readArpTable() ?? []);
  if (isUnused) run(['nft', 'delete', 'chain', 'arp', 'filter', chain]);
  return isUnused;
}

/** It lets all pass, as one does that is not there. */
export function isUnusedChain(name: ArpChain, table: readonly NftItem[]): boolean {
  return (
    table.some(({ chain }) => chain?.name === name && chain.policy === 'accept') &&
    !table.some(({ rule }) => rule?.chain === name)
  );
}

/** What `nft -j` tells of a table: of other kinds than these too. */
export interface NftItem {
  readonly rule?: { readonly chain: string };
  readonly chain?: { readonly name: string; readonly policy?: string };
}

/** undefined: there is no nft, no table, or the rules are the old arptables'. */
function readArpTable(): readonly NftItem[] | undefined {
  try {
    return (JSON.parse(run(['nft', '-j', 'list', 'table', 'arp', 'filter'])) as { nftables: readonly NftItem[] })
      .nftables;
  } catch (error) {
    if (error instanceof FairleadError) return undefined;
    throw error;
  }
}

/** What `arptables -L -n` prints: a chain's name, and a line for each rule of it. */
export function parseArpRules(listing: string): readonly string[] {
  let chain = '';
  return listing.split('\n').flatMap((line) => {
    const header = /^Chain (\S+)/.exec(line);
    if (header?.[1] !== undefined) {
      chain = header[1];
      return [];
    }
    const words = line
      .replace(/ , pcnt=.*$/, '')
      .trim()
      .split(/\s+/);
    return words[0]?.startsWith('-') ? [arpRuleKey(chain, words)] : [];
  });
}
