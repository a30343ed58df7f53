// The rules of arptables, as far as two of them can be compared: each program version prints them in an order of its own.
import { FairleadError } from '../model/error.ts';
import { run } from './command.ts';

/** One text for a rule, whatever the order of its options; with its chain. */
export function arpRuleKey(chain: string, rule: readonly string[]): string {
  const pairs: string[] = [];
  for (let at = 0; at < rule.length; at += 2) pairs.push(`${rule[at]} ${rule[at + 1]}`);
  return [chain, ...pairs.sort()].join(' ');
}

export function readArpRules(): readonly string[] {
  return parseArpRules(run(['arptables', '-L', '-n']));
}

/** Is there a table of its rules? The first rule makes one, and it stays when the last has gone. */
export function hasArpTable(): boolean {
  return run(['arptables-save']).includes('*filter');
}

interface NftItem {
  readonly rule?: unknown;
  readonly chain?: { readonly name: string; readonly policy?: string };
}

/** False: somebody else uses it by now, or it is none of nft's. */
export function removeUnusedArpTable(): boolean {
  try {
    const { nftables } = JSON.parse(run(['nft', '-j', 'list', 'table', 'arp', 'filter'])) as {
      nftables: readonly NftItem[];
    };
    const isUsed = nftables.some(
      ({ rule, chain }) =>
        rule !== undefined ||
        (chain !== undefined && !(['INPUT', 'OUTPUT'].includes(chain.name) && chain.policy === 'accept')),
    );
    if (isUsed) return false;
    run(['nft', 'delete', 'table', 'arp', 'filter']);
    return true;
  } catch (error) {
    if (error instanceof FairleadError) return false; // there is no nft, or the rules were the old arptables'
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
