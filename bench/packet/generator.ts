// The generator of generator.bpf.c: which packets it makes, what it feeds with them, and what one of them costs.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readLayouts } from '../../src/kernel/btf.ts';
import { decode, encodeInto } from '../../src/kernel/codec.ts';
import type { BpfMap } from '../../src/kernel/map.ts';
import { BpfObject } from '../../src/kernel/object.ts';
import { type BpfProgram, liveFrames } from '../../src/kernel/program.ts';
import { parseAddress } from '../../src/model/address.ts';

/** This file runs as build/bench/bench/packet/generator.js. */
const objectPath = fileURLToPath(new URL('../../../bpf/generator.bpf.o', import.meta.url));

export type Hook = 'xdp' | 'tc';

export const tcpFlag = { syn: 0x02, ack: 0x10 } as const;

/** What could forward, and does nothing else. */
type BareProgram = 'bare_redirect' | 'bare_slot' | 'bare_tx';

export type Family = 4 | 6;

/** Which packets come: of IPv6 if the VIP is. */
export interface Traffic {
  /** A power of two. */
  readonly flows: number;
  /** Number of the first packet's flow. */
  readonly first?: number;
  readonly client: string;
  readonly vip: string;
  readonly port: number;
  /** tcp if not given. */
  readonly protocol?: 'tcp' | 'udp';
  /** Of TCP: see tcpFlag. */
  readonly tcpFlags?: number;
  /** 64 if not given. */
  readonly ttl?: number;
  /** IPv4: a datagram's first piece, or one that follows it. */
  readonly fragment?: 'first' | 'later';
  /** XDP: the interface that packets come in by; without it lo, whose MAC is 0, as TC's test runs have it. */
  readonly ingress?: Ingress;
  /** Bytes that the program puts in front of a packet. */
  readonly growth?: number;
  /** Packets of these flows instead, in this order: addresses and ports as struct flow has them. */
  readonly keys?: readonly Key[];
}

export interface Ingress {
  readonly index: number;
  readonly mac: string;
}

export interface Key {
  readonly addresses: bigint;
  readonly ports: bigint;
}

const frameBytes = { 4: 60, 6: 80 } as const;
/** Of flow 0. */
const clientPort = 0x4000;
const etherTypes = { 4: 0x0008, 6: 0xdd86 } as const;
const withoutOptions = 0x45;
const versionSix = 0x60;
const usualTtl = 64;
const protocols = { tcp: 6, udp: 17 } as const;
/** The field of IPv4 that has the fragment's offset; the pieces of all datagrams have one id, and other clients. */
const fragmentField = { none: 0x4000, first: 0x2000, later: 0x0001 } as const;
const fragmentId = 0x1234;
const dataOffset = 5 << 4;
/** 0 would say that there is none; the director corrects it, whatever it is. */
const udpChecksum = 0x1234;

export class Generator implements Disposable {
  readonly #object: BpfObject;
  readonly #maps: Readonly<Record<'plans' | 'plans_six' | 'keys' | 'xdp_target' | 'tc_target', BpfMap>>;
  readonly #programs = new Map<string, BpfProgram>();
  #context: { readonly context?: Buffer } = {};
  #family: Family = 4;
  readonly #layouts = readLayouts(objectPath);
  /** Those that the map holds. */
  #keys: readonly Key[] | undefined;

