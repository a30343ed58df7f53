// fullnat needs a port of its own for each connection to a real server's port.
import { formatAddress, formatEndpoint } from '../../model/address.ts';
import type { Connection, InstalledService } from '../../model/director.ts';
import type { Problem } from '../problem.ts';
import { serviceOption, type Ward } from '../ward.ts';

const nearly = 0.9;

/** The ports towards one real server's port that a service's connections may have. */
interface Supply {
  readonly service: InstalledService;
  readonly server: string;
  /** Local addresses: the service's own, or those that the director's ways have given. */
  readonly addresses: ReadonlySet<string>;
}

export function localPorts({ director }: Ward): readonly Problem[] {
  if (director === undefined || director.status.localPorts <= 0) return [];
  const { connections, services, status } = director;
  const ofFullnat = connections.filter(({ local, method }) => local !== undefined && method === 'fullnat');
  const used = new Map<string, number>();
  const supplies = new Map<string, Supply>();
  for (const one of ofFullnat) {
    const key = `${serverOf(one)} ${localOf(one)}`;
    used.set(key, (used.get(key) ?? 0) + 1);
    const service = services.find((candidate) => isOf(candidate, one));
    if (service === undefined) continue;
    const name = `${serviceOption(service)} ${serverOf(one)}`;
    const own = service.localAddresses.filter(({ family }) => family === one.destination.address.family);
    const known = supplies.get(name)?.addresses ?? own.map(formatAddress);
    const addresses = new Set(own.length > 0 ? known : [...known, localOf(one)]);
    supplies.set(name, { service, server: serverOf(one), addresses });
  }
  return [...supplies.values()].flatMap((supply) => {
    const taken = [...supply.addresses].reduce((sum, one) => sum + (used.get(`${supply.server} ${one}`) ?? 0), 0);
    return taken < supply.addresses.size * status.localPorts * nearly
      ? []
      : [toProblem(supply, taken, status.localPorts)];
  });
}

function isOf({ identity }: InstalledService, { protocol, virtual }: Connection): boolean {
  return (
    identity.kind === 'address' &&
    identity.protocol === protocol &&
    identity.port === virtual.port &&
    formatAddress(identity.vip) === formatAddress(virtual.address)
  );
}

function serverOf({ protocol, destination: { address, port } }: Connection): string {
  return `${protocol} ${formatEndpoint(address, port)}`;
}

function localOf({ local }: Connection): string {
  return local === undefined ? '' : formatAddress(local.address);
}

function toProblem({ service, server, addresses }: Supply, taken: number, each: number): Problem {
  const [name, own] = [serviceOption(service), service.localAddresses.map(formatAddress)];
  const vip = service.identity.kind === 'address' ? formatAddress(service.identity.vip) : undefined;
  // One of another family is of no use towards this real server.
  const isOfUse =
    vip !== undefined && !addresses.has(vip) && [...addresses].some((one) => one.includes(':') === vip.includes(':'));
  const more = [...addresses, isOfUse ? vip : 'ADDRESS'].filter((one) => !own.includes(one));
  return {
    id: 'local-ports',
    wrong: `the local ports of ${[...addresses].join(' and ')} towards ${server} are nearly used up`,
    why: 'fullnat: a connection without a port of its own can not be told from another, and is dropped (no-local-port)',
    evidence: `${taken} connections, ${each} ports an address`,
    mend: { command: more.map((one) => `ipvsadm --add-laddr -z ${one} ${name}`).join(' && '), isSafe: false },
  };
}
