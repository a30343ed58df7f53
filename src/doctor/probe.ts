// Proves the path to each real server by packets: dressed as those of clients leave the director, and answered or not.
import type { Sighting, Wire } from '../kernel/wire.ts';
import { formatAddress, parseAddress } from '../model/address.ts';
import type { InstalledDestination, InstalledService } from '../model/director.ts';
import { ipip, type TunnelEnd } from '../realserver/tunnel.ts';
import { type Answer, type Ends, ipFrame, parseMac, readAnswer, tcp, wrapped } from './frames.ts';
import { readHolder, whoHasFrame } from './neighbours.ts';
import type { Network, Way } from './network.ts';

export interface Finding {
  readonly service: InstalledService;
  readonly destination: InstalledDestination;
  readonly vip: string;
  readonly rip: string;
  readonly way: Way | undefined;
  /** Of the real server, or of the gateway towards it; undefined: nobody said that it has the address. */
  readonly mac: string | undefined;
  /** To the RIP itself. */
  readonly direct: Outcome;
  /** gate and tunnel: to what clients' packets become, but asked by the director's own address. */
  readonly dressed: Outcome;
  /** The same, asked by an address far away: whether the answer to it came to this machine. */
  readonly outsider: Outcome;
}

/** What came back: a connection, a refusal (which proves the path as well), an ICMP error, or nothing. */
export type Outcome = 'accepted' | 'refused' | 'unreachable' | 'silent' | 'not-asked';

/** For measurements, so nobody's: RFC 2544 and RFC 5180. */
export const outsiders = { 4: '198.18.0.1', 6: '2001:2::1' } as const;
const patienceMs = 900;
/** A lost packet is sent again. */
const againMs = 350;
const firstPort = 61_000;

export async function examineDestinations(
  services: readonly InstalledService[],
  network: Network,
  wire: Wire,
): Promise<readonly Finding[]> {
  const wanted = services.flatMap((service) =>
    service.destinations.filter(({ weight }) => weight > 0).map((destination) => ({ service, destination })),
  );
  return Promise.all(wanted.map((one, index) => examine(one, index, network, wire)));
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

async function examine(
  { service, destination }: Pick<Finding, 'service' | 'destination'>,
  index: number,
  network: Network,
  wire: Wire,
): Promise<Finding> {
  const { identity } = service;
  const rip = formatAddress(destination.rip);
  const vip = identity.kind === 'address' ? formatAddress(identity.vip) : '';
  const way = network.wayTo(rip);
  const common = { service, destination, vip, rip, way };
  const unasked = { direct: 'not-asked', dressed: 'not-asked', outsider: 'not-asked' } as const;
  if (way === undefined || way.interface.linkType !== 'ether') return { ...common, mac: undefined, ...unasked };
  const [mac] = await whoHas(way.gateway ?? rip, way, wire, { isOne: true });
  if (mac === undefined || identity.kind !== 'address' || identity.protocol === 'sctp')
    return { ...common, mac, ...unasked };
  const dip = [...parseAddress(way.source).bytes];
  const port = destination.port === 0 ? identity.port : destination.port;
  const knock = (source: readonly number[], isDressed: boolean, turn: number): Promise<Outcome> =>
    ask(
      { common, mac, way, wire, isDressed },
      {
        source,
        sourcePort: firstPort + ((index * 3 + turn) % 4000),
        target: isDressed ? [...identity.vip.bytes] : [...destination.rip.bytes],
        targetPort: port,
      },
    );
  const isDressed = destination.method === 'gate' || destination.method === 'tunnel';
  // What clients' packets become is asked for by an address of this director, which it has of one family here.
  const isSameFamily = identity.vip.family === destination.rip.family;
  const outsider = [...parseAddress(outsiders[identity.vip.family]).bytes];
  const [direct, dressed, outside] = await Promise.all([
    knock(dip, false, 0),
    isDressed && isSameFamily ? knock(dip, true, 1) : unasked.dressed,
    destination.method !== 'fullnat' && isSameFamily ? knock(outsider, isDressed, 2) : unasked.outsider,
  ]);
  return { ...common, mac, direct, dressed, outsider: outside };
}

interface Knock {
  readonly common: Pick<Finding, 'destination' | 'rip'>;
  readonly mac: string;
  readonly way: Way;
  readonly wire: Wire;
  readonly isDressed: boolean;
}

async function ask(knock: Knock, ends: Ends): Promise<Outcome> {
  const { way, wire, mac } = knock;
  const sequence = Math.floor(Math.random() * 2 ** 32);
  const answers = await asking(
    wire,
    way.interface.index,
    frameOf(knock, tcp(ends, sequence, false)),
    ({ frame }) => outcomeOf(readAnswer(frame), ends, knock, mac),
    { isOne: true },
  );
  // Whatever came of it, nothing of it shall stay.
  wire.send(way.interface.index, frameOf(knock, tcp(ends, sequence, true)));
  return answers[0] ?? 'silent';
}

function frameOf({ common, mac, way, isDressed }: Knock, packet: Buffer): Buffer {
  const { destination } = common;
  const isWrapped = isDressed && destination.method === 'tunnel';
  const dip = [...parseAddress(way.source).bytes];
  const whole = isWrapped ? wrapped(tunnelOf(destination), dip, [...destination.rip.bytes], packet) : packet;
  return ipFrame(parseMac(mac), parseMac(way.interface.mac), whole);
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
  if (answer?.kind !== 'unreachable' || isOutsider(ends.source)) return undefined;
  const target =
    knock.isDressed && knock.common.destination.method === 'tunnel' ? knock.common.destination.rip.bytes : ends.target;
  return isSame(answer.source, knock.common.destination.rip.bytes) && isSame(answer.target, target)
    ? 'unreachable'
    : undefined;
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
