// Reads a command line as popt 1.19 does. No library of ours can: commander has no option with an optional value that
// leaves `-5` alone, accepts abbreviations' spellings of its own, and words its errors differently.
import type { OptionSpec } from './options.ts';

export type Reading =
  | {
      readonly kind: 'option';
      readonly option: OptionSpec;
      readonly argument: string | undefined;
      readonly word: string;
    }
  | { readonly kind: 'error'; readonly text: string };

export interface Words {
  /** The next option, or undefined when only `leftovers` remain. */
  next(): Reading | undefined;
  /** The words that are neither options nor their arguments. */
  readonly leftovers: readonly string[];
}

export function readWords(argv: readonly string[], options: Lookup): Words {
  const leftovers: string[] = [];
  let at = 0;
  /** The rest of a cluster such as the `n` of -Ln, or the glued argument of -t10.0.0.1:80. */
  let cluster: string | undefined;
  let onlyLeftovers = false;

  // popt blames the last word it has looked at.
  const fail = (reason: string): Reading => ({ kind: 'error', text: `${argv[at - 1]}: ${reason}` });

  function next(): Reading | undefined {
    if (cluster !== undefined) return nextShort(cluster);
    for (;;) {
      const word = argv[at];
      if (word === undefined) return undefined;
      at += 1;
      if (onlyLeftovers || !word.startsWith('-') || word === '-') leftovers.push(word);
      else if (word === '--') onlyLeftovers = true;
      else return word.startsWith('--') ? nextLong(word.slice(2)) : nextShort(word.slice(1));
    }
  }

  function nextLong(text: string): Reading {
    const equals = text.indexOf('=');
    const option = options.long.get(equals < 0 ? text : text.slice(0, equals));
    return option === undefined
      ? fail('unknown option')
      : finish(option, equals < 0 ? undefined : text.slice(equals + 1));
  }

  function nextShort(text: string): Reading {
    const option = options.short.get(text.charAt(0));
    if (option === undefined) return fail('unknown option');
    const rest = text.length > 1 ? text.slice(1) : undefined;
    cluster = undefined;
    if (option.argument !== 'none') return finish(option, rest?.startsWith('=') ? rest.slice(1) : rest);
    if (rest?.startsWith('=')) return fail('option does not take an argument');
    cluster = rest;
    return finish(option, undefined);
  }

  function finish(option: OptionSpec, glued: string | undefined): Reading {
    if (option.argument === 'none' && glued !== undefined) return fail('option does not take an argument');
    let argument = glued;
    if (option.argument !== 'none' && argument === undefined) {
      argument = argv[at];
      if (option.argument === 'optional' && argument?.startsWith('-')) argument = undefined;
      else if (argument !== undefined) at += 1;
      else if (option.argument === 'required') return fail('missing argument');
    }
    return { kind: 'option', option, argument, word: argv[at - 1] ?? '' };
  }

  return { next, leftovers };
}

export interface Lookup {
  readonly long: ReadonlyMap<string, OptionSpec>;
  readonly short: ReadonlyMap<string, OptionSpec>;
}

export function lookupOf(options: readonly OptionSpec[]): Lookup {
  return {
    long: new Map(options.map((option) => [option.long, option])),
    short: new Map(options.flatMap((option) => Array.from(option.shorts, (letter) => [letter, option] as const))),
  };
}