  constructor() {
    if (!existsSync(objectPath)) throw new Error(`${objectPath} is missing: run npm run build`);
    this.#object = BpfObject.open(objectPath);
    this.#object.load();
    const map = (name: string): BpfMap => this.#object.map(name);
    this.#maps = {
      ...{ plans: map('plans'), plans_six: map('plans_six'), keys: map('keys') },
      ...{ xdp_target: map('xdp_target'), tc_target: map('tc_target') },
    };
  }

  /** One of its own programs. */
  program(name: `generate_${Hook}` | `generate_${Hook}_six` | `empty_${Hook}` | BareProgram): BpfProgram {
    const known = this.#programs.get(name) ?? this.#object.program(name);
    this.#programs.set(name, known);
    return known;
  }

  aim(hook: Hook, target: BpfProgram): void {
    const fd = Buffer.alloc(4);
    fd.writeInt32LE(target.fd);
    this.#maps[`${hook}_target`].update(Buffer.alloc(4), fd);
  }

  plan(traffic: Traffic): void {
    this.#family = parseAddress(traffic.vip).family;
    const frame = this.#family === 4 ? frameOf(traffic) : frameSixOf(traffic);
    encodeInto(this.#layouts.struct(this.#names.layout), frame, this.#plan());
    this.#context = traffic.ingress === undefined ? {} : { context: xdpContext(traffic.ingress, this.#family) };
    if (traffic.keys === undefined || traffic.keys === this.#keys) return;
    this.#keys = traffic.keys;
    const keys = new BigUint64Array(traffic.keys.flatMap(({ addresses, ports }) => [addresses, ports]));
    new BigUint64Array(this.#maps.keys.mmap()).set(keys);
  }

  /** Number of the flow that the next packet would be of. */
  next(): number {
    return Number(decode<{ next: bigint }>(this.#layouts.struct(this.#names.layout), this.#plan()).next);
  }

  /** The plan of this family's packets. */
  get #names(): { readonly map: 'plans' | 'plans_six'; readonly layout: 'plan' | 'plan_six' } {
    return this.#family === 4 ? { map: 'plans', layout: 'plan' } : { map: 'plans_six', layout: 'plan_six' };
  }

  #plan(): Uint8Array {
    return new Uint8Array(this.#maps[this.#names.map].mmap());
  }

  /** ns of CPU time a packet, and not of the clock: others use this machine too. */
  run(hook: Hook, packets: number): number {
    const program = this.program(this.#family === 4 ? `generate_${hook}` : `generate_${hook}_six`);
    const packet = Buffer.alloc(frameBytes[this.#family]);
    packet.writeUInt16LE(etherTypes[this.#family], 12);
    const before = process.cpuUsage();
    program.testRun({ packet, repeat: packets, ...(hook === 'xdp' ? this.#context : received) });
    const { user, system } = process.cpuUsage(before);
    return ((user + system) * 1000) / packets;
  }

  /** Frames that are really sent, to where the program says; ns of this process's CPU time that one takes. */
  live(frames: number): number {
    const program = this.program('generate_xdp');
    const packet = Buffer.alloc(frameBytes[4]);
    const before = process.cpuUsage();
    program.testRun({ packet, repeat: frames, flags: liveFrames, ...this.#context });
    const { user, system } = process.cpuUsage(before);
    return ((user + system) * 1000) / frames;
  }

  [Symbol.dispose](): void {
    for (const one of [...this.#programs.values(), ...Object.values(this.#maps), this.#object]) one[Symbol.dispose]();
  }
}

/** struct __sk_buff of a packet that came in by lo: else it would be the director's own. */
const received = { context: skBuff() };

function skBuff(): Buffer {
  const context = Buffer.alloc(192);
  context.writeUInt32LE(1, 36);
  return context;
}

/** struct xdp_md: where the frame ends, and where it came in. */
function xdpContext({ index }: Ingress, family: Family): Buffer {
  const context = Buffer.alloc(24);
  context.writeUInt32LE(frameBytes[family], 4);
  context.writeUInt32LE(index, 12);
  return context;
}

/** struct plan's part of it. */
function frameOf(traffic: Traffic): object {
  const { flows, first = 0, client, vip, ingress, growth = 0, keys } = traffic;
  const { protocol = 'tcp', ttl = usualTtl, fragment } = traffic;
  const frame = ethernet(4, ingress);
  frame.writeUInt8(withoutOptions, 14);
  frame.writeUInt16BE(frame.length - 14, 16);
  if (fragment !== undefined) frame.writeUInt16BE(fragmentId, 18);
  frame.writeUInt16BE(fragmentField[fragment ?? 'none'], 20);
  frame.writeUInt8(ttl, 22);
  frame.writeUInt8(protocols[protocol], 23);
  frame.set(parseAddress(client).bytes, 26);
  frame.set(parseAddress(vip).bytes, 30);
  writeTransport(frame, 34, traffic);
  return {
    next: BigInt(first),
    mask: BigInt(flows - 1),
    growth: BigInt(growth),
    from_keys: BigInt(keys === undefined ? 0 : 1),
    ethernet: frame.readBigUInt64LE(0),
    type: frame.readBigUInt64LE(8),
    length: frame.readBigUInt64LE(16),
    addresses: frame.readBigUInt64LE(26),
    ports: frame.readBigUInt64LE(34),
    flags: frame.readBigUInt64LE(42),
    checksums: 0x1234_5678,
  };
}

/** struct plan_six's. */
function frameSixOf(traffic: Traffic): object {
  const { flows, first = 0, client, vip, ingress, growth = 0 } = traffic;
  const { protocol = 'tcp', ttl = usualTtl } = traffic;
  const frame = ethernet(6, ingress);
  frame.writeUInt8(versionSix, 14);
  frame.writeUInt16BE(frame.length - 54, 18);
  frame.writeUInt8(protocols[protocol], 20);
  frame.writeUInt8(ttl, 21);
  frame.set(parseAddress(client).bytes, 22);
  frame.set(parseAddress(vip).bytes, 38);
  writeTransport(frame, 54, traffic);
  return {
    next: BigInt(first),
    mask: BigInt(flows - 1),
    growth: BigInt(growth),
    ethernet: frame.readBigUInt64LE(0),
    source_mac: frame.readUInt32LE(8),
    type: frame.readUInt16LE(12),
    version: frame.readUInt32LE(14),
    length: frame.readUInt32LE(18),
    addresses: [22, 30, 38, 46].map((at) => frame.readBigUInt64LE(at)),
    ports: frame.readBigUInt64LE(54),
    flags: frame.readBigUInt64LE(66),
  };
}

function ethernet(family: Family, ingress: Ingress | undefined): Buffer {
  const frame = Buffer.alloc(frameBytes[family]);
  if (ingress !== undefined) frame.write(ingress.mac.replaceAll(':', ''), 'hex');
  frame.writeUInt8(2, 6);
  frame.writeUInt16LE(etherTypes[family], 12);
  return frame;
}

function writeTransport(frame: Buffer, at: number, { port, protocol = 'tcp', tcpFlags = 0 }: Traffic): void {
  frame.writeUInt16BE(clientPort, at);
  frame.writeUInt16BE(port, at + 2);
  if (protocol === 'udp') {
    frame.writeUInt16BE(frame.length - at, at + 4);
    frame.writeUInt16BE(udpChecksum, at + 6);
    return;
  }
  frame.writeUInt8(dataOffset, at + 12);
  frame.writeUInt8(tcpFlags, at + 13);
}
