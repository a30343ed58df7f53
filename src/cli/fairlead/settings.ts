// fairlead settings: what IPVS has under net.ipv4.vs, read and set.
import { readFileSync } from 'node:fs';
import { openDirector } from '../../dataplane/director.ts';
import { FairleadError } from '../../model/error.ts';
import {
  initialSettings,
  knownName,
  meaningless,
  parseAssignment,
  parseSettingName,
  parseSettingValue,
  type Settings,
} from '../../model/settings.ts';
import type { Io, Out } from './io.ts';
import { toJson } from './json.ts';

export type Output = 'table' | 'json' | 'yaml';

/** What the command line asks for; all of it is known to be right before anything is done. */
export type Request =
  | { readonly kind: 'show'; readonly names: readonly string[] }
  | { readonly kind: 'set'; readonly values: Partial<Settings> };

export function parseRequest(words: readonly string[]): Request {
  const assignments = words.filter((word) => word.includes('='));
  if (assignments.length === 0) return { kind: 'show', names: words.map(knownName) };
  const name = words.find((word) => !word.includes('='));
  if (name !== undefined)
    throw new FairleadError('bad-input', `expected NAME=VALUE after another, got ${JSON.stringify(name)}`);
  return { kind: 'set', values: Object.fromEntries(assignments.map(parseAssignment)) };
}

export async function runSettings(io: Io, request: Request, output: Output): Promise<void> {
  if (request.kind === 'set') setAll(io, request.values);
  else await show(io.stdout, request.names, output);
}

/** As `fairlead settings -o yaml` or `-o json` writes it. */
export async function parseFile(path: string): Promise<Request> {
  const { parse } = await import('yaml');
  const document = attempt(path, (): unknown => parse(readFileSync(path === '-' ? 0 : path, 'utf8')));
  const settings = isRecord(document) ? document.settings : undefined;
  if (!isRecord(settings))
    throw new FairleadError('bad-input', `${path}: expected 'settings:' and below it names with values`);
  const values = Object.entries(settings).map(([text, value]) => {
    const name = parseSettingName(text);
    return [name, parseSettingValue(name, typeof value === 'number' ? `${value}` : JSON.stringify(value))];
  });
  return { kind: 'set', values: Object.fromEntries(values) };
}

/** Of what can't be opened, or is no YAML, the reason is told in the words of whoever found it. */
function attempt<Value>(path: string, read: () => Value): Value {
  try {
    return read();
  } catch (cause) {
    throw new FairleadError('bad-input', `${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function setAll(io: Io, values: Partial<Settings>): void {
  const warn = (text: string): unknown => io.stderr.write(`fairlead: ${text}\n`);
  using director = openDirector({ create: true, warn });
  director?.changeSettings(values);
}

async function show(out: Out, names: readonly string[], output: Output): Promise<void> {
  using director = openDirector({ create: false });
  const settings: Readonly<Record<string, number>> = director?.settings() ?? initialSettings;
  if (output === 'table') {
    out.write(names.length === 1 ? `${textOf(settings, names[0] ?? '')}\n` : formatTable(settings, names));
    return;
  }
  const chosen = names.length === 0 ? Object.keys({ ...settings, ...meaningless }) : names;
  const pick = (from: Readonly<Record<string, unknown>>): object =>
    Object.fromEntries(chosen.filter((name) => name in from).map((name) => [name, from[name]]));
  const document = { settings: pick(settings), withoutMeaning: pick(meaningless) };
  if (output === 'json') out.write(toJson(document));
  else out.write((await import('yaml')).stringify(document));
}

export function formatTable(settings: Readonly<Record<string, number>>, names: readonly string[]): string {
  const chosen = names.length === 0 ? Object.keys({ ...settings, ...meaningless }).sort() : names;
  const width = Math.max(...chosen.map((name) => name.length));
  return chosen.map((name) => `${name.padEnd(width)}  ${textOf(settings, name)}\n`).join('');
}

function textOf(settings: Readonly<Record<string, number>>, name: string): string {
  return name in settings ? `${settings[name]}` : `no meaning here: ${meaningless[name]}`;
}
