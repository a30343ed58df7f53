// Reads a frame strictly and on its own: what a packet is if everything in it holds, or what does not.
import { checksumOf, crc32c } from '../packets.ts';

export interface Facts {
  readonly family: 4 | 6;
  readonly tags: number;
  /** Where IP begins, and where its packet ends. */
  readonly l3: number;
  readonly end: number;
  readonly l4: number;
  readonly source: Buffer;
  readonly target: Buffer;
  readonly protocol: number;
  readonly ttl: number;
  /** 'later': without the transport's header. */
  readonly fragment: 'none' | 'first' | 'later';
}

export type Judgement = Facts | string;

const [TCP, UDP, ICMP, ICMP6, SCTP] = [6, 17, 1, 58, 132];
const [HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION] = [0, 43, 44, 60];
const least: Readonly<Record<number, number>> = { [TCP]: 20, [UDP]: 8, [SCTP]: 12, [ICMP]: 8, [ICMP6]: 8 };
const checksumAt: Readonly<Record<number, number>> = { [TCP]: 16, [UDP]: 6, [ICMP]: 2, [ICMP6]: 2 };

/** Facts, or why the packet must not be forwarded. */
export function judge(frame: Buffer): Judgement {
  let at = 12;
  let tags = 0;
  for (; at + 2 <= frame.length && [0x8100, 0x88a8].includes(frame.readUInt16BE(at)); at += 4) tags++;
  if (at + 2 > frame.length) return 'no type';
  const type = frame.readUInt16BE(at);
  if (type === 0x0800) return judgeFour(frame, at + 2, tags);
  return type === 0x86dd ? judgeSix(frame, at + 2, tags) : 'not IP';
}

function judgeFour(frame: Buffer, l3: number, tags: number): Judgement {
  if (l3 + 20 > frame.length) return 'IP header cut';
  const header = (frame.readUInt8(l3) & 0xf) * 4;
  if (frame.readUInt8(l3) >> 4 !== 4 || header < 20) return 'not an IPv4 header';
  const end = l3 + frame.readUInt16BE(l3 + 2);
  if (end > frame.length || end < l3 + header) return 'length';
  const options = judgeOptions(frame.subarray(l3 + 20, l3 + header));
  if (options !== undefined) return options;
  const bits = frame.readUInt16BE(l3 + 6);
  const protocol = frame.readUInt8(l3 + 9);
  const fragment = fragmentOf((bits & 0x1fff) !== 0, (bits & 0x2000) !== 0);
  const l4 = l3 + header;
  if (fragment !== 'later' && l4 + (least[protocol] ?? 0) > end) return 'transport header cut';
  const [source, target] = [frame.subarray(l3 + 12, l3 + 16), frame.subarray(l3 + 16, l3 + 20)];
  const facts = { tags, l3, end, l4, source, target, protocol, fragment } as const;
  return { ...facts, family: 4, ttl: frame.readUInt8(l3 + 8) };
}

function fragmentOf(hasOffset: boolean, hasMore: boolean): Facts['fragment'] {
  if (hasOffset) return 'later';
  return hasMore ? 'first' : 'none';
}

/** Options of IPv4: whole, and none that lays down a route. */
function judgeOptions(options: Buffer): string | undefined {
  for (let at = 0; at < options.length; ) {
    const kind = options.readUInt8(at);
    if (kind === 0) return undefined;
    if (kind === 1) {
      at++;
      continue;
    }
    if (at + 1 >= options.length) return 'option cut';
    const length = options.readUInt8(at + 1);
    if (length < 2 || at + length > options.length) return "an option's length";
    if (kind === 131 || kind === 137) return 'source route';
    if (kind === 148 && length < 4) return 'router alert cut';
    if ((kind === 7 || kind === 68) && !hasRoom(options.subarray(at, at + length))) return 'a record that is not sound';
    at += length;
  }
  return undefined;
}

