// The laboratory's command line.
import { parseArgs } from 'node:util';
import { FairleadError } from '../model/error.ts';
import { type LabType, labTypes } from './plan.ts';

export interface LabOptions {
  readonly types: readonly LabType[];
  readonly keep: boolean;
  readonly down: boolean;
  readonly json: boolean;
  readonly help: boolean;
  /** Of `break`: the one that is named, or `all`. */
  readonly breakage: string | undefined;
}

export const usage = `usage: npm run lab [-- [nat|dr|tun|fullnat] [--keep] [--json]]
       npm run lab -- --down
       npm run lab -- break NAME
       npm run lab -- break --all [--json]

Lays out client, router, director and real servers in network namespaces for each LVS type, or for the one
named, sends requests, shows them on the wire, and checks the type's rules by doing each.

  --keep   leave the one named running and say what to try
  break    break the one that was kept, so that fairlead doctor can find it, or with --all lay out each type
           and break it in every way, let the doctor find it, and mend it by the doctor's own commands
  --down   remove what was kept, and what a laboratory that was killed left behind
  --json   print one JSON document on standard output and nothing else

Exit status: 0 when every request was answered and every claim holds, 1 when not, 2 for a wrong command line.
`;

export function parseOptions(argv: readonly string[]): LabOptions {
  const { values, positionals } = parse(argv);
  if (positionals[0] === 'break') return parseBreak(positionals.slice(1), values);
  if (values.all) throw new FairleadError('bad-input', '--all is for break');
  const types = positionals.map(parseType);
  if (types.length > 1)
    throw new FairleadError('bad-input', `expected one LVS type or none, got ${positionals.join(' ')}`);
  if (values.keep && types.length === 0)
    throw new FairleadError('bad-input', '--keep needs the LVS type to keep: nat, dr, tun or fullnat');
  if (values.down && (values.keep || values.json || types.length > 0))
    throw new FairleadError('bad-input', '--down stands alone');
  return {
    types: types.length > 0 ? types : labTypes,
    keep: values.keep,
    down: values.down,
    json: values.json,
    help: values.help,
    breakage: undefined,
  };
}

function parseBreak(names: readonly string[], values: ReturnType<typeof parse>['values']): LabOptions {
  const isOne = names.length === 1 && !values.all && !values.json;
  if (values.keep || values.down || !(isOne || (names.length === 0 && values.all)))
    throw new FairleadError('bad-input', 'expected break NAME, or break --all');
  const breakage = values.all ? 'all' : names[0];
  return { types: labTypes, keep: false, down: false, json: values.json, help: values.help, breakage };
}

function parse(argv: readonly string[]) {
  const flag = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { keep: flag, down: flag, json: flag, all: flag, help: { ...flag, short: 'h' } },
    });
  } catch (cause) {
    throw new FairleadError('bad-input', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function parseType(text: string): LabType {
  const type = labTypes.find((each) => each === text);
  if (type === undefined) throw new FairleadError('bad-input', `expected nat, dr, tun or fullnat, got ${text}`);
  return type;
}
