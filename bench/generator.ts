// The generator of generator.bpf.c: which packets it makes, what it feeds with them, and what one of them costs.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readLayouts } from '../src/kernel/btf.ts';
import { decode, encodeInto } from '../src/kernel/codec.ts';
import type { BpfMap } from '../src/kernel/map.ts';
import { BpfObject } from '../src/kernel/object.ts';
import type { BpfProgram } from '../src/kernel/program.ts';
import { parseAddress } from '../src/model/address.ts';

/** This file runs as build/bench/bench/generator.js. */
const objectPath = fileURLToPath(new URL('../../bpf/generator.bpf.o', import.meta.url));

export type Hook = 'xdp' | 'tc';

export const tcpFlag = { syn: 0x02, ack: 0x10 } as const;

/** Which packets come. */
export interface Traffic {
  /** A power of two. */
  readonly flows: number;
  /** Number of the first packet's flow. */
  readonly first?: number;
  readonly client: string;
  readonly vip: string;
  readonly port: number;
  readonly tcpFlags: number;
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

const frameBytes = 60;
/** Of flow 0. */
const clientPort = 0x4000;
const ipv4 = 0x0008;
const withoutOptions = 0x45;
const ttl = 64;
const dontFragment = 0x0040;
const tcpProtocol = 6;
const dataOffset = 5 << 4;

export class Generator implements Disposable {
  readonly #object: BpfObject;
  readonly #maps: Readonly<Record<'plans' | 'keys' | 'xdp_target' | 'tc_target', BpfMap>>;
  readonly #programs = new Map<string, BpfProgram>();
  #context: { readonly context?: Buffer } = {};
  readonly #layouts = readLayouts(objectPath);
  /** Those that the map holds. */
  #keys: readonly Key[] | undefined;

  constructor() {
    if (!existsSync(objectPath)) throw new Error(`${objectPath} is missing: run npm run build`);
    this.#object = BpfObject.open(objectPath);
    this.#object.load();
    const map = (name: string): BpfMap => this.#object.map(name);
    this.#maps = { plans: map('plans'), keys: map('keys'), xdp_target: map('xdp_target'), tc_target: map('tc_target') };
  }

  /** One of its own programs. */
  program(name: 'generate_xdp' | 'generate_tc' | 'empty_xdp' | 'empty_tc' | 'bare_redirect'): BpfProgram {
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
    const bytes = new Uint8Array(this.#maps.plans.mmap());
    encodeInto(this.#layouts.struct('plan'), frameOf(traffic), bytes);
    this.#context = traffic.ingress === undefined ? {} : { context: xdpContext(traffic.ingress) };
    if (traffic.keys === undefined || traffic.keys === this.#keys) return;
    this.#keys = traffic.keys;
    const keys = new BigUint64Array(traffic.keys.flatMap(({ addresses, ports }) => [addresses, ports]));
    new BigUint64Array(this.#maps.keys.mmap()).set(keys);
  }

  /** Number of the flow that the next packet would be of. */
  next(): number {
    const { next } = decode<{ next: bigint }>(this.#layouts.struct('plan'), new Uint8Array(this.#maps.plans.mmap()));
    return Number(next);
  }

  /** ns of CPU time a packet, and not of the clock: others use this machine too. */
  run(hook: Hook, packets: number): number {
    const program = this.program(`generate_${hook}`);
    const packet = Buffer.alloc(frameBytes);
    packet.writeUInt16LE(ipv4, 12);
    const before = process.cpuUsage();
    program.testRun({ packet, repeat: packets, ...(hook === 'xdp' ? this.#context : {}) });
    const { user, system } = process.cpuUsage(before);
    return ((user + system) * 1000) / packets;
  }

  [Symbol.dispose](): void {
    for (const one of [...this.#programs.values(), ...Object.values(this.#maps), this.#object]) one[Symbol.dispose]();
  }
}

/** struct xdp_md: where the frame ends, and where it came in. */
function xdpContext({ index }: Ingress): Buffer {
  const context = Buffer.alloc(24);
  context.writeUInt32LE(frameBytes, 4);
  context.writeUInt32LE(index, 12);
  return context;
}

/** struct plan's part of it. */
function frameOf({ flows, first = 0, client, vip, port, tcpFlags, ingress, growth = 0, keys }: Traffic): object {
  const frame = Buffer.alloc(frameBytes);
  if (ingress !== undefined) frame.write(ingress.mac.replaceAll(':', ''), 'hex');
  frame.writeUInt8(2, 6);
  frame.writeUInt16LE(ipv4, 12);
  frame.writeUInt8(withoutOptions, 14);
  frame.writeUInt16BE(frameBytes - 14, 16);
  frame.writeUInt16LE(dontFragment, 20);
  frame.writeUInt8(ttl, 22);
  frame.writeUInt8(tcpProtocol, 23);
  frame.set(parseAddress(client).bytes, 26);
  frame.set(parseAddress(vip).bytes, 30);
  frame.writeUInt16BE(clientPort, 34);
  frame.writeUInt16BE(port, 36);
  frame.writeUInt8(dataOffset, 46);
  frame.writeUInt8(tcpFlags, 47);
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
