// Proves the path to each real server by packets: dressed as those of clients leave the director, and answered or not.
import type { Wire } from '../kernel/wire.ts';
import { type Address, formatAddress, parseAddress } from '../model/address.ts';
import type { InstalledDestination, InstalledService } from '../model/director.ts';
import { outsiders, type System } from '../realserver/system.ts';
import { ask, type Outcome, portBy, randomPort, whoHas } from './knock.ts';
import type { Network, Way } from './network.ts';

export interface Finding {
  readonly service: InstalledService;
  readonly destination: InstalledDestination;
  readonly vip: string;
  readonly rip: string;
  readonly way: Way | undefined;
  /** Of the real server, or of the gateway towards it, as packets go there; undefined: nobody knows. */
  readonly mac: string | undefined;
  /** Who said, asked, that it has the address. */
  readonly answeredMac: string | undefined;
  /** To the RIP itself. */
  readonly direct: Outcome;
  /** gate and tunnel: to what clients' packets become, but asked by the director's own address. */
  readonly dressed: Outcome;
  /** The same, asked by an address far away: whether the answer to it came to this machine. */
  readonly outsider: Outcome;
  /** By fullnat, the service's own address by which it was asked: `way.source` is answered, and this one is not. */
  readonly lostLocal: string | undefined;
  /** By gate or tunnel, to the RIP at the other port that was asked for. */
  readonly mapped: Outcome;
}

/** Of a service of all ports it can't be known which one a real server has: a refusal proves the path as well. */
export const anyPort = 80;
/** More would fill queues on the way, and what is lost there would be taken for silence. */
const atOnce = 48;

/** What a probe is made of: where these are the same one answer tells of all. */
interface Probed {
  readonly way: Way | undefined;
  readonly mac: string | undefined;
  readonly answeredMac: string | undefined;
  readonly direct: Outcome;
  readonly dressed: Outcome;
  readonly outsider: Outcome;
  readonly lostLocal: string | undefined;
  readonly mapped: Outcome;
}

