// The `fairlead doctor` command: everything that is wrong here, each with its reason and what mends it.
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { formatAddress, isLoopback, isUnicast, readAddress } from '../model/address.ts';
import type { Endpoint } from '../model/director.ts';
import { parseEndpoint } from '../model/endpoint.ts';
import { FairleadError } from '../model/error.ts';
import { examineAsClient } from './client.ts';
import { examine } from './examine.ts';
import type { Problem } from './problem.ts';

export interface Io {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

const problemStatus = 1;
const usageStatus = 2;

/** Returns the exit status; rejects only for what is a bug. */
export async function runDoctor(argv: readonly string[], io: Io): Promise<number> {
  try {
    const { output, fix = false, client: clients, port: ports, target } = parse(argv, io);
    if (process.geteuid?.() !== 0)
      throw new FairleadError('not-root', 'only root sees what is to be looked at', { hint: 'run it as root' });
    const look = () => (target === undefined ? examine({ clients, ports }) : examineAsClient(target));
    const found = await look();
    const fixed = fix ? mend(found, io) : [];
    const problems = fixed.length > 0 ? await look() : found;
    io.stdout.write(output === 'json' ? `${JSON.stringify({ problems, fixed }, undefined, 2)}\n` : format(problems));
    return problems.length === 0 ? 0 : problemStatus;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageStatus;
    if (!(error instanceof FairleadError)) throw error;
    io.stderr.write(`fairlead doctor: ${error.message}\n${error.hint === undefined ? '' : `${error.hint}\n`}`);
    return error.code === 'bad-input' ? usageStatus : problemStatus;
  }
}

interface Options {
  readonly output: 'table' | 'json';
  readonly fix?: boolean;
  readonly client: readonly string[];
  readonly port: readonly number[];
  /** As whose client this machine is looked at. */
  readonly target?: Endpoint | undefined;
}

function parse(argv: readonly string[], io: Io): Options {
  const program = describeDoctor(io);
  program.parse(argv, { from: 'user' });
  const [endpoint] = program.args;
  const { client, port } = program.opts<Options>();
  if (endpoint !== undefined && client.length + port.length > 0)
    throw new FairleadError(
      'bad-input',
      '--client and --port are for directors and real servers, VIP:PORT is for a client itself',
    );
  return { ...program.opts(), target: endpoint === undefined ? undefined : parseEndpoint(endpoint) };
}

/** Its words. */
export function describeDoctor({ stdout, stderr }: Io): Command {
  return new Command('fairlead doctor')
    .description('What is wrong with this director or real server, why it matters, and what mends it.')
    .argument('[vip:port]', 'on a client: the service of TCP to try, instead')
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['table', 'json']).default('table'))
    .option('--fix', 'run the commands that are for this machine and touch nothing but what is wrong')
    .addOption(
      several('--client <address>', 'on a director or real server: look at what this client meets too', parseClient),
    )
    .addOption(
      several('--port <port>', 'on a real server: look at what keeps clients from this port of the VIP too', parsePort),
    )
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) });
}

/** One that may be repeated. */
function several<T>(flags: string, description: string, read: (text: string) => T): Option {
  return new Option(flags, `${description}; may be repeated`)
    .argParser((text, known: readonly T[]) => [...known, read(text)])
    .default([], 'none');
}

function parseClient(text: string): string {
  const address = readAddress(text);
  if (address === undefined || !isUnicast(address) || isLoopback(address))
    throw new FairleadError('bad-input', `--client: expected a client's address, got ${JSON.stringify(text)}`);
  return formatAddress(address);
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new FairleadError('bad-input', `--port: expected a port from 1 to 65535, got ${JSON.stringify(text)}`);
}

/** What was run, each command once. */
function mend(problems: readonly Problem[], { stderr }: Io): readonly string[] {
  const commands = problems.flatMap(({ mend: { command, on, isSafe } }) =>
    isSafe && on === undefined ? [command] : [],
  );
  // The commands of this package first, wherever they were started from.
  const own = join(dirname(process.argv[1] ?? ''));
  const env = { ...process.env, PATH: `${own}:${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  const once = [...new Set(commands)];
  for (const command of once) {
    stderr.write(`# ${command}\n`);
    try {
      execFileSync('sh', ['-ec', command], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    } catch (cause) {
      throw new FairleadError('kernel', `\`${command}\` failed`, { cause });
    }
  }
  return once;
}

function format(problems: readonly Problem[]): string {
  const lines = problems.flatMap(({ id, wrong, why, evidence, mend: { command, on } }) => [
    `${id}: ${wrong}`,
    `  why   ${why}`,
    `  seen  ${evidence}`,
    `  mend  ${on === undefined ? '' : `on ${on}: `}${command}`,
    '',
  ]);
  return lines.map((line) => `${line}\n`).join('');
}
