// What must hold of every packet, whatever it was: told in words where it does not.
import { parseAddress } from '../../src/model/address.ts';
import type { Answer } from '../kernel/stage.ts';
import { checksumOf } from '../packets.ts';
import { type Facts, headerResidue, judge, transportResidue } from './judge.ts';
import { families, ftp, ftpServer, guePort } from './scene.ts';

const [ICMP, ICMP6, IPIP, IPV6, GRE, TCP, UDP] = [1, 58, 4, 41, 47, 6, 17];
const TCP_HEADER = 20;
const UDP_HEADER = 8;
/** No way is narrower, with its tunnel's header: routers are heard down to 552 bytes. */
const LARGE = 500;
const GUE_HEADER = 4;
/** Where a packet's TTL, header checksum and addresses are, from IP's header on. */
const fields = {
  4: { ttl: 8, checksum: [10, 12], source: [12, 16], target: [16, 20] },
  6: { ttl: 7, checksum: [0, 0], source: [8, 24], target: [24, 40] },
} as const;
/** Of TCP, UDP, SCTP and ICMP: from layer 4 on. */
const checksums: Readonly<Record<number, readonly [number, number]>> = {
  6: [16, 18],
  17: [6, 8],
  132: [8, 12],
  [ICMP]: [2, 4],
  [ICMP6]: [2, 4],
};

const bytesOf = (address: string): string => Buffer.from(parseAddress(address).bytes).toString('hex');
const realServers = new Set(
  ([4, 6] as const).flatMap((family) => [1, 2, 3, 4, 9].map((number) => bytesOf(families[family].rip(number)))),
);
const vips = new Set(
  Object.values(families).flatMap(({ vip, anyPort, marked }) => [vip, anyPort, marked].map(bytesOf)),
);
const locals = new Set(([4, 6] as const).map((family) => bytesOf(families[family].local)));

/** undefined when all is well. `cutsAll`: tunnels take in pieces what must not be fragmented, for pmtu_disc is 0. */
export function check(sent: Buffer, { verdict, packet }: Answer, cutsAll: boolean): string | undefined {
  if (verdict === 'aborted') return 'the program was aborted';
  if (verdict === 'drop') return undefined;
  if (verdict === 'pass')
    return isPassed(sent, packet, cutsAll) ? undefined : 'a packet that is passed on is not as it was';
  const facts = judge(sent);
  if (typeof facts === 'string') return `sent on although: ${facts}`;
  if (facts.fragment === 'later' && isPutBack(sent, facts, packet)) return undefined;
  const becomes = judge(packet);
  if (typeof becomes === 'string') return `what leaves is malformed: ${becomes}`;
  if (becomes.tags > 0) return 'what leaves has a tag';
  const changed =
    pieceOf(sent, facts, packet, becomes, cutsAll) ??
    toldOf(sent, facts, packet, becomes) ??
    retoldOf(sent, facts, packet, becomes);
  if (changed === undefined) return checkSent(sent, facts, packet, becomes);
  const own = judge(changed);
  return typeof own === 'string' ? `cut or lengthened although: ${own}` : checkSent(changed, own, packet, becomes);
}

/** As it was, or the first piece of it: the kernel puts it together with the rest, which comes again. */
function isPassed(sent: Buffer, packet: Buffer, cutsAll: boolean): boolean {
  if (packet.equals(sent)) return true;
  const [facts, becomes] = [judge(sent), judge(packet)];
  if (typeof facts === 'string' || typeof becomes === 'string') return false;
  const piece = pieceOf(sent, facts, packet, becomes, cutsAll);
  // At TC the outermost tag is beside the packet, and what is cut has none.
  const bare = piece && Buffer.concat([piece.subarray(0, 12), piece.subarray(facts.l3 - 2)]);
  return [piece, bare].some((one) => one?.equals(packet) === true);
}

function withoutTag(frame: Buffer, { tags }: Facts): Buffer {
  return tags === 0 ? frame : Buffer.concat([frame.subarray(0, 12), frame.subarray(16)]);
}

/**
 * The first piece of what was sent, where that is what leaves, as it is or in a tunnel: it was too large for its way, and may be
 * fragmented.
 */
