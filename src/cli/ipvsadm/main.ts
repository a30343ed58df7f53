// The ipvsadm command: one command line to one exit status. Everything it touches is handed to it. What -L and the edits
// do not need is loaded when it is asked for: scripts run ipvsadm in loops, and loading is most of its time.
import { type Director, defaultTimeouts, type InstalledService, type OpenDirector } from '../../model/director.ts';
import { FairleadError } from '../../model/error.ts';
import { emptyTable, type ServiceIdentity } from '../../model/service.ts';
import { type SyncDaemon, withDaemon, withoutDaemon } from '../../model/sync.ts';
import { clearTable, type Edit, editTable, findService } from '../../model/table.ts';
import { editsOf } from './edits.ts';
import { type Host, openHost } from './host.ts';
import { type Invocation, openReader } from './invocation.ts';
import { listServices } from './list.ts';
import { failureStatus, Refusal, statusOf, textOf } from './refusal.ts';

export interface Sink {
  write(text: string): unknown;
}

export interface Io {
  readonly stdin: AsyncIterable<string | Uint8Array>;
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** What names are looked up in; this host when it is left out. */
  readonly host?: Host;
  /** A person is looking: what can hardly work is told. Scripts get what ipvsadm would have said. */
  readonly isWatched?: boolean;
}

/** Returns the exit status; rejects only for what is a bug. */
export async function runIpvsadm(argv: readonly string[], given: Io, openDirector: OpenDirector): Promise<number> {
  return await answer(given, openDirector, async (io, open) => {
    // Without a word, ipvsadm lists.
    const invocation = await openReader(io.host)(argv.length === 0 ? ['-L'] : argv);
    if (invocation.command === 'restore') await restore(io, open, []);
    else await obey(invocation, io, open);
  });
}

/** The table becomes what the input's lines make of an empty one: -C and -R as one transaction. */
export async function replaceTable(given: Io, openDirector: OpenDirector): Promise<number> {
  return await answer(given, openDirector, (io, open) => restore(io, open, [clearTable()]));
}

async function answer(
  given: Io,
  openDirector: OpenDirector,
  work: (io: Required<Io>, open: OpenDirector) => Promise<void>,
): Promise<number> {
  const io = withHost(given);
  const warn = (text: string) => warnTo(io, text);
  try {
    await work(io, (options) => openDirector({ ...options, warn }));
    return 0;
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error;
    io.stderr.write(`${textOf(error)}\n`);
    return statusOf(error);
  }
}

function warnTo({ stderr }: Io, text: string): void {
  stderr.write(`warning: ${text}\n`);
}

/** What a process reads from is made when it is asked for, and whether somebody watches is found out then: both take milliseconds. */
function withHost(io: Io): Required<Io> {
  let isWatched: boolean | undefined;
  return {
    get stdin() {
      return io.stdin;
    },
    stdout: io.stdout,
    stderr: io.stderr,
    host: io.host ?? openHost(),
    get isWatched() {
      isWatched ??= io.isWatched ?? false;
      return isWatched;
    },
  };
}

async function obey(invocation: Invocation, io: Required<Io>, openDirector: OpenDirector): Promise<void> {
  switch (invocation.command) {
    case 'help':
      return void io.stdout.write((await import('./help.ts')).helpText);
    case 'version':
      return void io.stdout.write((await import('./help.ts')).versionText);
    case 'list':
      return await list(invocation, io, openDirector);
    case 'save':
      return await save(invocation, io, openDirector);
    case 'get-laddr':
      return await listLocalAddresses(invocation, io, openDirector);
    case 'zero':
      return zero(invocation.identity, openDirector);
    case 'set':
      return setTimeouts(invocation, openDirector);
    case 'start-daemon':
      return await startDaemon(invocation, io, openDirector);
    case 'stop-daemon':
      return stopDaemon(invocation, openDirector);
    default:
      await refuseStrictly(invocation);
      await change(editsOf(invocation), io.host, openDirector);
      return await warnOf(invocation, io);
  }
}

async function list(invocation: Invocation, io: Required<Io>, openDirector: OpenDirector): Promise<void> {
  const { given } = invocation;
  if (given.has('connection')) {
    const { listConnections } = await import('./connections.ts');
    using director = openDirector({ create: false });
    writeRows(await listConnections(() => director?.connections() ?? [], given, io.host), io.stdout);
  } else if (given.has('timeout')) {
    using director = openDirector({ create: false });
    const { tcp, tcpFin, udp } = director?.timeouts() ?? defaultTimeouts;
    io.stdout.write(`Timeout (tcp tcpfin udp): ${tcp} ${tcpFin} ${udp}\n`);
  } else if (given.has('daemon')) {
    const { listDaemons, notSynchronised } = await import('./daemons.ts');
    using director = openDirector({ create: false });
    const daemons = director?.syncDaemons() ?? [];
    if (daemons.length > 0) warnTo(io, notSynchronised);
    io.stdout.write(listDaemons(daemons));
  } else {
    const isOne = given.has('service-address');
    const services = isOne ? listed(invocation, openDirector) : installed(openDirector);
    io.stdout.write(await listServices({ services, given, isOne }, io.host));
  }
}

async function save({ given }: Invocation, io: Required<Io>, openDirector: OpenDirector): Promise<void> {
  const { saveServices } = await import('./save.ts');
  io.stdout.write(await saveServices(installed(openDirector), given, io.host));
}

async function listLocalAddresses(invocation: Invocation, io: Required<Io>, openDirector: OpenDirector): Promise<void> {
  const { listLocalAddresses: listOf } = await import('./save.ts');
  io.stdout.write(listOf(chosen(invocation, openDirector)));
}

