// One question to a neighbour: a SYN made as clients' packets leave the director, or who has an address; and what comes of it.
import type { Sighting, Wire } from '../kernel/wire.ts';
import { parseAddress } from '../model/address.ts';
import type { InstalledDestination } from '../model/director.ts';
import { outsiders } from '../realserver/system.ts';
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
import type { Way } from './network.ts';

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

/** No port of a client's that is likely to be in use. */
export function randomPort(): number {
  return portBy(Math.floor(Math.random() * ports));
}

/** Another for each of some thousands in turn. */
export function portBy(turn: number): number {
  return firstPort + (turn % ports);
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

export interface Knock {
  readonly destination: InstalledDestination;
  readonly mac: string;
  readonly way: Way;
  readonly wire: Wire;
  readonly isDressed: boolean;
  /** In bytes, of the IP packet as it leaves; as few as it takes if not given. */
  readonly size?: number;
}

export async function ask(
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
export async function asking<T>(
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

export function isSame(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