function pieceOf(sent: Buffer, facts: Facts, packet: Buffer, becomes: Facts, cutsAll: boolean): Buffer | undefined {
  const [DONT, MORE] = [0x4000, 0x2000];
  if (facts.family !== 4 || facts.end - facts.l3 < LARGE) return undefined;
  const mayBeCut = (sent.readUInt16BE(facts.l3 + 6) & DONT) === 0;
  const place = (sent.readUInt16BE(facts.l3 + 6) & 0x1fff) | MORE;
  const [GRE_SUM, GUE] = [8, UDP_HEADER + GUE_HEADER];
  if (!mayBeCut && !cutsAll) return undefined;
  const at = [becomes.l3, becomes.l4, becomes.l4 + 4, becomes.l4 + GRE_SUM, becomes.l4 + GUE].find(
    (start) =>
      packet.readUInt8(start) === sent.readUInt8(facts.l3) &&
      packet.readUInt16BE(start + 6) === place &&
      start + packet.readUInt16BE(start + 2) === becomes.end,
  );
  if (at === undefined || becomes.end - at >= facts.end - facts.l3) return undefined;
  const piece = Buffer.from(sent.subarray(0, facts.l3 + becomes.end - at));
  const residue = headerResidue(sent, facts);
  piece.writeUInt16BE(becomes.end - at, facts.l3 + 2);
  piece.writeUInt16BE(place, facts.l3 + 6);
  // An identification of its own where there was none that counts.
  if (!mayBeCut) piece.writeUInt16BE(packet.readUInt16BE(at + 4), facts.l3 + 4);
  piece.writeUInt16BE(0, facts.l3 + 10);
  piece.writeUInt16BE(checksumFor(residue, headerResidue(piece, facts)), facts.l3 + 10);
  return piece;
}

/** What a checksum must be, so that a wrong one stays as wrong: `without` is the residue with 0 in its place. */
function checksumFor(residue: number, without: number): number {
  const sum = without + (~residue & 0xffff);
  return (sum & 0xffff) + (sum >> 16);
}

/** With the option that tells a real server the client (TOA), where that is what leaves: in a packet of fullnat's without payload. */
function toldOf(sent: Buffer, facts: Facts, packet: Buffer, becomes: Facts): Buffer | undefined {
  const option = Buffer.concat([
    Buffer.from([254, 4 + facts.source.length]),
    sent.subarray(facts.l4, facts.l4 + 2),
    facts.source,
  ]);
  const [at, length] = [facts.l4 + TCP_HEADER, facts.end - facts.l3 + option.length];
  if (facts.protocol !== TCP || becomes.end - becomes.l3 !== length || becomes.family !== facts.family)
    return undefined;
  const there = becomes.l4 + TCP_HEADER;
  if (facts.end < at || !packet.subarray(there, there + option.length).equals(option)) return undefined;
  const padding = sent.subarray(facts.end, facts.end + packet.length - becomes.end);
  const told = Buffer.concat([sent.subarray(0, at), option, sent.subarray(at, facts.end), padding]);
  told.writeUInt8(told.readUInt8(facts.l4 + 12) + (option.length << 2), facts.l4 + 12);
  return balanced(sent, facts, told, { ...facts, end: facts.end + option.length });
}

/** What FTP's two ends tell each other: an address may become another, and all that comes later moves by the difference. */
function retoldOf(sent: Buffer, facts: Facts, packet: Buffer, becomes: Facts): Buffer | undefined {
  if (facts.protocol !== TCP || becomes.protocol !== TCP || becomes.family !== facts.family) return undefined;
  if (facts.fragment !== 'none' || !isFtp(sent, facts)) return undefined;
  const [text, other] = [textOf(sent, facts), textOf(packet, becomes)];
  if (text === undefined || other === undefined || !differsInOnePlace(text, other)) return undefined;
  const header = Buffer.from(sent.subarray(0, facts.end - text.length));
  // Sequence numbers, and selective acknowledgements where there are any.
  packet.copy(header, facts.l4 + 4, becomes.l4 + 4, becomes.l4 + 12);
  if (hasBlocks(header.subarray(facts.l4 + TCP_HEADER)))
    packet.copy(header, facts.l4 + TCP_HEADER, becomes.l4 + TCP_HEADER, becomes.end - other.length);
  const retold = Buffer.concat([header, other, sent.subarray(facts.end, facts.end + packet.length - becomes.end)]);
  return balanced(sent, facts, retold, { ...facts, end: header.length + other.length });
}

