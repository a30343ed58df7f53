// `ipvsadm -Lc`: the connection table, a row at a time, so that a million of them need no memory.
import type { Address } from '../../model/address.ts';
import { type Connection, stateLabel } from '../../model/director.ts';
import type { Protocol } from '../../model/service.ts';
import { type EndpointFormat, namedEndpoints, numericEndpoint, protocolLabel } from './columns.ts';
import type { Host } from './host.ts';
import type { OptionName } from './options.ts';

/** `read` is called once for the rows and, when they are shown by name, once before for the addresses. */
export async function listConnections(
  read: () => Iterable<Connection>,
  given: ReadonlySet<OptionName>,
  host: Host,
): Promise<Iterable<string>> {
  const endpoint = given.has('numeric') ? numericEndpoint : await namedEndpoints(addressesOf(read()), host);
  return rows(read(), given, endpoint);
}

function* rows(
  connections: Iterable<Connection>,
  given: ReadonlySet<OptionName>,
  endpoint: EndpointFormat,
): Iterable<string> {
  yield `IPVS connection entries\n${titleOf(given)}\n`;
  const isWide = given.has('persistent-conn');
  for (const connection of connections) yield `${row(connection, endpoint, isWide)}\n`;
}

function titleOf(given: ReadonlySet<OptionName>): string {
  const title = `pro expire ${columns('state', 'source', 'virtual')}`;
  if (!given.has('persistent-conn')) return `${title} destination`;
  return `${title} ${'destination'.padEnd(18)} ${'pe name'.padEnd(16)} pe_data`;
}

function row(connection: Connection, endpoint: EndpointFormat, isWide: boolean): string {
  const { protocol, state, expiresInS, client, virtual, local, destination, engine } = connection;
  // Ports of a mark's template are of no protocol, so they have no names, and AH's and ESP's are none.
  const of: Protocol | undefined = protocol === 'ip' || protocol === 'esp' || protocol === 'ah' ? undefined : protocol;
  const text = ({ address, port }: { address: Address; port: number }) => endpoint(address, port, of);
  const head = `${protocolLabel(protocol).padEnd(3)} ${minutes(expiresInS).padEnd(6)}`;
  const line = `${head} ${columns(stateLabel(state), text(client), text(virtual))} ${text(destination).padEnd(isWide && engine ? 16 : 0)}`;
  // Not where the title has them.
  if (isWide && engine !== undefined) return `${line} ${engine.name.padEnd(18)} ${engine.data}`;
  // IPVS has no fullnat, so there is no column for the director's own end of it.
  return local === undefined ? line : `${line} local ${text(local)}`;
}

function columns(state: string, source: string, virtual: string): string {
  return `${state.padEnd(11)} ${source.padEnd(18)} ${virtual.padEnd(18)}`;
}

function minutes(seconds: number): string {
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
}

function* addressesOf(connections: Iterable<Connection>): Iterable<Address> {
  for (const { client, virtual, local, destination } of connections) {
    yield client.address;
    yield virtual.address;
    if (local !== undefined) yield local.address;
    yield destination.address;
  }
}
