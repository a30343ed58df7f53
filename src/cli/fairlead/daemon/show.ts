// fairlead get and fairlead log: how what is declared stands, and what happened.
import type { JournalAnswer } from '../../../api/contract.ts';
import type { Rates } from '../../../model/director.ts';
import { FairleadError } from '../../../model/error.ts';
import { type Column, formatColumns } from '../columns.ts';
import type { Io } from '../io.ts';
import { toJson, toYaml } from '../json.ts';
import { type DestinationView, readInstalled, type ServiceView, toView } from '../view/view.ts';
import { compact, stateOf, stateOfService, toServiceWord, whyOf } from '../view/words.ts';
import { connectHere } from './override.ts';

type StandingFormat = 'table' | 'wide' | 'json' | 'yaml';

/** `service`: that one alone, by its key. */
export async function showStanding(io: Io, service: string | undefined, format: StandingFormat): Promise<void> {
  const { services: all } = await connectHere().status();
  const services = all.filter((one) => service === undefined || one.service === service);
  if (service !== undefined && services.length === 0) throw missing(service);
  if (format === 'json') io.stdout.write(toJson({ services }));
  else if (format === 'yaml') io.stdout.write(await toYaml({ services }));
  else {
    const view = toView(readInstalled(true) ?? [], services);
    io.stdout.write(
      formatStanding(
        view.services.filter(({ declared }) => declared !== undefined),
        format,
      ),
    );
  }
}

export async function showLog(io: Io, count: number, output: 'table' | 'json'): Promise<void> {
  const { entries } = await connectHere().journal(count);
  io.stdout.write(output === 'json' ? toJson({ entries }) : entries.map(formatEntry).join(''));
}

const text = (title: string): Column => ({ title });
const number = (title: string): Column => ({ title, isNumber: true });
const columns = {
  table: ['SERVICE', 'DESTINATION', 'STATE', 'WEIGHT', 'ACTIVE', 'INACTIVE', 'WHY'].map(text),
  wide: [
    ...['SERVICE', 'SCHEDULER', 'DESTINATION', 'METHOD', 'STATE'].map(text),
    ...['WEIGHT', 'DECLARED', 'ACTIVE', 'INACTIVE', 'CONNS/S', 'IN B/S', 'OUT B/S'].map(number),
    ...['CHECKS', 'WHY'].map(text),
  ],
};

export function formatStanding(services: readonly ServiceView[], format: 'table' | 'wide'): string {
  const cells = format === 'table' ? destinationCells : wideCells;
  const rows = services.flatMap((service) => [
    serviceCells(service, format),
    ...service.destinations.filter(({ declared }) => declared).map(cells),
  ]);
  return formatColumns(columns[format], rows)
    .map((line) => `${line}\n`)
    .join('');
}

function serviceCells({ key, declared, installed }: ServiceView, format: 'table' | 'wide'): readonly string[] {
  const state = stateOfService(declared);
  if (format === 'table') return [key, '', state];
  return [key, declared?.scheduler ?? '', '', '', state, '', '', '', '', ...rateCells(installed?.rates)];
}

function destinationCells({ key, installed, declared }: DestinationView): readonly string[] {
  if (declared === undefined) return ['', key];
  const { weight, activeConnections, inactiveConnections } = declared;
  const numbers = [installed?.weight ?? weight ?? '-', activeConnections, inactiveConnections].map(String);
  return ['', key, stateOf(declared), ...numbers, whyOf(declared)];
}

function wideCells(destination: DestinationView): readonly string[] {
  const { installed, declared } = destination;
  const [, key = '', state = '', weight = '', active = '', inactive = '', why = ''] = destinationCells(destination);
  const checks = declared?.checks.map((check) => `${check.kind} ${check.state}`).join(', ') ?? '';
  const counts = [weight, String(declared?.declaredWeight ?? '-'), active, inactive];
  return ['', '', key, installed?.method ?? '-', state, ...counts, ...rateCells(installed?.rates), checks, why];
}

function rateCells(rates: Rates | undefined): readonly string[] {
  if (rates === undefined) return ['-', '-', '-'];
  return [rates.connections, rates.inBytes, rates.outBytes].map(compact);
}

export function formatEntry({ atMs, who, what, subject, why }: JournalAnswer['entries'][number]): string {
  const words = [new Date(atMs).toISOString(), who, what, subject];
  return `${words.filter((word) => word !== undefined).join(' ')}${why === undefined ? '' : `: ${why}`}\n`;
}

function missing(service: string): FairleadError {
  return new FairleadError('service-missing', `no service ${toServiceWord(service)} is declared`, {
    hint: "'fairlead get' lists those that are",
  });
}
