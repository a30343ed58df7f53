// Rules for another program's text, all of them or none.
import { FairleadError } from '../../../model/error.ts';
import type { MarkRules } from '../../../model/mark.ts';
import type { Found } from './found.ts';
import { isIptablesSave, readIptablesSave } from './iptables-save.ts';
import { readNftRuleset } from './nft.ts';
import { isNftRuleset } from './nft-chains.ts';

/** Throws bad-input with a line for each rule that can't be expressed. `name`: the file's. */
export function readImport(text: string, name: string): MarkRules {
  const { rules, refused } = readText(text, name);
  if (refused.length === 0) return rules;
  const told = refused.map(({ line, text: rule, why }) => `${name}:${line}: ${why}: ${rule}`);
  throw new FairleadError('bad-input', ['nothing was imported', ...told].join('\n'));
}

function readText(text: string, name: string): Found {
  if (isIptablesSave(text)) return readIptablesSave(text);
  if (isNftRuleset(text)) return readNftRuleset(text);
  if (text.trim() === '') return { rules: [], refused: [] };
  throw new FairleadError(
    'bad-input',
    `${name}: expected what iptables-save, ip6tables-save or nft list ruleset prints`,
  );
}
