// Proves the path to each real server by packets: dressed as those of clients leave the director, and answered or not.
import type { Sighting, Wire } from '../kernel/wire.ts';
import { type Address, formatAddress, parseAddress } from '../model/address.ts';
import type { InstalledDestination, InstalledService } from '../model/director.ts';
import { outsiders, type System } from '../realserver/system.ts';
import { ipip, type TunnelEnd } from '../realserver/tunnel.ts';
import {
  type Answer,
  type Ends,
  type IcmpError,
  ipFrame,
  parseMac,
  protocolOf,
  readAnswer,
  tcp,
  tcpProtocol,
  wrapped,
} from './frames.ts';
import { readHolder, whoHasFrame } from './neighbours.ts';
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

/**
 * What came back: a connection, a refusal (which proves the path as well), an ICMP error (nobody has a use for it, it is not let
 * through, it is too big), or nothing.
 */
export type Outcome = 'accepted' | 'refused' | 'unreachable' | 'prohibited' | 'too-big' | 'silent' | 'not-asked';

const patienceMs = 900;
/** A lost packet is sent again. */
const againMs = 350;
const firstPort = 61_000;
const ports = 4_000;
/** Of a service of all ports it can't be known which one a real server has: a refusal proves the path as well. */
const anyPort = 80;
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

