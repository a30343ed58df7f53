// The rules of this network namespace's firewalls: those that nft lists, and iptables' as its own programs tell them, with all that they ask.
import { FairleadError } from '../../model/error.ts';
import { run } from '../../realserver/command.ts';
import { ask } from '../ask.ts';
import type { NftItem } from './nft.ts';
import { readSaved, type Saved } from './xtables.ts';

const programs = ['iptables', 'ip6tables'] as const;

/** None where none of the programs is. */
export function readRuleset(): readonly NftItem[] {
  const listed = ask<{ readonly nftables?: readonly NftItem[] }>(['nft', '-j', 'list', 'ruleset'])?.nftables ?? [];
  const saved = programs.flatMap((program) => {
    const usual = readSaved(said(`${program}-save`), program);
    // The usual one is either of nftables, or the old one itself.
    const isOld = !usual.isNft && usual.items.length > 0;
    return isOld ? [usual] : [usual, readSaved(said(`${program}-legacy-save`), `${program}-legacy`)];
  });
  return withSaved(listed, saved);
}

/** A chain of nftables that a program of iptables tells is taken from there. */
export function withSaved(listed: readonly NftItem[], saved: readonly Saved[]): readonly NftItem[] {
  const told = new Set(
    saved.flatMap(({ program, isNft, items }) =>
      items.flatMap(({ chain }) =>
        isNft && chain !== undefined ? [key(program === 'ip6tables' ? 'ip6' : 'ip', chain.table, chain.name)] : [],
      ),
    ),
  );
  const kept = listed.filter(
    ({ chain, rule }) =>
      !(chain !== undefined && told.has(key(chain.family, chain.table, chain.name))) &&
      !(rule !== undefined && told.has(key(rule.family, rule.table, rule.chain))),
  );
  return [...kept, ...saved.flatMap(({ items }) => items)];
}

function key(...words: readonly string[]): string {
  return words.join(' ');
}

function said(program: string): string {
  try {
    return run([program]);
  } catch (error) {
    if (error instanceof FairleadError) return '';
    throw error;
  }
}