/** Of a recorded route or timestamp: for what the next router enters, or for none, and it may still say so. */
function hasRoom(option: Buffer): boolean {
  const [kind, length, pointer = 0, flags = 0] = option;
  const isRoute = kind === 7;
  if (option.length < (isRoute ? 3 : 4) || pointer < (isRoute ? 4 : 5)) return false;
  const entry = isRoute || ![1, 3].includes(flags & 0xf) ? 4 : 8;
  if (pointer <= (length ?? 0)) return pointer + entry - 1 <= (length ?? 0);
  return isRoute || (flags & 0xf) === 3 || flags >> 4 < 15;
}

function judgeSix(frame: Buffer, l3: number, tags: number): Judgement {
  if (l3 + 40 > frame.length) return 'IPv6 header cut';
  if (frame.readUInt8(l3) >> 4 !== 6) return 'not an IPv6 header';
  const end = l3 + 40 + frame.readUInt16BE(l3 + 4);
  if (end > frame.length) return 'length';
  let protocol = frame.readUInt8(l3 + 6);
  let at = l3 + 40;
  let fragment: Facts['fragment'] = 'none';
  for (
    let headers = 0;
    fragment !== 'later' && [HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION].includes(protocol);
    headers++
  ) {
    if (at + 8 > end) return 'extension header cut';
    const length = protocol === FRAGMENT ? 8 : (frame.readUInt8(at + 1) + 1) * 8;
    if (at + length > end) return "an extension header's length";
    if (protocol === HOP_BY_HOP && headers > 0) return 'hop-by-hop options not first';
    if (protocol === ROUTING && frame.readUInt8(at + 3) > 0) return 'source route';
    if (protocol === HOP_BY_HOP) {
      const options = judgeSixOptions(frame.subarray(at + 2, at + length));
      if (options !== undefined) return options;
    }
    if (protocol === FRAGMENT) {
      const bits = frame.readUInt16BE(at + 2);
      fragment = fragmentOf((bits & 0xfff8) !== 0, (bits & 1) !== 0);
    }
    protocol = frame.readUInt8(at);
    at += length;
  }
  if (fragment !== 'later' && at + (least[protocol] ?? 0) > end) return 'transport header cut';
  const [source, target] = [frame.subarray(l3 + 8, l3 + 24), frame.subarray(l3 + 24, l3 + 40)];
  const facts = { tags, l3, end, l4: at, source, target, protocol, fragment } as const;
  return { ...facts, family: 6, ttl: frame.readUInt8(l3 + 7) };
}

function judgeSixOptions(options: Buffer): string | undefined {
  for (let at = 0; at < options.length; ) {
    const kind = options.readUInt8(at);
    if (kind === 0) {
      at++;
      continue;
    }
    if (at + 1 >= options.length) return 'option cut';
    const length = options.readUInt8(at + 1) + 2;
    if (at + length > options.length) return "an option's length";
    if (kind >> 6 !== 0) return 'an option that must be known';
    at += length;
  }
  return undefined;
}

/** Of the header's sum: 0 when it is right. What it is, forwarding keeps. */
export function headerResidue(frame: Buffer, { family, l3, l4 }: Facts): number {
  return family === 6 ? 0 : checksumOf(frame.subarray(l3, l4)) % 0xffff;
}

/** Of layer 4: undefined where there is none to be judged. */
export function transportResidue(frame: Buffer, facts: Facts): number | undefined {
  const { family, l4, end, protocol, fragment } = facts;
  const body = frame.subarray(l4, end);
  if (fragment !== 'none') return undefined;
  if (protocol === SCTP) return (body.readUInt32LE(8) ^ sctpSum(body)) >>> 0;
  const at = checksumAt[protocol];
  if (at === undefined || (protocol === UDP && body.readUInt16BE(at) === 0)) return undefined;
  if (protocol === ICMP) return checksumOf(body) % 0xffff;
  if (family === 4 && protocol === ICMP6) return undefined;
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(body.length, 0);
  tail.writeUInt32BE(protocol, 4);
  return checksumOf(Buffer.concat([facts.source, facts.target, tail, body])) % 0xffff;
}

function sctpSum(body: Buffer): number {
  const bare = Buffer.from(body);
  bare.writeUInt32LE(0, 8);
  return crc32c(bare);
}