function isFtp(sent: Buffer, { l4 }: Facts): boolean {
  return [sent.readUInt16BE(l4), sent.readUInt16BE(l4 + 2)].some((port) => port === ftp || port === ftpServer);
}

function textOf(frame: Buffer, { l4, end }: Facts): Buffer | undefined {
  const at = l4 + (frame.readUInt8(l4 + 12) >> 4) * 4;
  return at >= l4 + TCP_HEADER && at <= end ? frame.subarray(at, end) : undefined;
}

/** By no more than an address of FTP may have. */
function differsInOnePlace(text: Buffer, other: Buffer): boolean {
  const [MOST, shorter] = [60, Math.min(text.length, other.length)];
  let [same, after] = [0, 0];
  while (same < shorter && text[same] === other[same]) same++;
  while (after < shorter - same && text[text.length - 1 - after] === other[other.length - 1 - after]) after++;
  return Math.max(text.length, other.length) - same - after <= MOST;
}

function hasBlocks(options: Buffer): boolean {
  const SACK = 5;
  return options.includes(SACK);
}

/** `changed` with the lengths and checksums that go with it; those that were wrong are as wrong. */
function balanced(sent: Buffer, facts: Facts, changed: Buffer, becomes: Facts): Buffer {
  const isSix = facts.family === 6;
  const length = becomes.end - becomes.l3;
  changed.writeUInt16BE(isSix ? length - 40 : length, facts.l3 + (isSix ? 4 : 2));
  if (!isSix) {
    changed.writeUInt16BE(0, facts.l3 + 10);
    changed.writeUInt16BE(checksumFor(headerResidue(sent, facts), headerResidue(changed, becomes)), facts.l3 + 10);
  }
  changed.writeUInt16BE(0, facts.l4 + 16);
  const residue = transportResidue(sent, facts) ?? 0;
  changed.writeUInt16BE(checksumFor(residue, transportResidue(changed, becomes) ?? 0), facts.l4 + 16);
  return changed;
}

/** Into the receive queue, to wait for the first one of its datagram. One tag is then beside it. */
function isPutBack(sent: Buffer, facts: Facts, packet: Buffer): boolean {
  return packet.equals(withoutTag(sent, facts));
}

/** Is it an ICMP message that tells the sender about its packet? Nobody is told about an ICMP error: what it tells goes on. */
export function isAnswer(sent: Buffer, { verdict, packet }: Answer): boolean {
  if (verdict !== 'redirect') return false;
  const [facts, becomes] = [judge(sent), judge(packet)];
  return typeof facts !== 'string' && typeof becomes !== 'string' && !isIcmp(facts) && answers(facts, becomes);
}

function answers(facts: Facts, becomes: Facts): boolean {
  if (isIcmp(facts) && becomes.family !== facts.family) return false;
  return isIcmp(becomes) && (!isIcmp(facts) || !becomes.target.equals(facts.target)) && !isSameMessage(facts, becomes);
}

function isSameMessage(facts: Facts, becomes: Facts): boolean {
  return isIcmp(facts) && facts.end - facts.l4 === becomes.end - becomes.l4;
}

function isIcmp({ family, protocol }: Facts): boolean {
  return protocol === (family === 4 ? ICMP : ICMP6);
}

function checkSent(sent: Buffer, facts: Facts, packet: Buffer, becomes: Facts): string | undefined {
  if (answers(facts, becomes)) return checkAnswer(sent, facts, packet, becomes);
  if (isIcmp(facts) && becomes.family !== facts.family) return checkCrossedMessage(packet, becomes);
  if (facts.ttl <= 1) return 'sent on although its TTL is over';
  const target = becomes.target.toString('hex');
  if (realServers.has(target) && isTunnel(facts, becomes)) return checkTunnel(sent, facts, packet, becomes);
  return checkForwarded(sent, facts, packet, becomes);
}

