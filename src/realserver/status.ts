// What was made of this network namespace, whether it still is so, and what has come for the VIPs.
import { arpRuleKey } from './arptables.ts';
import { type Change, formatChange, tunnelOf } from './change.ts';
import { ClientPrograms, type Tales } from './clients.ts';
import { Decapsulator, type Traffic } from './decapsulator.ts';
import { type Journal, type RecordedChange, type RecordedVip, readJournal } from './journal.ts';
import { takesPackets } from './plan.ts';
import { readSystem, type System } from './system.ts';
import { formatTunnel, type TunnelEnd } from './tunnel.ts';

export interface Status {
  /** With what was decapsulated for each; 0 unless `program` is `on`. */
  readonly vips: readonly (RecordedVip & { readonly tunnels: readonly TunnelEnd[] } & Traffic)[];
  /** `old`: left by another version of fairlead, whose counters this one can't read; `add` renews it. */
  readonly program: 'on' | 'old' | 'off' | 'unneeded';
  readonly interfaces: readonly { readonly interface: string; readonly attached: boolean }[];
  /** In the order in which they were made. */
  readonly changes: readonly (RecordedChange & { readonly inEffect: boolean })[];
  /** Tunnels' packets that came to this machine, by the reason why they were left alone. */
  readonly notDecapsulated: Readonly<{ [reason: string]: number }>;
  /** What directors told about clients; null where nobody is believed. */
  readonly clients: Tales | null;
}

export function readStatus(): Status {
  const journal = readJournal();
  const system = readSystem();
  using decapsulator = journal.program && Decapsulator.open(journal.program);
  using clients = ClientPrograms.open();
  const counting = decapsulator?.isCurrent ? decapsulator : undefined;
  return {
    vips: journal.vips.map((one) => {
      const tunnels = tunnelsOf(journal, one.vip);
      return { ...one, tunnels, ...trafficOf(counting, one.vip, tunnels) };
    }),
    program: stateOf(journal, decapsulator),
    interfaces: interfacesOf(journal, system, decapsulator),
    changes: journal.changes.map((change) => ({
      ...change,
      inEffect: isInEffect(change, system, decapsulator, clients),
    })),
    notDecapsulated: counting?.refusals() ?? {},
    clients: clients?.tales() ?? null,
  };
}

export function formatStatus(status: Status): string {
  if (status.vips.length === 0) return 'this network namespace is no real server of any VIP\n';
  const rows = status.vips.map(({ vip, method, tunnels, packets, bytes }) =>
    method === 'tunnel'
      ? [vip, method, tunnels.map(formatTunnel).join(', '), `${packets}`, `${bytes}`]
      : [vip, method, '-', '-', '-'],
  );
  return [
    table([['VIP', 'method', 'tunnels', 'packets', 'bytes'], ...rows]),
    programLine(status.program),
    status.program === 'unneeded'
      ? ''
      : section('interfaces', status.interfaces, (one) =>
          one.attached ? one.interface : `${one.interface}: NOT ATTACHED: repeat add`,
        ),
    section('changed', status.changes, (one) =>
      one.inEffect ? formatChange(one) : `${formatChange(one)}: NOT SO ANY MORE`,
    ),
    status.program === 'unneeded'
      ? ''
      : section('not decapsulated', Object.entries(status.notDecapsulated).filter(nonZero), ([reason, count]) => {
          return `${reason}: ${count}`;
        }),
    status.clients === null ? '' : section('clients', formatTales(status.clients), (line) => line),
  ].join('');
}

function formatTales({ learned, told, notFromDirector }: Tales): readonly string[] {
  return [
    `connections that a director told of: ${learned}`,
    `of them servers were told: ${told}`,
    `told by others, and not believed: ${notFromDirector}`,
  ];
}

function tunnelsOf({ changes }: Journal, vip: string): readonly TunnelEnd[] {
  return changes.flatMap((change) => (change.kind === 'decapsulation' && change.vip === vip ? tunnelOf(change) : []));
}

function trafficOf(counting: Decapsulator | undefined, vip: string, tunnels: readonly TunnelEnd[]): Traffic {
  const all = tunnels.flatMap((tunnel) => counting?.traffic(vip, tunnel) ?? []);
  const sum = (what: keyof Traffic): number => all.reduce((total, one) => total + one[what], 0);
  return { packets: sum('packets'), bytes: sum('bytes') };
}

function interfacesOf(journal: Journal, system: System, decapsulator: Decapsulator | undefined): Status['interfaces'] {
  if (!journal.vips.some(({ method }) => method === 'tunnel')) return [];
  return system.interfaces
    .filter((one) => takesPackets(one, system.interfaces))
    .map(({ name, index }) => ({ interface: name, attached: decapsulator?.isOn(index, 'ingress') === true }));
}

function stateOf({ vips }: Journal, decapsulator: Decapsulator | undefined): Status['program'] {
  if (!vips.some(({ method }) => method === 'tunnel')) return 'unneeded';
  if (decapsulator === undefined) return 'off';
  return decapsulator.isCurrent ? 'on' : 'old';
}

function isInEffect(
  change: Change,
  system: System,
  decapsulator: Decapsulator | undefined,
  clients: ClientPrograms | undefined,
): boolean {
  const nameOf = (wanted: number): string => system.interfaces.find(({ index }) => index === wanted)?.name ?? '';
  switch (change.kind) {
    case 'setting': {
      const where = change.interface === 'all' ? 'all' : nameOf(change.interface.index);
      return where !== '' && system.setting(where, change.name) === change.after;
    }
    case 'address':
      return system.addresses.some((one) => one.address === change.vip && one.interface === 'lo');
    case 'qdisc':
      return system.clsact.includes(nameOf(change.interface.index));
    case 'filter':
      return decapsulator?.isOn(change.interface.index, change.point) === true;
    case 'arp-table':
      return system.hasArpTable();
    case 'arp-chain':
      return system.hasArpChain(change.chain);
    case 'arp-rule':
      return system.arpRules().includes(arpRuleKey(change.chain, change.rule));
    case 'decapsulation':
      return decapsulator?.takes(change.vip, tunnelOf(change)) === true;
    case 'path-mtu':
      return decapsulator?.pathMtu(change.vip) === change.mtu;
    case 'clients':
      return clients !== undefined;
    case 'learner':
      return clients?.isOn(change.interface.index) === true;
    case 'director':
      return clients?.believes(change.director) === true;
  }
}

function programLine(program: Status['program']): string {
  if (program === 'on' || program === 'unneeded') return '';
  if (program === 'old') return 'another version of fairlead attached the program: repeat add to renew it\n';
  return 'THE PROGRAM IS GONE, nothing is decapsulated: repeat add\n';
}

function nonZero([, count]: readonly [string, number]): boolean {
  return count > 0;
}

function section<T>(title: string, rows: readonly T[], format: (row: T) => string): string {
  const lines = rows.length === 0 ? ['none'] : rows.map(format);
  return `${title}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}
