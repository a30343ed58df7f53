// What this host knows by name: addresses, ports, and its own broadcast addresses. Nothing is loaded before it is asked.
import { readFileSync } from 'node:fs';
import { type Address, formatAddress, readAddress } from '../../model/address.ts';
import type { Protocol } from '../../model/service.ts';

export interface Host {
  /** The IPv4 address of a name, as gethostbyname finds it. */
  addressOf(name: string): Promise<Address | undefined>;
  /** The names of those addresses that have one, by formatted address. */
  namesOf(addresses: Iterable<Address>): Promise<ReadonlyMap<string, string>>;
  portOf(service: string, protocol: Protocol): number | undefined;
  serviceOf(port: number, protocol: Protocol): string | undefined;
  broadcasts(): Promise<readonly Address[]>;
  /** Those of its interfaces that are up, loopback included. */
  addresses(): Promise<readonly Address[]>;
  /** undefined: there is no such interface. */
  mtuOf(name: string): Promise<number | undefined>;
}

export function openHost(): Host {
  let services: Services | undefined;
  const known = () => {
    services ??= parseServices(readIfThere('/etc/services'));
    return services;
  };
  return {
    addressOf,
    namesOf,
    portOf: (service, protocol) => known().ports.get(`${service}/${protocol}`),
    serviceOf: (port, protocol) => known().names.get(`${port}/${protocol}`),
    broadcasts,
    addresses,
    mtuOf,
  };
}

export interface Services {
  /** `http/tcp` to 80, aliases included. */
  readonly ports: ReadonlyMap<string, number>;
  /** `80/tcp` to `http`. */
  readonly names: ReadonlyMap<string, string>;
}

/** Reads services(5); of two lines that claim one port or name the first counts. */
export function parseServices(text: string): Services {
  const ports = new Map<string, number>();
  const names = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [name, slot, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    const [, port, protocol] = /^([0-9]+)\/(\S+)$/.exec(slot ?? '') ?? [];
    if (name === undefined || port === undefined) continue;
    if (!names.has(`${port}/${protocol}`)) names.set(`${port}/${protocol}`, name);
    for (const spelling of [name, ...aliases]) {
      if (!ports.has(`${spelling}/${protocol}`)) ports.set(`${spelling}/${protocol}`, Number(port));
    }
  }
  return { ports, names };
}

/** The name of each address in hosts(5) that has one: the first that is given. */
export function parseHosts(text: string): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [written, name] = line.replace(/#.*/, '').trim().split(/\s+/);
    const address = written === undefined ? undefined : readAddress(written);
    if (address === undefined || name === undefined) continue;
    const key = formatAddress(address);
    if (!names.has(key)) names.set(key, name);
  }
  return names;
}

/** A host without the file knows no names, which is what getservbyname and gethostbyaddr make of it. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

async function addressOf(name: string): Promise<Address | undefined> {
  const { promises: dns } = process.getBuiltinModule('node:dns');
  try {
    return readAddress((await dns.lookup(name, { family: 4 })).address);
  } catch {
    return undefined;
  }
}

/** A listing waits this long for names altogether; what has none by then is shown by its number. */
const patienceMs = 2000;
const parallelLookups = 32;

async function namesOf(addresses: Iterable<Address>): Promise<ReadonlyMap<string, string>> {
  const names = new Map(parseHosts(readIfThere('/etc/hosts')));
  const unknown = new Set(Array.from(addresses, formatAddress).filter((address) => !names.has(address)));
  if (unknown.size === 0) return names;
  const { promises: dns } = process.getBuiltinModule('node:dns');
  const resolver = new dns.Resolver({ timeout: 1000, tries: 1 });
  const pending = unknown.values();
  const patience = setTimeout(() => resolver.cancel(), patienceMs);
  const deadline = Date.now() + patienceMs;
  const work = async () => {
    for (const address of pending) {
      if (Date.now() >= deadline) return;
      const [name] = await resolver.reverse(address).catch(() => []);
      if (name !== undefined) names.set(address, name);
    }
  };
  await Promise.all(Array.from({ length: parallelLookups }, work));
  clearTimeout(patience);
  return names;
}

async function addresses(): Promise<readonly Address[]> {
  return (await assignments()).map(({ own }) => own);
}

async function mtuOf(name: string): Promise<number | undefined> {
  const { interfaces } = await import('../../kernel/interfaces.ts');
  return interfaces().find((one) => one.name === name)?.mtu;
}

/** As the kernel's local table has them: the last address of each subnet that this host is in. */
async function broadcasts(): Promise<readonly Address[]> {
  return (await assignments()).flatMap(({ own, mask }) => {
    if (own.family !== 4 || (mask.bytes[3] ?? 0) > 252) return [];
    return [{ family: 4, bytes: own.bytes.map((byte, at) => byte | (~(mask.bytes[at] ?? 0) & 255)) } satisfies Address];
  });
}

async function assignments(): Promise<readonly { readonly own: Address; readonly mask: Address }[]> {
  const { networkInterfaces } = process.getBuiltinModule('node:os');
  return Object.values(networkInterfaces()).flatMap((assigned) =>
    (assigned ?? []).flatMap(({ address, netmask }) => {
      const [own, mask] = [readAddress(address), readAddress(netmask)];
      return own === undefined || mask === undefined ? [] : [{ own, mask }];
    }),
  );
}
