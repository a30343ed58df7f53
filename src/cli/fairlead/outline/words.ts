// What a shell offers where a command wants a value: the choices that there are, or names that it can find.
import type { ArgumentOutline, OptionOutline } from './outline.ts';

/** `names`: what the hidden command `fairlead names` lists. */
export type Words =
  | { readonly kind: 'choices'; readonly choices: readonly string[] }
  | { readonly kind: 'files' | 'interfaces' | 'none' }
  | { readonly kind: 'names'; readonly of: 'services' | 'destinations' | 'settings' };

const ofValues: Readonly<Record<string, Words>> = {
  file: { kind: 'files' },
  folder: { kind: 'files' },
  interface: { kind: 'interfaces' },
  service: { kind: 'names', of: 'services' },
  destination: { kind: 'names', of: 'destinations' },
  settings: { kind: 'names', of: 'settings' },
};
const none: Words = { kind: 'none' };

export function wordsOfArgument({ name, choices }: ArgumentOutline): Words {
  return choices.length > 0 ? { kind: 'choices', choices } : (ofValues[name] ?? none);
}

export function wordsOfOption({ names, value = '', choices }: OptionOutline): Words {
  if (choices.length > 0) return { kind: 'choices', choices };
  if (names.includes('--in-interface')) return { kind: 'interfaces' };
  return ofValues[value] ?? none;
}
