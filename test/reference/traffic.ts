// The counters and connections that a recorded listing shows, so that a fake director can be made to have them.
import { type Address, readAddress } from '../../src/model/address.ts';
import { type Connection, type Counters, flowStates } from '../../src/model/director.ts';
import type { Traffic } from '../../src/model/fake-director.ts';
import type { ServiceIdentity } from '../../src/model/service.ts';

export interface Seen {
  readonly services: readonly { readonly identity: ServiceIdentity; readonly traffic: Traffic }[];
  /** undefined: it is no listing of connections. */
  readonly connections: readonly Connection[] | undefined;
}

/** Reads numeric listings. */
export function readTraffic(stdout: string): Seen {
  const services: { identity: ServiceIdentity; traffic: MutableTraffic }[] = [];
  const connections: Connection[] = [];
  let tables = 0;
  let numbers: 'counters' | 'rates' | undefined;
  for (const line of stdout.split('\n')) {
    if (line.startsWith('Prot')) numbers = titles.find(([title]) => line.endsWith(title))?.[1];
    const words = line.trim().split(/\s+/);
    const connection = readConnection(words);
    if (line === 'IPVS connection entries') tables += 1;
    // Of several listings of connections the first counts.
    if (connection !== undefined && tables === 1) connections.push(connection);
    if (words[0] === 'FWM') {
      const identity = { kind: 'mark', mark: Number(words[1]) >>> 0, family: words[2] === 'IPv6' ? 6 : 4 } as const;
      services.push({ identity, traffic: { destinations: {} } });
    }
    const endpoint = readEndpoint(words[1]);
    if (endpoint === undefined) continue;
    const protocol = protocols.get(words[0] ?? '');
    if (protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp') {
      const identity = { kind: 'address', protocol, vip: endpoint.address, port: endpoint.port } as const;
      if (connection === undefined) services.push({ identity, traffic: { destinations: {} } });
    }
    const traffic = services.at(-1)?.traffic;
    if (traffic === undefined || connection !== undefined) continue;
    if (words[0] !== '->' && numbers !== undefined) traffic.service = { [numbers]: readNumbers(words.slice(2)) };
    if (words[0] === '->')
      traffic.destinations[words[1] ?? ''] = numbers ? { [numbers]: readNumbers(words.slice(2)) } : active(words);
  }
  return { services, connections: tables > 0 ? connections : undefined };
}

interface MutableTraffic {
  service?: NonNullable<Traffic['service']>;
  destinations: Record<string, NonNullable<Traffic['destinations']>[string]>;
}

const titles = [
  ['OutBytes', 'counters'],
  ['OutBPS', 'rates'],
] as const;

function active(words: readonly string[]) {
  const [activeConnections = 0, inactiveConnections = 0] = words.slice(-2).map(Number);
  // Only --persistent-conn has a number in both of these columns and none beside them.
  const persistentConnections = words.length === 6 && words[2] !== '0' && words[2] !== '10' ? Number(words[3]) : 0;
  return { activeConnections, inactiveConnections, persistentConnections };
}

function readNumbers(words: readonly string[]): Counters {
  const [connections = 0n, inPackets = 0n, outPackets = 0n, inBytes = 0n, outBytes = 0n] = words.map(readShortened);
  return { connections, inPackets, outPackets, inBytes, outBytes };
}

function readShortened(word: string): bigint {
  const [, digits = '0', unit = ''] = /^([0-9]+)([KMGT]?)$/.exec(word) ?? [];
  return BigInt(digits) * 1000n ** BigInt(' KMGT'.indexOf(unit || ' '));
}

function readConnection([label = '', expires = '', state, ...more]: readonly string[]): Connection | undefined {
  const [, minutes, seconds] = /^([0-9]{2}):([0-9]{2})$/.exec(expires) ?? [];
  const known = flowStates.find((one) => one === state);
  const [client, virtual, destination] = more.map(readEndpoint);
  const [name, data] = more.slice(3);
  const protocol = protocols.get(label);
  if (known === undefined || protocol === undefined || !client || !virtual || !destination) return undefined;
  const engine = name !== undefined && data !== undefined ? { engine: { name, data } } : {};
  const expiresInS = Number(minutes) * 60 + Number(seconds);
  return { protocol, state: known, expiresInS, client, virtual, destination, method: 'masq', ...engine };
}

const protocols: ReadonlyMap<string, Connection['protocol']> = new Map([
  ['TCP', 'tcp'],
  ['UDP', 'udp'],
  ['SCTP', 'sctp'],
  ['IP', 'ip'],
]);

function readEndpoint(word: string | undefined): { address: Address; port: number } | undefined {
  const [, v6, v4, port] = /^(?:\[(.*)\]|(.*)):([0-9]+)$/.exec(word ?? '') ?? [];
  const address = readAddress(v6 ?? v4 ?? '');
  return address && { address, port: Number(port) };
}
