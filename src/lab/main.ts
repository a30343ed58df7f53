// `npm run lab`: every LVS type laid out in network namespaces, asked, shown on the wire, and its rules checked.
import { FairleadError } from '../model/error.ts';
import { advice } from './advice.ts';
import { type BreakageResult, breakOne, breakType } from './break.ts';
import { findKept, removeKept, removeStale } from './down.ts';
import { namespacePrefix } from './names.ts';
import { type LabOptions, parseOptions, usage } from './options.ts';
import { failedResult, isGood, runType, type Say, type TypeResult } from './run.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const signalStatus = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export async function runLab(argv: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(argv);
    if (options.help) {
      process.stdout.write(usage);
      return 0;
    }
    requireRoot();
    if (options.down) return await takeDown();
    if (options.breakage !== undefined && options.breakage !== 'all') return await breakKept(options.breakage);
    return await layAll(options);
  } catch (error) {
    complain(error);
    return error instanceof FairleadError && error.code === 'bad-input' ? 2 : 1;
  }
}

async function layAll(options: LabOptions): Promise<number> {
  if (options.keep && (await findKept()).length > 0) {
    throw new FairleadError('bad-input', 'a laboratory is kept already', {
      hint: 'remove it with `npm run lab -- --down`',
    });
  }
  const say: Say = options.json ? () => undefined : (line = '') => void process.stdout.write(`${line}\n`);
  const stale = await removeStale();
  if (stale.length > 0) say(`removed what a killed laboratory had left: ${stale.join(', ')}`);

  const stop = new AbortController();
  let stoppedBy: keyof typeof signalStatus | undefined;
  const onSignal = (signal: keyof typeof signalStatus): void => {
    stoppedBy ??= signal;
    stop.abort(new FairleadError('kernel', `stopped by ${signal}; everything is being removed`));
  };
  // `npm run lab | head`: nobody listens any more.
  const onDeaf = (): void => stop.abort(new FairleadError('kernel', 'standard output was closed'));
  for (const signal of signals) process.on(signal, onSignal);
  process.stdout.on('error', onDeaf);
  try {
    if (options.breakage === 'all') return await breakAll(options, say, stop.signal);
    const results = await runAll(options, say, stop.signal);
    if (stop.signal.aborted) return stoppedBy === undefined ? 1 : signalStatus[stoppedBy];
    if (options.json) process.stdout.write(`${JSON.stringify({ types: results })}\n`);
    const good = Object.values(results).every(isGood);
    if (!options.json) summarize(results, say);
    if (options.keep) await advise(options, say);
    return good ? 0 : 1;
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}

async function breakAll({ types, json }: LabOptions, say: Say, signal: AbortSignal): Promise<number> {
  const results: BreakageResult[] = [];
  for (const type of types) results.push(...(await breakType(type, namespacePrefix(false), say, signal)));
  if (json) process.stdout.write(`${JSON.stringify({ breakages: results })}\n`);
  return results.every(({ found, mended, falseAlarms }) => found && mended && falseAlarms.length === 0) ? 0 : 1;
}

async function breakKept(name: string): Promise<number> {
  const kept = new Set((await findKept()).map(({ namespace }) => namespace));
  if (kept.size === 0)
    throw new FairleadError('bad-input', 'no laboratory is kept', { hint: 'lay one out: npm run lab -- dr --keep' });
  for (const line of await breakOne(name, namespacePrefix(true))) process.stdout.write(`${line}\n`);
  return 0;
}

async function runAll(options: LabOptions, say: Say, signal: AbortSignal): Promise<Record<string, TypeResult>> {
  const results: Record<string, TypeResult> = {};
  const prefix = namespacePrefix(options.keep);
  for (const type of options.types) {
    if (signal.aborted) break;
    try {
      results[type] = await runType(type, { prefix, keep: options.keep, say }, signal);
    } catch (error) {
      complain(error);
      results[type] = failedResult(type, error instanceof Error ? error.message : String(error));
    }
  }
  return results;
}

/** Also when a claim failed: what stays may show why. Nothing stays when it could not be laid out. */
async function advise({ types }: LabOptions, say: Say): Promise<void> {
  if ((await findKept()).length > 0) for (const type of types) for (const line of advice(type)) say(line);
}

function summarize(results: Readonly<Record<string, TypeResult>>, say: Say): void {
  for (const [type, { requests, answered, claims }] of Object.entries(results)) {
    const failing = claims.filter(({ holds }) => !holds).map(({ id }) => id);
    const verdict =
      failing.length === 0 ? `${claims.length} claims hold` : `${failing.join(', ')} of ${claims.length} claims FAIL`;
    say(`${type.padEnd(8)} ${answered} of ${requests} requests answered, ${verdict}`);
  }
}

async function takeDown(): Promise<number> {
  const removed = await removeKept();
  process.stdout.write(removed.length > 0 ? `removed ${removed.join(', ')}\n` : 'nothing to remove\n');
  return 0;
}

function requireRoot(): void {
  if (process.getuid?.() !== 0)
    throw new FairleadError('not-root', 'network namespaces need root', { hint: 'run it with sudo' });
}

function complain(error: unknown): void {
  const hint = error instanceof FairleadError && error.hint !== undefined ? ` (${error.hint})` : '';
  process.stderr.write(`lab: ${error instanceof Error ? error.message : String(error)}${hint}\n`);
}