/** What was sent is whole behind the outer header, or behind that and one more. */
function isTunnel(facts: Facts, becomes: Facts): boolean {
  return [IPIP, IPV6, GRE, UDP].includes(becomes.protocol) && insideOf(facts, becomes) >= becomes.l4;
}

function insideOf(facts: Facts, becomes: Facts): number {
  return becomes.end - (facts.end - facts.l3);
}

/** What stands between the outer header and the packet. */
function checkWrapping(packet: Buffer, facts: Facts, becomes: Facts): string | undefined {
  const wrapping = packet.subarray(becomes.l4, insideOf(facts, becomes));
  const protocol = facts.family === 4 ? IPIP : IPV6;
  if (becomes.protocol === GRE) {
    const hasSum = wrapping.length === 8;
    const type = facts.family === 4 ? 0x0800 : 0x86dd;
    if (!hasSum && wrapping.length !== 4) return "a GRE header's length";
    if (wrapping.readUInt16BE(0) !== (hasSum ? 0x8000 : 0) || wrapping.readUInt16BE(2) !== type) return 'a GRE header';
    return hasSum && checksumOf(packet.subarray(becomes.l4, becomes.end)) !== 0 ? "GRE's checksum" : undefined;
  }
  if (becomes.protocol === UDP) {
    if (wrapping.length !== UDP_HEADER + GUE_HEADER) return "a GUE header's length";
    if (wrapping.readUInt16BE(2) !== guePort) return "GUE's port";
    if (wrapping.readUInt16BE(4) !== becomes.end - becomes.l4) return "a GUE tunnel's UDP length";
    if (wrapping.readUInt32BE(UDP_HEADER) !== protocol << 16) return 'a GUE header';
    return transportResidue(packet, becomes) ? "a GUE tunnel's checksum" : undefined;
  }
  return wrapping.length === 0 && becomes.protocol === protocol ? undefined : 'an outer header';
}

function checkAnswer(sent: Buffer, facts: Facts, packet: Buffer, becomes: Facts): string | undefined {
  if (headerResidue(packet, becomes) !== 0) return "an answer's header checksum";
  if (transportResidue(packet, becomes) !== 0) return "an answer's checksum";
  if (isIcmp(facts)) return undefined; // what it tells is about a packet within
  if (!becomes.target.equals(facts.source)) return 'an answer to somebody else';
  const quoted = packet.subarray(becomes.l4 + 8, becomes.end);
  const original = sent.subarray(facts.l3, facts.l3 + quoted.length);
  const { ttl, checksum } = fields[facts.family];
  return sameBut(quoted, original, [[ttl, ttl + 1], checksum]) ? undefined : 'an answer quotes something else';
}

function checkTunnel(sent: Buffer, facts: Facts, packet: Buffer, becomes: Facts): string | undefined {
  if (headerResidue(packet, becomes) !== 0) return "a tunnel's header checksum";
  const wrong = checkWrapping(packet, facts, becomes);
  if (wrong !== undefined) return wrong;
  const at = insideOf(facts, becomes);
  const inside = packet.subarray(at);
  const original = sent.subarray(facts.l3);
  const { ttl, checksum } = fields[facts.family];
  if (!sameBut(inside, original, [[ttl, ttl + 1], checksum])) return 'another packet in the tunnel';
  if (inside.readUInt8(ttl) !== facts.ttl - 1) return 'the TTL in the tunnel';
  const shifted: Facts = { ...facts, l3: at, l4: at + facts.l4 - facts.l3 };
  return headerResidue(packet, shifted) === headerResidue(sent, facts) ? undefined : 'a header checksum in the tunnel';
}

type Range = readonly [from: number, to: number];

