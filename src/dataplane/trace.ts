// Asking the loaded program what it would do with one packet, with the tables as they are; nothing is changed by it.
import { join } from 'node:path';
import { be16 } from '../kernel/codec.ts';
import { BpfProgram } from '../kernel/program.ts';
import type { Address } from '../model/address.ts';
import type { Endpoint } from '../model/director.ts';
import { FairleadError } from '../model/error.ts';
import type { Destination, Method, Protocol, Service } from '../model/service.ts';
import { ensureFeatures } from './load.ts';
import type { Maps } from './maps.ts';
import { readEndpoint, readLive } from './read.ts';
import { decodeTunnel, joinTunnel } from './tunnel.ts';
import { protocolNumbers } from './vocabulary.ts';
import { toAddress } from './wire.ts';

export interface TraceQuestion {
  readonly protocol: Protocol;
  readonly source: Endpoint;
  readonly target: Endpoint;
  /** Index of the interface that it comes in by; if not given, no rule that asks for one matches. */
  readonly interfaceIndex?: number;
}

export type TraceVerdict = 'forwarded' | 'dropped' | 'passed';

export interface TraceAnswer {
  readonly verdict: TraceVerdict;
  /** Why it is dropped. */
  readonly reason?: string;
  /** The entry that it belongs to; without one, a new connection. */
  readonly flow?: { readonly slot: number; readonly state: string; readonly isReply: boolean };
  readonly nextState?: string;
  /** It is scheduled by itself and makes no entry. */
  readonly isOnePacket?: true;
  /** What rules gave a packet without an entry, if it is not 0. */
  readonly mark?: number;
  /** Only of a new connection: an entry needs no service. */
  readonly service?: Service;
  readonly destination?: {
    readonly rip: Address;
    readonly port: number;
    readonly method: Method;
  } & Pick<Destination, 'tunnel'>;
  /** What addresses and ports become, where the method translates them. */
  readonly rewrite?: { readonly source: Endpoint; readonly target: Endpoint };
  readonly nextHop?: {
    readonly interfaceIndex: number;
    readonly gateway: Address;
    readonly source: Address;
    readonly mtu: number;
  };
  /** What bpf_fib_lookup answered when the cached way was too old to be used. */
  readonly lookup?: number;
}

/** struct trace of bpf/fairlead.h. */
interface TraceRow {
  readonly verdict: number;
  readonly reason: number;
  readonly flow: number;
  readonly reply: number;
  readonly state: number;
  readonly next_state: number;
  readonly service: number;
  readonly destination: number;
  readonly method: number;
  readonly oif: number;
  readonly mtu: number;
  readonly fib: number;
  readonly stateless: number;
  readonly new_family: number;
  readonly new_ports: number;
  readonly way_family: number;
  readonly mark: number;
}

type TracedAddress = 'gateway' | 'source' | 'new_source' | 'new_target';

const frameBytes = 14;
const tcpSyn = 0x02;

export function tracePacket(maps: Maps, question: TraceQuestion): TraceAnswer {
  const isSix = question.target.address.family === 6;
  const name = isSix ? 'director_trace_six' : 'director_trace';
  ensureFeatures(maps, isSix ? ['trace', 'six'] : ['trace']);
  using program = BpfProgram.openPinned(join(maps.directory, name));
  if (program === undefined) throw new FairleadError('not-attached', `${maps.directory}: program ${name} is missing`);
  const packet = buildPacket(question);
  program.testRun({ packet, context: buildContext(packet.length, question.interfaceIndex) });
  return toAnswer(maps, maps.rows('traces').read<TraceRow>(0));
}

/** struct xdp_md of linux/bpf.h. */
function buildContext(length: number, interfaceIndex = 0): Buffer {
  const context = Buffer.alloc(24);
  context.writeUInt32LE(length, 4);
  context.writeUInt32LE(interfaceIndex, 12);
  return context;
}