export async function examineDestinations(
  services: readonly InstalledService[],
  network: Network,
  { addresses }: Pick<System, 'addresses'>,
  wire: Wire,
): Promise<readonly Finding[]> {
  const wanted = services.flatMap((service) =>
    service.destinations.filter(({ weight }) => weight > 0).map((destination) => ({ service, destination })),
  );
  const vips = services.flatMap(({ identity }) => (identity.kind === 'address' ? [formatAddress(identity.vip)] : []));
  const prober = new Prober(network, addresses, new Set(vips), wire);
  const found = new Map<string, Promise<Probed>>();
  let next = 0;
  const findings: Finding[] = [];
  const work = async (): Promise<void> => {
    for (let index = next++; index < wanted.length; index = next++) {
      const one = wanted[index];
      if (one === undefined) return;
      const key = probeKey(one);
      const probed = once(found, key, () => prober.probe(one));
      const { identity } = one.service;
      const vip = identity.kind === 'address' ? formatAddress(identity.vip) : '';
      findings[index] = { ...one, vip, rip: formatAddress(one.destination.rip), ...(await probed) };
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return findings;
}

function probeKey({ service, destination }: Pick<Finding, 'service' | 'destination'>): string {
  const { identity, localAddresses } = service;
  const { rip, port, method, tunnel } = destination;
  const asked = identity.kind === 'address' ? [identity.protocol, formatAddress(identity.vip), identity.port] : [];
  const locals = method === 'fullnat' ? localAddresses.map(formatAddress) : [];
  return [formatAddress(rip), port, method, JSON.stringify(tunnel), ...asked, ...locals].join(' ');
}

const unasked = {
  direct: 'not-asked',
  dressed: 'not-asked',
  outsider: 'not-asked',
  mapped: 'not-asked',
  lostLocal: undefined,
} as const;

class Prober {
  readonly #network: Network;
  readonly #addresses: System['addresses'];
  readonly #vips: ReadonlySet<string>;
  readonly #wire: Wire;
  readonly #macs = new Map<string, Promise<string | undefined>>();
  /** Where it is well it takes its whole time; and it is about the real server's gateway, whichever port. */
  readonly #outsiders = new Map<string, Promise<Outcome>>();
  // Of a run before, something may be left on the real server that a port of its own does not meet.
  #turn = Math.floor(Math.random() * 2 ** 16);

  constructor(network: Network, addresses: System['addresses'], vips: ReadonlySet<string>, wire: Wire) {
    this.#network = network;
    this.#addresses = addresses;
    this.#vips = vips;
    this.#wire = wire;
  }

  async probe({ service, destination }: Pick<Finding, 'service' | 'destination'>): Promise<Probed> {
    const { identity } = service;
    const rip = formatAddress(destination.rip);
    const way = this.#wayTo(destination.rip, rip);
    if (way === undefined || way.interface.linkType !== 'ether' || !way.interface.isUp)
      return { way, mac: undefined, answeredMac: undefined, ...unasked };
    const next = way.gateway ?? rip;
    const answeredMac = await this.#macOf(next, way);
    const mac = this.#network.permanentMac(next, way.interface.name) ?? answeredMac;
    const asked = identity.kind === 'address' ? identity : undefined;
    if (mac === undefined || asked?.protocol === 'sctp') return { way, mac, answeredMac, ...unasked };
    const dip = [...parseAddress(way.source).bytes];
    const targetPort = destination.port || asked?.port || anyPort;
    const knock = (source: readonly number[], vip?: Address, port = targetPort): Promise<Outcome> =>
      ask(
        { destination, mac, way, wire: this.#wire, isDressed: vip !== undefined },
        {
          source,
          sourcePort: portBy(this.#turn++),
          target: [...(vip ?? destination.rip).bytes],
          targetPort: port,
        },
      );
    // Of a service by mark it is not known which VIPs its clients ask.
    const vip = destination.method === 'gate' || destination.method === 'tunnel' ? asked?.vip : undefined;
    // What clients' packets become is asked for by an address of this director, which it has of one family here.
    const { family } = destination.rip;
    const isDressed = vip !== undefined && vip.family === family;
    const isAnswered =
      isDressed || (destination.method === 'masq' && (asked === undefined || asked.vip.family === family));
    const outsider = [...parseAddress(outsiders[family]).bytes];
    const local = destination.method === 'fullnat' ? this.#localOf(service.localAddresses, family) : undefined;
    const { askedPort } = destination;
    const [direct, byLocal, dressed, mapped, outside] = await Promise.all([
      knock(dip),
      local === undefined ? undefined : knock([...local.bytes]),
      isDressed ? knock(dip, vip) : unasked.dressed,
      isDressed && askedPort !== undefined && askedPort !== asked?.port
        ? knock(dip, undefined, askedPort)
        : unasked.mapped,
      isAnswered
        ? once(this.#outsiders, `${rip} ${destination.method} ${JSON.stringify(destination.tunnel)}`, () =>
            knock(outsider, vip),
          )
        : unasked.outsider,
    ]);
    const isLost = byLocal === 'silent' && (direct === 'accepted' || direct === 'refused');
    const lostLocal = isLost && local !== undefined ? formatAddress(local) : undefined;
    return { way, mac, answeredMac, direct: byLocal ?? direct, dressed, mapped, outsider: outside, lostLocal };
  }

  #localOf(addresses: readonly Address[], family: Address['family']): Address | undefined {
    return addresses.find((one) => one.family === family && this.#network.isOwn(formatAddress(one)));
  }

  /** Real servers have the VIP themselves, or answer to it by the client's way: it is no address to ask them from. */
  #wayTo({ family }: Address, rip: string): Way | undefined {
    const way = this.#network.wayTo(rip);
    if (way === undefined || !this.#vips.has(way.source)) return way;
    const own = this.#addresses.find(
      (one) =>
        one.interface === way.interface.name &&
        one.isGlobal &&
        one.address.includes(':') === (family === 6) &&
        !this.#vips.has(one.address),
    );
    return own === undefined ? way : { ...way, source: own.address };
  }

  #macOf(address: string, way: Way): Promise<string | undefined> {
    return once(this.#macs, `${way.interface.name} ${address}`, async () => {
      const [mac] = await whoHas(address, way, this.#wire, { isOne: true });
      return mac;
    });
  }
}

function once<T>(known: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const asked = known.get(key) ?? ask();
  known.set(key, asked);
  return asked;
}

/** The service's own SYN for one destination, made as large as that, as clients' packets go there. */
export function knockAtSize(
  { service, destination, way, mac }: Finding,
  size: number,
  wire: Wire,
): Promise<Outcome> | undefined {
  const { identity } = service;
  if (way === undefined || mac === undefined || identity.kind !== 'address') return undefined;
  const ends = {
    source: [...parseAddress(way.source).bytes],
    sourcePort: randomPort(),
    target: [...identity.vip.bytes],
    targetPort: identity.port || anyPort,
  };
  return ask({ destination, mac, way, wire, isDressed: true, size }, ends);
}
