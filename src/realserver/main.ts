// The `fairlead realserver` commands, run on the real server itself.
import { Command, CommanderError, Option } from 'commander';
import { acquireLock } from '../kernel/lock.ts';
import { readAddress } from '../model/address.ts';
import { FairleadError } from '../model/error.ts';
import type { Undoing } from './agent.ts';
import { add, remove, reset } from './agent.ts';
import { type Change, formatChange, formatSetting } from './change.ts';
import { lendLock } from './command.ts';
import { declare } from './declare.ts';
import { readDirector } from './director.ts';
import { defaultFile, loadWanted } from './file.ts';
import { lockPath } from './journal.ts';
import { type ArpMode, arpModes, methods, type RealServerMethod, type Wanted } from './plan.ts';
import { formatStatus, readStatus } from './status.ts';
import { isSix, type TunnelEnd, tunnelTypes } from './tunnel.ts';
import { leastMtu, leastMtuSix, mostMtu, readVip } from './vip.ts';

export interface Io {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

interface AddOptions {
  readonly method: RealServerMethod;
  readonly arp?: ArpMode;
  readonly tunType?: TunnelEnd['type'];
  readonly tunPort?: string;
  readonly mtu?: string;
  readonly director: readonly string[];
}

const failureStatus = 1;
const usageStatus = 2;

/** What is wrong with the command's words alone, whatever the machine. */
class UsageError extends FairleadError {
  constructor(message: string) {
    super('bad-input', message);
  }
}

/** Returns the exit status; rejects only for what is a bug. */
export async function runRealserver(argv: readonly string[], io: Io): Promise<number> {
  try {
    await describeRealserver(io).parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageStatus;
    if (!(error instanceof FairleadError)) throw error;
    const hint = error.hint === undefined ? '' : `${error.hint}\n`;
    io.stderr.write(`fairlead realserver: ${error.message}\n${hint}`);
    return error instanceof UsageError ? usageStatus : failureStatus;
  }
}

/** Its words, and what they do. */
export function describeRealserver({ stdout, stderr }: Io): Command {
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
    .addOption(
      new Option(
        '--arp <how>',
        'how it keeps silent about the VIP: by settings (ignore), as it does if not given, or by rules about the VIP alone (arptables, of IPv4)',
      ).choices(arpModes),
    )
    .addOption(new Option('--tun-type <type>', 'by which kind of tunnel; ipip if not given').choices(tunnelTypes))
    .option('--tun-port <port>', 'UDP port of gue')
    .option(
      '--mtu <bytes>',
      'the largest packet that comes whole from the director; what the interface takes if not given',
    )
    .option(
      '--director <address>',
      'fullnat: whom servers here are to believe who their clients are, an address or a network; may be repeated',
      (text: string, known: readonly string[]) => [...known, text],
      [] as readonly string[],
    )
    .action((vip: string, options: AddOptions) => {
      const wanted = parseWanted(vip, options);
      tellMade(
        stdout,
        wanted.vip,
        alone(() => finish(add(wanted))),
      );
    });
  program
    .command('remove')
    .description('serve a VIP no longer, and restore what was changed for it')
    .argument('<vip>', 'an address that was added')
    .action((vip: string) => {
      const address = parseVip(vip);
      tellUndone(
        stdout,
        address,
        alone(() => finish(remove(address))),
      );
    });
  program
    .command('reset')
    .description('serve no VIP any longer, and restore all that was changed')
    .action(() => {
      const undone = alone(() => finish(reset()));
      if (undone.length === 0) stdout.write('there is nothing to restore\n');
      for (const one of undone) stdout.write(`${formatUndoing(one)}\n`);
    });
  program
    .command('apply')
    .description('serve the VIPs that a file names, and no longer those that it named before')
    .argument('[file]', '- for standard input', defaultFile)
    .action((path: string) => {
      const wanted = loadWanted(path);
      for (const done of alone(() => finish(declare(wanted)))) {
        if ('made' in done) tellMade(stdout, done.vip, done.made);
        else tellUndone(stdout, done.vip, done.undone);
      }
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

function tellMade(stdout: Io['stdout'], vip: string, changes: readonly Change[]): void {
  if (changes.length === 0) stdout.write(`${vip}: all is as it should be\n`);
  for (const change of changes) stdout.write(`${vip}: ${formatChange(change)}\n`);
}

function tellUndone(stdout: Io['stdout'], vip: string, undone: readonly Undoing[]): void {
  for (const one of undone) stdout.write(`${vip}: ${formatUndoing(one)}\n`);
}

function parseVip(text: string): string {
  if (readAddress(text) === undefined) throw new UsageError(`expected the VIP's address, got ${JSON.stringify(text)}`);
  const vip = readVip(text);
  if (vip !== undefined) return vip;
  throw new FairleadError('address-unusable', `${text} can't be a VIP: it is no address that clients could ask`);
}

function parseWanted(text: string, { method, arp, tunType, tunPort, mtu, director }: AddOptions): Wanted {
  const vip = parseVip(text);
  const idle = { '--tun-type': tunType, '--tun-port': tunPort, '--mtu': mtu };
  const found = Object.entries(idle).find(([, value]) => value !== undefined);
  if (method !== 'tunnel' && found !== undefined)
    throw new UsageError(`${found[0]} is for --method tunnel, ${method} has no tunnel`);
  if (method === 'fullnat' && arp !== undefined)
    throw new UsageError('--arp is for gate and tunnel: with fullnat no real server has the VIP');
  if (isSix(vip) && arp === 'arptables')
    throw new UsageError('--arp arptables is for IPv4: IPv6 has no ARP, and needs nothing in its place');
  if (method !== 'fullnat' && director.length > 0)
    throw new UsageError(`--director is for --method fullnat: with ${method} servers see the client`);
  return {
    ...{ vip, method, arp: arp ?? 'ignore' },
    tunnel: parseTunnel(tunType ?? 'ipip', tunPort),
    mtu: parseMtu(mtu, isSix(vip)),
    directors: director.map(parseDirector),
  };
}

function parseDirector(text: string): string {
  const director = readDirector(text);
  if (director !== undefined) return director;
  throw new UsageError(`--director: expected an address, or a network as 10.0.0.0/24, got ${JSON.stringify(text)}`);
}

function parseMtu(text: string | undefined, isForSix: boolean): number | undefined {
  if (text === undefined) return undefined;
  const least = isForSix ? leastMtuSix : leastMtu;
  const mtu = /^\d+$/.test(text) ? Number(text) : 0;
  if (mtu >= least && mtu <= mostMtu) return mtu;
  throw new UsageError(`expected an MTU from ${least} to ${mostMtu}, got ${JSON.stringify(text)}`);
}

/** As ipvsadm: GUE needs a port, the others have none. */
function parseTunnel(type: TunnelEnd['type'], text: string | undefined): TunnelEnd {
  if (type !== 'gue') {
    if (text === undefined) return { type, port: 0 };
    throw new UsageError(`--tun-port is for --tun-type gue, a tunnel of type ${type} has no port`);
  }
  if (text === undefined) throw new UsageError('--tun-type gue needs --tun-port');
  const port = /^\d+$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) throw new UsageError(`expected a port from 1 to 65535, got ${JSON.stringify(text)}`);
  return { type, port };
}

/** One at a time: what one command finds must still be so when it changes it. */
function alone<T>(work: () => T): T {
  if (process.geteuid?.() !== 0)
    throw new FairleadError('not-root', 'only root may do this', { hint: 'run it as root' });
  using lock = acquireLock(lockPath);
  lendLock(lock.fd);
  try {
    return work();
  } finally {
    lendLock(undefined);
  }
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