/** Each who tells, on this interface, that it has the address. */
export async function whoHas(
  address: string,
  { interface: one, source }: Pick<Way, 'interface' | 'source'>,
  wire: Wire,
  options: { readonly isOne?: boolean } = {},
): Promise<readonly string[]> {
  const target = [...parseAddress(address).bytes];
  const request = whoHasFrame(parseMac(one.mac), [...parseAddress(source).bytes], target);
  const read = ({ ifindex, frame }: Sighting): string | undefined => {
    const reply = ifindex === one.index ? readHolder(frame) : undefined;
    return reply !== undefined && isSame(reply.address, target) ? reply.mac : undefined;
  };
  const macs = await asking(wire, one.index, request, read, options);
  return [...new Set(macs)];
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
  #turn = Math.floor(Math.random() * ports);

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
          sourcePort: firstPort + (this.#turn++ % ports),
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

interface Knock {
  readonly destination: InstalledDestination;
  readonly mac: string;
  readonly way: Way;
  readonly wire: Wire;
  readonly isDressed: boolean;
  /** In bytes, of the IP packet as it leaves; as few as it takes if not given. */
  readonly size?: number;
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
    sourcePort: firstPort + Math.floor(Math.random() * ports),
    target: [...identity.vip.bytes],
    targetPort: identity.port || anyPort,
  };
  return ask({ destination, mac, way, wire, isDressed: true, size }, ends);
}

/**
 * The service's own SYN for one destination in the name of a client. By masq the answer comes here. By gate and tunnel it goes to the
 * client, which began nothing and says so to the VIP: then its packets came here, and answers reach it. Who is behind a firewall that
 * knows its connections stays silent. `awaited`: the answer itself, wherever it should go, and not what the client says.
 */
export function knockAs(
  { service: { identity }, destination, way, mac }: Finding,
  client: Address,
  wire: Wire,
  { awaited = destination.method === 'masq' ? 'answer' : 'denial' }: { readonly awaited?: 'answer' | 'denial' } = {},
): Promise<Outcome> | undefined {
  if (way === undefined || mac === undefined || identity.kind !== 'address') return undefined;
  const isDressed = destination.method !== 'masq';
  const ends = {
    source: [...client.bytes],
    sourcePort: firstPort + Math.floor(Math.random() * ports),
    target: isDressed ? [...identity.vip.bytes] : [...destination.rip.bytes],
    targetPort: (isDressed ? 0 : destination.port) || identity.port || anyPort,
  };
  const knock = { destination, mac, way, wire, isDressed };
  return awaited === 'denial' ? ask(knock, ends, (answer) => denialOf(answer, ends)) : ask(knock, ends);
}

/**
 * Does a client refuse an answer from the VIP that it did not ask for? Then the way from this director to it is well, and the way back.
 * `mac`: of the next hop to it.
 */
export async function isReached(
  { service: { identity } }: Finding,
  client: Address,
  { interface: one }: Pick<Way, 'interface'>,
  mac: string,
  wire: Wire,
): Promise<boolean> {
  if (identity.kind !== 'address') return true;
  const ends = {
    source: [...identity.vip.bytes],
    sourcePort: identity.port || anyPort,
    target: [...client.bytes],
    targetPort: firstPort + Math.floor(Math.random() * ports),
  };
  const segment = tcp(ends, Math.floor(Math.random() * 2 ** 32), { isAnswer: true });
  const back = { source: ends.target, sourcePort: ends.targetPort, target: ends.source, targetPort: ends.sourcePort };
  const frame = ipFrame(parseMac(mac), parseMac(one.mac), segment);
  const denials = await asking(wire, one.index, frame, (sighting) => denialOf(readAnswer(sighting.frame), back), {
    isOne: true,
  });
  return denials.length > 0;
}

/** A client's refusal of a connection that it did not ask for. */
function denialOf(answer: Answer | undefined, ends: Ends): Outcome | undefined {
  if (answer?.kind !== 'tcp' || !answer.isReset) return undefined;
  const isOurs =
    isSame(answer.ends.source, ends.source) &&
    isSame(answer.ends.target, ends.target) &&
    answer.ends.sourcePort === ends.sourcePort &&
    answer.ends.targetPort === ends.targetPort;
  return isOurs ? 'refused' : undefined;
}

async function ask(
  knock: Knock,
  ends: Ends,
  read = (answer: Answer | undefined) => outcomeOf(answer, ends, knock, knock.mac),
): Promise<Outcome> {
  const { way, wire } = knock;
  const sequence = Math.floor(Math.random() * 2 ** 32);
  const answers = await asking(
    wire,
    way.interface.index,
    frameOf(knock, (payload) => tcp(ends, sequence, { payload })),
    ({ frame }) => read(readAnswer(frame)),
    { isOne: true },
  );
  // Whatever came of it, nothing of it shall stay.
  wire.send(
    way.interface.index,
    frameOf({ ...knock, size: 0 }, () => tcp(ends, sequence, { isReset: true })),
  );
  return answers[0] ?? 'silent';
}

function frameOf({ destination, mac, way, isDressed, size = 0 }: Knock, packet: (payload: number) => Buffer): Buffer {
  const isWrapped = isDressed && destination.method === 'tunnel';
  const dip = [...parseAddress(way.source).bytes];
  const whole = (payload: number): Buffer =>
    isWrapped ? wrapped(tunnelOf(destination), dip, [...destination.rip.bytes], packet(payload)) : packet(payload);
  const payload = Math.max(0, size - whole(0).length);
  return ipFrame(parseMac(mac), parseMac(way.interface.mac), whole(payload));
}

function outcomeOf(answer: Answer | undefined, ends: Ends, knock: Knock, mac: string): Outcome | undefined {
  if (answer?.kind === 'tcp') {
    const isOurs =
      isSame(answer.ends.source, ends.target) &&
      isSame(answer.ends.target, ends.source) &&
      answer.ends.sourcePort === ends.targetPort &&
      answer.ends.targetPort === ends.sourcePort;
    // To an address far away it comes here only from the real server itself, for which we are the gateway.
    const isHere = !isOutsider(ends.source) || knock.way.gateway !== undefined || answer.mac === mac;
    if (!isOurs || !isHere) return undefined;
    return answer.isReset ? 'refused' : 'accepted';
  }
  if (answer === undefined || answer.kind === 'echo' || answer.kind === 'expired') return undefined;
  if (isOutsider(ends.source)) return undefined;
  return isAbout(answer, ends, knock) ? answer.kind : undefined;
}

/** Several kinds of tunnels, and other packets of this machine's, may be on their way there: an error tells which it is about. */
function isAbout(
  { kind, source, target, protocol, port }: IcmpError,
  ends: Ends,
  { destination, isDressed }: Knock,
): boolean {
  const { rip, tunnel } = destination;
  // A router may tell that it lets nothing through, or nothing as large; who has no use for a packet tells that himself.
  if (kind === 'unreachable' && !isSame(source, rip.bytes) && !isSame(source, ends.target)) return false;
  if (!isDressed || destination.method !== 'tunnel')
    return isSame(target, ends.target) && protocol === tcpProtocol && port === ends.targetPort;
  const isOfSix = ends.target.length === 16;
  const isPort = tunnel?.type !== 'gue' || port === tunnel.port;
  return isSame(target, rip.bytes) && protocol === protocolOf(tunnelOf(destination), isOfSix) && isPort;
}

/** Sends a frame, twice if need be, and collects what comes of it. */
async function asking<T>(
  wire: Wire,
  ifindex: number,
  frame: Buffer,
  read: Parameters<typeof wire.collect<T>>[0],
  options: { readonly isOne?: boolean } = {},
): Promise<readonly T[]> {
  const collected = wire.collect(read, patienceMs, options);
  wire.send(ifindex, frame);
  const again = setTimeout(() => wire.send(ifindex, frame), againMs);
  try {
    return await collected;
  } finally {
    clearTimeout(again);
  }
}

function isOutsider(address: readonly number[]): boolean {
  return Object.values(outsiders).some((one) => isSame(parseAddress(one).bytes, address));
}

function tunnelOf({ tunnel }: InstalledDestination): TunnelEnd {
  return tunnel ?? ipip;
}

function isSame(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