function checkForwarded(sent: Buffer, facts: Facts, packet: Buffer, becomes: Facts): string | undefined {
  if (becomes.protocol !== facts.protocol) return 'another protocol leaves';
  if (becomes.ttl !== facts.ttl - 1) return 'the TTL';
  if (becomes.family !== facts.family) return checkCrossed(sent, facts, packet, becomes);
  const [inside, original] = [packet.subarray(becomes.l3), sent.subarray(facts.l3)];
  const { ttl, checksum, source, target } = fields[facts.family];
  const mayDiffer: Range[] = [[ttl, ttl + 1], checksum, source, target];
  if (facts.fragment !== 'later') mayDiffer.push(...inTransport(facts, facts.l4 - facts.l3));
  if (isIcmp(facts)) mayDiffer.push(...inQuote(original, facts));
  if (!sameBut(inside, original, mayDiffer)) return 'other bytes leave';
  if (headerResidue(packet, becomes) !== headerResidue(sent, facts)) return 'the header checksum';
  if (transportResidue(packet, becomes) !== transportResidue(sent, facts)) return 'the layer 4 checksum';
  return isIcmp(facts) ? undefined : checkEnds(facts, becomes);
}

/** By fullnat to the other family: behind another header the same but for ports and checksum. */
function checkCrossed(sent: Buffer, facts: Facts, packet: Buffer, becomes: Facts): string | undefined {
  if (facts.fragment !== 'none' || becomes.fragment !== 'none') return 'a fragment changes its family';
  if (headerResidue(packet, becomes) !== 0) return 'the header checksum in the other family';
  const [inside, original] = [packet.subarray(becomes.l4, becomes.end), sent.subarray(facts.l4, facts.end)];
  if (!sameBut(inside, original, inTransport(facts, 0))) return 'other bytes leave in the other family';
  const [before, after] = [transportResidue(sent, facts), transportResidue(packet, becomes)];
  if (after !== (becomes.family === 6 ? (before ?? 0) : before)) return 'the layer 4 checksum in the other family';
  return checkEnds(facts, becomes);
}

/** A message in the words of the other family, from whom its receiver sent to. */
function checkCrossedMessage(packet: Buffer, becomes: Facts): string | undefined {
  if (headerResidue(packet, becomes) !== 0) return "a translated message's header checksum";
  if (transportResidue(packet, becomes) !== 0) return "a translated message's checksum";
  const from = becomes.source.toString('hex');
  return vips.has(from) || locals.has(from) ? undefined : `a translated message from ${from}`;
}

/** Ports and checksum. */
function inTransport({ protocol }: Facts, at: number): Range[] {
  const checksum = checksums[protocol];
  const hasPorts = protocol === 6 || protocol === 17 || protocol === 132;
  return [
    ...(hasPorts ? [[at, at + 4] as const] : []),
    ...(checksum === undefined ? [] : [[at + checksum[0], at + checksum[1]] as const]),
  ];
}

/** Addresses, ports and header checksum of the packet that a message is about. Its extension headers may be many. */
function inQuote(message: Buffer, facts: Facts): Range[] {
  const at = facts.l4 - facts.l3 + 8;
  const { checksum, source, target } = fields[facts.family];
  const ranges = [checksum, source, target].map(([from, to]): Range => [at + from, at + to]);
  const header = facts.family === 4 ? ((message[at] ?? 0) & 0xf) * 4 : 40;
  return [...ranges, [at + header, facts.family === 4 ? at + header + 4 : at + header + 164]];
}

/** gate changes nothing, masq and fullnat what leads to a real server, or back to the client. */
function checkEnds(facts: Facts, becomes: Facts): string | undefined {
  const [source, target] = [facts.source.equals(becomes.source), facts.target.equals(becomes.target)];
  const [from, to] = [becomes.source.toString('hex'), becomes.target.toString('hex')];
  if (source && target) return vips.has(to) ? undefined : 'sent on unchanged, and not for a VIP';
  if (realServers.has(to) && (source || locals.has(from))) return undefined;
  if (vips.has(from)) return undefined;
  return `sent on from ${from} to ${to}`;
}

function sameBut(left: Buffer, right: Buffer, ranges: readonly Range[]): boolean {
  if (left.length !== right.length) return false;
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  for (const [from, to] of ranges) {
    for (const bytes of [a, b]) bytes.fill(0, Math.min(from, bytes.length), Math.min(to, bytes.length));
  }
  return a.equals(b);
}
