// fairlead get and fairlead log: how what is declared stands, and what happened.
import type { DestinationStatus, JournalAnswer, ServiceStatus } from '../../../api/contract.ts';
import type { Io } from '../io.ts';
import { toJson } from '../json.ts';
import { connectHere } from './override.ts';

type Output = 'table' | 'json';

export async function showStanding(io: Io, output: Output): Promise<void> {
  const answer = await connectHere().status();
  io.stdout.write(output === 'json' ? toJson(answer) : formatStanding(answer.services));
}

export async function showLog(io: Io, count: number, output: Output): Promise<void> {
  const { entries } = await connectHere().journal(count);
  io.stdout.write(output === 'json' ? toJson({ entries }) : entries.map(formatEntry).join(''));
}

const columns = ['SERVICE', 'DESTINATION', 'STATE', 'WEIGHT', 'ACTIVE', 'INACTIVE', 'WHY'];

export function formatStanding(services: readonly ServiceStatus[]): string {
  const rows = services.flatMap(({ service, isQuorumLost, destinations }) => [
    [service, '', isQuorumLost ? 'quorum lost' : 'up', '', '', '', ''],
    ...destinations.map((one) => ['', ...destinationCells(one)]),
  ]);
  const all = [columns, ...rows];
  const widths = columns.map((_, index) => Math.max(...all.map((row) => row[index]?.length ?? 0)));
  return all
    .map(
      (row) =>
        `${row
          .map((cell, index) => cell.padEnd(widths[index] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
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

function formatEntry({ atMs, who, what, subject, why }: JournalAnswer['entries'][number]): string {
  const words = [new Date(atMs).toISOString(), who, what, subject];
  return `${words.filter((word) => word !== undefined).join(' ')}${why === undefined ? '' : `: ${why}`}\n`;
}
