// The `fairlead realserver` commands, run on the real server itself.
import { Command, CommanderError, Option } from 'commander';
import { acquireLock } from '../kernel/lock.ts';
import { type Address, formatAddress, isUnicast, readAddress } from '../model/address.ts';
import { FairleadError } from '../model/error.ts';
import type { Undoing } from './agent.ts';
import { add, remove } from './agent.ts';
import { formatChange, formatSetting } from './change.ts';
import { lockPath } from './journal.ts';
import { methods, type RealServerMethod } from './plan.ts';
import { formatStatus, readStatus } from './status.ts';
import { type TunnelEnd, tunnelTypes } from './tunnel.ts';

export interface Io {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

interface AddOptions {
  readonly method: RealServerMethod;
  readonly tunType: TunnelEnd['type'];
  readonly tunPort?: string;
}

const failureStatus = 1;
const usageStatus = 2;

/** Returns the exit status; rejects only for what is a bug. */
export async function runRealserver(argv: readonly string[], io: Io): Promise<number> {
  try {
    await describe(io).parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageStatus;
    if (!(error instanceof FairleadError)) throw error;
    const hint = error.hint === undefined ? '' : `${error.hint}\n`;
    io.stderr.write(`fairlead realserver: ${error.message}\n${hint}`);
    return failureStatus;
  }
}

function describe({ stdout, stderr }: Io): Command {
  const program = new Command('fairlead realserver')
    .description('Make this machine a real server, and undo it. What was set before is restored exactly.')
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) });
  program
    .command('add')
    .description('let this machine serve a VIP; repeating it mends what is missing and changes nothing else')
    .argument('<vip>', 'the address that clients ask')
    .addOption(
      new Option('--method <method>', 'how the director sends packets here').choices(methods).makeOptionMandatory(),
    )
    .addOption(new Option('--tun-type <type>', 'by which kind of tunnel').choices(tunnelTypes).default('ipip'))
    .option('--tun-port <port>', 'UDP port of gue')
    .action((vip: string, { method, tunType, tunPort }: AddOptions) => {
      const address = parseVip(vip);
      const tunnel = parseTunnel(tunType, tunPort);
      const changes = alone(() => finish(add(address, method, tunnel)));
      if (changes.length === 0) stdout.write(`${address}: all is as it should be\n`);
      for (const change of changes) stdout.write(`${address}: ${formatChange(change)}\n`);
    });
  program
    .command('remove')
    .description('serve a VIP no longer, and restore what was changed for it')
    .argument('<vip>', 'an address that was added')
    .action((vip: string) => {
      const address = parseVip(vip);
      for (const one of alone(() => finish(remove(address)))) stdout.write(`${address}: ${formatUndoing(one)}\n`);
    });
  program
    .command('status')
    .description('what was changed here, whether it still is so, and what has been decapsulated')
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['table', 'json']).default('table'))
    .action(({ output }: { output: 'table' | 'json' }) => {
      const status = alone(readStatus);
      stdout.write(output === 'json' ? `${JSON.stringify(status, undefined, 2)}\n` : formatStatus(status));
    });
  return program;
}

function parseVip(text: string): string {
  const address = readAddress(text);
  if (address === undefined)
    throw new FairleadError('bad-input', `expected the VIP's address, got ${JSON.stringify(text)}`);
  if (!isUnicast(address) || isLoopback(address))
    throw new FairleadError('address-unusable', `${text} can't be a VIP: it is no address that clients could ask`);
  return formatAddress(address);
}

function isLoopback({ family, bytes }: Address): boolean {
  return family === 4 ? bytes[0] === 127 : bytes.every((byte, index) => byte === (index === 15 ? 1 : 0));
}

/** As ipvsadm: GUE needs a port, the others have none. */
function parseTunnel(type: TunnelEnd['type'], text: string | undefined): TunnelEnd {
  if (type !== 'gue') {
    if (text === undefined) return { type, port: 0 };
    throw new FairleadError('bad-input', `--tun-port is for --tun-type gue, a tunnel of type ${type} has no port`);
  }
  if (text === undefined) throw new FairleadError('bad-input', '--tun-type gue needs --tun-port');
  const port = /^\d+$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535)
    throw new FairleadError('bad-input', `expected a port from 1 to 65535, got ${JSON.stringify(text)}`);
  return { type, port };
}

/** One at a time: what one command finds must still be so when it changes it. */
function alone<T>(work: () => T): T {
  if (process.geteuid?.() !== 0)
    throw new FairleadError('not-root', 'only root may do this', { hint: 'run it as root' });
  using _lock = acquireLock(lockPath);
  return work();
}

function finish<T>(steps: Generator<unknown, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

function formatUndoing({ change, outcome }: Undoing): string {
  const what =
    change.kind === 'setting'
      ? `${formatSetting(change)}: back to ${change.before}`
      : `no more: ${formatChange(change)}`;
  if (outcome === 'undone') return what;
  const why = outcome === 'gone' ? 'it was so already' : 'left alone, as somebody else has changed or uses it since';
  return `${what}: ${why}`;
}
