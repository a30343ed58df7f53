// What a rule of iptables does with a packet, in nft's words.
import type { Expression } from './nft-match.ts';

/** `-j TARGET` with the target's own options, or `-g CHAIN`. */
export function readTarget(
  [option, name = '', ...options]: readonly string[],
  chains: ReadonlySet<string>,
): readonly Expression[] {
  if (chains.has(name)) return [{ [option === '-g' ? 'goto' : 'jump']: { target: name } }];
  if (['ACCEPT', 'DROP', 'REJECT', 'RETURN'].includes(name)) return [{ [name.toLowerCase()]: null }];
  if (name === 'NOTRACK') return [{ notrack: null }];
  if (name === 'CT') return options.includes('--notrack') ? [{ notrack: null }] : [];
  return [{ xt: { type: 'target', name } }];
}