/** A TCP SYN, or an empty UDP datagram, as it would reach the director. */
function buildPacket({ protocol, source, target }: TraceQuestion): Buffer {
  if (protocol === 'sctp') throw new FairleadError('not-supported', 'only tcp and udp can be traced');
  if (source.address.family !== target.address.family)
    throw new FairleadError('bad-input', 'a packet goes between addresses of one family');
  const transport = Buffer.alloc(protocol === 'tcp' ? 20 : 8);
  transport.writeUInt16BE(source.port, 0);
  transport.writeUInt16BE(target.port, 2);
  if (protocol === 'tcp') {
    transport[12] = 0x50;
    transport[13] = tcpSyn;
  } else {
    transport.writeUInt16BE(transport.length, 4);
  }
  const header = target.address.family === 4 ? header4 : header6;
  const ip = header(protocolNumbers[protocol], transport.length, source.address, target.address);
  const frame = Buffer.alloc(Math.max(60, frameBytes + ip.length + transport.length));
  frame.writeUInt16BE(target.address.family === 4 ? 0x0800 : 0x86dd, 12);
  frame.set(Buffer.concat([ip, transport]), frameBytes);
  return frame;
}

function header4(protocol: number, length: number, source: Address, target: Address): Buffer {
  const ip = Buffer.alloc(20);
  ip[0] = 0x45;
  ip.writeUInt16BE(ip.length + length, 2);
  ip.writeUInt16BE(0x4000, 6);
  ip[8] = 64;
  ip[9] = protocol;
  ip.set(source.bytes, 12);
  ip.set(target.bytes, 16);
  return ip;
}

function header6(protocol: number, length: number, source: Address, target: Address): Buffer {
  const ip = Buffer.alloc(40);
  ip[0] = 0x60;
  ip.writeUInt16BE(length, 4);
  ip[6] = protocol;
  ip[7] = 64;
  ip.set(source.bytes, 8);
  ip.set(target.bytes, 24);
  return ip;
}

function toAnswer(maps: Maps, row: TraceRow): TraceAnswer {
  const { methods, states, reasons, numbers } = maps.vocabulary;
  const verdict = verdictOf(maps, row.verdict);
  const service =
    row.service === numbers.NO_SERVICE
      ? undefined
      : readLive(maps).services.find(({ record }) => record.id === row.service);
  const isWalked = row.destination !== numbers.NO_DESTINATION;
  const method = isWalked ? methods.name(row.method) : undefined;
  const translates = method === 'masq' || method === 'fullnat';
  const address = (member: TracedAddress, family: number): Address =>
    toAddress(maps.rows('traces').bytes(member).get(0), family);
  const portOf = (half: 0 | 1): number => be16((row.new_ports >>> (16 * half)) & 0xffff);
  return {
    verdict,
    ...(verdict === 'dropped' ? { reason: reasons[row.reason] ?? `${row.reason}` } : {}),
    ...(row.flow === numbers.NO_SLOT
      ? {}
      : { flow: { slot: row.flow, state: states.name(row.state) ?? `${row.state}`, isReply: row.reply !== 0 } }),
    ...(row.mark === 0 ? {} : { mark: row.mark }),
    ...(isWalked ? { nextState: states.name(row.next_state) ?? `${row.next_state}` } : {}),
    ...(row.stateless ? { isOnePacket: true } : {}),
    ...(service === undefined ? {} : { service }),
    ...(method === undefined
      ? {}
      : { destination: { ...readEndpoint(maps, row.destination), method, ...readTunnel(maps, row.destination) } }),
    ...(translates
      ? {
          rewrite: {
            source: { address: address('new_source', row.new_family), port: portOf(0) },
            target: { address: address('new_target', row.new_family), port: portOf(1) },
          },
        }
      : {}),
    ...(row.oif === 0
      ? {}
      : {
          nextHop: {
            interfaceIndex: row.oif,
            gateway: address('gateway', row.way_family),
            source: address('source', row.way_family),
            mtu: row.mtu,
          },
        }),
    ...(row.fib === numbers.NO_LOOKUP ? {} : { lookup: row.fib }),
  };
}

/** In force for connections that are there as well. */
function readTunnel(maps: Maps, slot: number): Pick<Destination, 'tunnel'> {
  const rows = maps.rows('destinations');
  const word = joinTunnel({ bits: rows.number('tunnel').get(slot), port: be16(rows.number('tunnel_port').get(slot)) });
  const tunnel = decodeTunnel(word, maps.vocabulary.numbers);
  return tunnel === undefined ? {} : { tunnel };
}

function verdictOf(maps: Maps, number: number): TraceVerdict {
  const name = [...maps.layouts.enum('verdict')].find(([, value]) => value === number)?.[0];
  if (name === 'VERDICT_SENT') return 'forwarded';
  return name === 'VERDICT_DROP' ? 'dropped' : 'passed';
}
