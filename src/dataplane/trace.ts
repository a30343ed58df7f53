// Asking the loaded program what it would do with one packet, with the tables as they are; nothing is changed by it.
import { join } from 'node:path';
import { be16 } from '../kernel/codec.ts';
import { BpfProgram } from '../kernel/program.ts';
import type { Address } from '../model/address.ts';
import type { Endpoint } from '../model/director.ts';
import { FairleadError } from '../model/error.ts';
import type { Method, Protocol, Service } from '../model/service.ts';
import type { Maps } from './maps.ts';
import { readEndpoint, readLive } from './read.ts';
import { protocolNumbers } from './vocabulary.ts';

export interface TraceQuestion {
  readonly protocol: Protocol;
  readonly source: Endpoint;
  readonly target: Endpoint;
}

export type TraceVerdict = 'forwarded' | 'dropped' | 'passed';

export interface TraceAnswer {
  readonly verdict: TraceVerdict;
  /** Why it is dropped. */
  readonly reason?: string;
  /** The entry that it belongs to; without one, a new connection. */
  readonly flow?: { readonly slot: number; readonly state: string; readonly isReply: boolean };
  readonly nextState?: string;
  /** Only of a new connection: an entry needs no service. */
  readonly service?: Service;
  readonly destination?: { readonly rip: Address; readonly port: number; readonly method: Method };
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
  readonly gateway: number;
  readonly source: number;
  readonly mtu: number;
  readonly fib: number;
  readonly new_addresses: bigint;
  readonly new_ports: bigint;
}

const frameBytes = 14;
const headerBytes = 20;
const tcpSyn = 0x02;

export function tracePacket(maps: Maps, question: TraceQuestion): TraceAnswer {
  using program = BpfProgram.openPinned(join(maps.directory, 'director_trace'));
  if (program === undefined)
    throw new FairleadError('not-attached', `${maps.directory}: program director_trace is missing`);
  program.testRun({ packet: buildPacket(question) });
  return toAnswer(maps, maps.rows('traces').read<TraceRow>(0));
}

/** A TCP SYN, or an empty UDP datagram, as it would reach the director. */
function buildPacket({ protocol, source, target }: TraceQuestion): Buffer {
  if (protocol === 'sctp') throw new FairleadError('not-supported', 'only tcp and udp can be traced');
  const payload = protocol === 'tcp' ? 20 : 8;
  const frame = Buffer.alloc(frameBytes + headerBytes + Math.max(payload, 26));
  frame.writeUInt16BE(0x0800, 12);
  const ip = frame.subarray(frameBytes);
  ip[0] = 0x45;
  ip.writeUInt16BE(headerBytes + payload, 2);
  ip.writeUInt16BE(0x4000, 6);
  ip[8] = 64;
  ip[9] = protocolNumbers[protocol];
  ip.set(source.address.bytes, 12);
  ip.set(target.address.bytes, 16);
  const transport = ip.subarray(headerBytes);
  transport.writeUInt16BE(source.port, 0);
  transport.writeUInt16BE(target.port, 2);
  if (protocol === 'tcp') {
    transport[12] = 0x50;
    transport[13] = tcpSyn;
  } else {
    transport.writeUInt16BE(payload, 4);
  }
  return frame;
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
  return {
    verdict,
    ...(verdict === 'dropped' ? { reason: reasons[row.reason] ?? `${row.reason}` } : {}),
    ...(row.flow === numbers.NO_SLOT
      ? {}
      : { flow: { slot: row.flow, state: states.name(row.state) ?? `${row.state}`, isReply: row.reply !== 0 } }),
    ...(isWalked ? { nextState: states.name(row.next_state) ?? `${row.next_state}` } : {}),
    ...(service === undefined ? {} : { service }),
    ...(method === undefined ? {} : { destination: { ...readEndpoint(maps, row.destination), method } }),
    ...(translates
      ? {
          rewrite: {
            source: endpoint(row.new_addresses, row.new_ports, 0n),
            target: endpoint(row.new_addresses, row.new_ports, 1n),
          },
        }
      : {}),
    ...(row.oif === 0
      ? {}
      : {
          nextHop: {
            interfaceIndex: row.oif,
            gateway: address(row.gateway),
            source: address(row.source),
            mtu: row.mtu,
          },
        }),
    ...(row.fib === numbers.NO_LOOKUP ? {} : { lookup: row.fib }),
  };
}

function verdictOf(maps: Maps, number: number): TraceVerdict {
  const name = [...maps.layouts.enum('verdict')].find(([, value]) => value === number)?.[0];
  if (name === 'VERDICT_SENT') return 'forwarded';
  return name === 'VERDICT_DROP' ? 'dropped' : 'passed';
}

/** Half 0 of the packed words is the source, half 1 the target. */
function endpoint(addresses: bigint, ports: bigint, half: 0n | 1n): Endpoint {
  return {
    address: address(Number((addresses >> (half * 32n)) & 0xffff_ffffn)),
    port: be16(Number((ports >> (half * 16n)) & 0xffffn)),
  };
}

/** From a word as on the wire. */
function address(word: number): Address {
  return { family: 4, bytes: [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24] };
}
