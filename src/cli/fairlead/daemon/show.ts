// fairlead get and fairlead log: how what is declared stands, and what happened.
import type { DestinationStatus, JournalAnswer, ServiceStatus } from '../../../api/contract.ts';
import type { Io } from '../io.ts';
import { toJson } from '../json.ts';
import { formatColumns } from '../table.ts';
import { connectHere } from './override.ts';

type Output = 'table' | 'wide' | 'json' | 'yaml';

export async function showStanding(io: Io, output: Output): Promise<void> {
  const answer = await connectHere().status();
  switch (output) {
    case 'json':
      return void io.stdout.write(toJson(answer));
    case 'yaml': {
      const { stringify } = await import('yaml');
      return void io.stdout.write(stringify(answer));
    }
    default:
      return void io.stdout.write(formatStanding(answer.services, output === 'wide'));
  }
}

export async function showLog(io: Io, count: number, output: 'table' | 'json'): Promise<void> {
  const { entries } = await connectHere().journal(count);
  io.stdout.write(output === 'json' ? toJson({ entries }) : entries.map(formatEntry).join(''));
}

const columns = ['SERVICE', 'DESTINATION', 'STATE', 'WEIGHT', 'ACTIVE', 'INACTIVE', 'WHY'];
const wideColumns = ['SCHEDULER', 'DECLARED', 'CHECKS'];

/** `isWide`: with the scheduler, the declared weight, and what each check found. */
export function formatStanding(services: readonly ServiceStatus[], isWide = false): string {
  const rows = services.flatMap(({ service, scheduler, isQuorumLost, destinations }) => [
    [service, '', isQuorumLost ? 'quorum lost' : 'up', '', '', '', '', ...(isWide ? [scheduler] : [])],
    ...destinations.map((one) => ['', ...destinationCells(one), ...(isWide ? wideCells(one) : [])]),
  ]);
  return formatColumns([[...columns, ...(isWide ? wideColumns : [])], ...rows]);
}

function wideCells({ declaredWeight, checks }: DestinationStatus): readonly string[] {
  const found = checks.map(({ kind, state, reason }) => `${kind} ${state}${reason === '' ? '' : ` (${reason})`}`);
  return ['', `${declaredWeight}`, found.join(', ')];
}

function destinationCells(one: DestinationStatus): readonly string[] {
  const { destination, weight, activeConnections, inactiveConnections } = one;
  const numbers = [weight ?? '-', activeConnections, inactiveConnections].map(String);
  return [destination, stateOf(one), ...numbers, whyOf(one)];
}

function stateOf({ isUp, override, checks }: DestinationStatus): string {
  if (override?.state !== undefined)
    return { quiesced: 'disabled', draining: 'draining', removed: 'drained' }[override.state];
  if (!isUp) return 'down';
  return checks.some(({ state }) => state === 'up') ? 'up' : 'not checked';
}

function whyOf({ reason, override }: DestinationStatus): string {
  const said = override && `${override.why === '' ? 'no reason was given' : override.why} (${override.who})`;
  return [reason, said].filter((text) => text !== undefined).join('; ');
}

export function formatEntry({ atMs, who, what, subject, why }: JournalAnswer['entries'][number]): string {
  const words = [new Date(atMs).toISOString(), who, what, subject];
  return `${words.filter((word) => word !== undefined).join(' ')}${why === undefined ? '' : `: ${why}`}\n`;
}
