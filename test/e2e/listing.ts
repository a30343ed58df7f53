// What ipvsadm lists, read back.
import { ipvsadm, type Network } from './network.ts';

export interface ListedDestination {
  /** Such as `TCP 10.0.0.100:80`. */
  readonly service: string;
  readonly destination: string;
  readonly active: number;
  readonly inactive: number;
}

export interface ListedConnection {
  readonly state: string;
  readonly expiresInS: number;
  readonly destination: string;
}

export async function listDestinations({ director }: Network): Promise<ListedDestination[]> {
  const rows: ListedDestination[] = [];
  let service = '';
  for (const line of (await director.run(ipvsadm, '-Ln')).split('\n')) {
    const words = line.trim().split(/\s+/);
    if (words[0] === 'TCP' || words[0] === 'UDP') service = `${words[0]} ${words[1]}`;
    if (words[0] !== '->' || words[1] === 'RemoteAddress:Port') continue;
    rows.push({ service, destination: words[1] ?? '', active: Number(words[4]), inactive: Number(words[5]) });
  }
  return rows;
}

/** As `active/inactive`, by destination of one service. */
export async function listCounts(network: Network, service: string): Promise<Record<string, string>> {
  const rows = (await listDestinations(network)).filter((row) => row.service === service);
  return Object.fromEntries(rows.map((row) => [row.destination, `${row.active}/${row.inactive}`]));
}

/** By the client's port. */
export async function listConnections({ director }: Network): Promise<Map<number, ListedConnection>> {
  const connections = new Map<number, ListedConnection>();
  for (const line of (await director.run(ipvsadm, '-Lnc')).split('\n')) {
    const [, minutes, seconds, state = '', port, destination = ''] =
      /^(?:TCP|UDP) (\d+):(\d+) +(\S+) +\S+:(\d+) +\S+ +(\S+)/.exec(line) ?? [];
    if (port === undefined) continue;
    connections.set(Number(port), { state, expiresInS: Number(minutes) * 60 + Number(seconds), destination });
  }
  return connections;
}