/** Rows go out in pieces of about this many characters. */
const pieceLength = 65_536;

function writeRows(rows: Iterable<string>, stdout: Sink): void {
  let piece = '';
  for (const row of rows) {
    piece += row;
    if (piece.length < pieceLength) continue;
    stdout.write(piece);
    piece = '';
  }
  stdout.write(piece);
}

async function restore(io: Required<Io>, openDirector: OpenDirector, before: readonly Edit[]): Promise<void> {
  const { readAll, readRestoration } = await import('./restore.ts');
  // Without the right to change anything there is no point in reading what to change.
  openDirector({ create: false })?.[Symbol.dispose]();
  const isDoubtful = (invocation: Invocation): boolean => mayBeRefused(invocation) || mayBeWarnedOf(invocation, io);
  const text = await readAll(io.stdin);
  const { edits, doubtful, afterwards, blame } = await readRestoration(text, io.host, isDoubtful);
  for (const invocation of doubtful) await refuseStrictly(invocation);
  try {
    await change([...before, ...edits], io.host, openDirector);
  } catch (error) {
    throw await blame(error);
  }
  for (const invocation of doubtful) await warnOf(invocation, io);
  for (const invocation of afterwards) await obey(invocation, io, openDirector);
}

/** With --strict nothing changes where it would only be warned of. */
async function refuseStrictly(invocation: Invocation): Promise<void> {
  if (!mayBeRefused(invocation)) return;
  const { destinationWarnings } = await import('./warnings.ts');
  const [first] = destinationWarnings(invocation);
  if (first !== undefined) throw new Refusal(failureStatus, first, 'not-supported');
}

function mayBeRefused({ given }: Invocation): boolean {
  return given.has('strict');
}

async function warnOf(invocation: Invocation, io: Required<Io>): Promise<void> {
  if (!mayBeWarnedOf(invocation, io)) return;
  const { destinationWarnings, localAddressWarning } = await import('./warnings.ts');
  for (const warning of destinationWarnings(invocation)) warnTo(io, warning);
  const { localAddress } = invocation;
  if (localAddress === undefined) return;
  const warning = await localAddressWarning(localAddress, io.host);
  if (warning !== undefined) warnTo(io, warning);
}

function mayBeWarnedOf({ command }: Invocation, io: Required<Io>): boolean {
  return command === 'add-laddr' || ((command === 'add-server' || command === 'edit-server') && io.isWatched);
}

/** Where there is no director yet, one is made only for an edit that works and leaves something to direct. */
async function change(edits: readonly Edit[], host: Host, openDirector: OpenDirector): Promise<void> {
  if (edits.length === 0) return;
  const broadcasts = await host.broadcasts();
  using present = openDirector({ create: false });
  if (present !== undefined) return present.change((table) => editTable(table, edits, broadcasts));
  const first = editTable(emptyTable, edits, broadcasts);
  if (first.services.length === 0) return;
  using created = made(openDirector);
  // Somebody else may have been sooner.
  created.change((table) => (table.services.length === 0 ? first : editTable(table, edits, broadcasts)));
}

function zero(identity: ServiceIdentity | undefined, openDirector: OpenDirector): void {
  using director = openDirector({ create: false });
  if (director !== undefined) director.zero(identity);
  else if (identity !== undefined) throw missing();
}

function setTimeouts({ timeouts: [tcp, tcpFin, udp] }: Invocation, openDirector: OpenDirector): void {
  using director = made(openDirector);
  const now = director.timeouts();
  director.setTimeouts({ tcp: tcp || now.tcp, tcpFin: tcpFin || now.tcpFin, udp: udp || now.udp });
}

async function startDaemon({ daemon }: Invocation, io: Required<Io>, openDirector: OpenDirector): Promise<void> {
  const { daemonOf, notSynchronised } = await import('./daemons.ts');
  const wanted = await daemonOf(daemon, io.host);
  using director = made(openDirector);
  director.changeSyncDaemons((present) => withDaemon(present, wanted));
  warnTo(io, notSynchronised);
}

function stopDaemon({ daemon: { role } }: Invocation, openDirector: OpenDirector): void {
  const withoutIt = (present: readonly SyncDaemon[]) => withoutDaemon(present, role);
  using director = openDirector({ create: false });
  if (director === undefined) withoutIt([]);
  else director.changeSyncDaemons(withoutIt);
}

function made(openDirector: OpenDirector): Director {
  const director = openDirector({ create: true });
  if (director === undefined) throw new FairleadError('not-attached', 'no data plane could be made');
  return director;
}

function installed(openDirector: OpenDirector): readonly InstalledService[] {
  using director = openDirector({ create: false });
  return director?.services() ?? [];
}

/** The service that is named, or all of them. */
function chosen(invocation: Invocation, openDirector: OpenDirector): readonly InstalledService[] {
  const services = installed(openDirector);
  const { identity } = invocation;
  if (identity === undefined) return services;
  const service = findService(services, identity);
  if (service === undefined) throw missing();
  return [service];
}

/** Only here ipvsadm's exit status for a missing service is 1. */
function listed(invocation: Invocation, openDirector: OpenDirector): readonly InstalledService[] {
  try {
    return chosen(invocation, openDirector);
  } catch (error) {
    if (error instanceof FairleadError && error.code === 'service-missing')
      throw new Refusal(1, textOf(error), error.code);
    throw error;
  }
}

function missing(): FairleadError {
  return new FairleadError('service-missing', 'there is no such service');
}
