// The programs of a tunnel's end and their maps: loaded, found again by id, put on interfaces and taken off.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Layouts, readLayouts } from '../kernel/btf.ts';
import { be16, decode, encode } from '../kernel/codec.ts';
import { roundUp, type StructLayout } from '../kernel/layout.ts';
import { BpfMap } from '../kernel/map.ts';
import { BpfObject } from '../kernel/object.ts';
import { BpfProgram } from '../kernel/program.ts';
import { attachTc, detachTc, listTc, type TcFilter, type TcPoint, type TcSlot } from '../kernel/tc.ts';
import { parseAddress } from '../model/address.ts';
import { FairleadError } from '../model/error.ts';
import type { LoadedProgram } from './journal.ts';
import type { TunnelEnd } from './tunnel.ts';

export interface Traffic {
  readonly packets: number;
  readonly bytes: number;
}

const objectPath = fileURLToPath(new URL('../../build/bpf/realserver.bpf.o', import.meta.url));
const programNames: Readonly<Record<TcPoint, string>> = { ingress: 'realserver_tc', egress: 'realserver_out' };
/** Before a director's own program on the same interface (64): what came out of a tunnel has been scheduled already. */
const priority = 63;
/** "fairlead", as far as hexadecimal digits spell it. */
const handle = 0xfa1ead;

export class Decapsulator implements Disposable {
  readonly loaded: LoadedProgram;
  readonly #programs: Readonly<Record<TcPoint, BpfProgram>>;
  readonly #vips: BpfMap;
  readonly #refusals: BpfMap;
  readonly #pathMtus: BpfMap;
  #layouts: Layouts | undefined;

  private constructor({ ingress, egress, vips, refusals, pathMtus }: Parts, digest: string) {
    this.#programs = { ingress, egress };
    this.#vips = vips;
    this.#refusals = refusals;
    this.#pathMtus = pathMtus;
    this.loaded = {
      id: ingress.info().id,
      out: egress.info().id,
      vips: vips.info.id,
      refusals: refusals.info.id,
      pathMtus: pathMtus.info.id,
      digest,
    };
  }

  /** A new one, on no interface yet: it goes with this process unless it is attached. */
  static load(): Decapsulator {
    const digest = digestOfObject();
    using object = BpfObject.open(objectPath);
    object.load();
    const parts = {
      ingress: object.program(programNames.ingress),
      egress: object.program(programNames.egress),
      vips: object.map('vips'),
      refusals: object.map('refusals'),
      pathMtus: object.map('path_mtus'),
    };
    return new Decapsulator(parts, digest);
  }

  /** undefined when the kernel has it no more: no interface held it. */
  static open(loaded: LoadedProgram): Decapsulator | undefined {
    const ingress = BpfProgram.openById(loaded.id);
    const egress = BpfProgram.openById(loaded.out);
    const vips = BpfMap.openById(loaded.vips);
    const refusals = BpfMap.openById(loaded.refusals);
    const pathMtus = BpfMap.openById(loaded.pathMtus);
    if (
      ingress?.info().name === programNames.ingress &&
      egress?.info().name === programNames.egress &&
      vips?.info.name === 'vips' &&
      refusals?.info.name === 'refusals' &&
      pathMtus?.info.name === 'path_mtus'
    )
      return new Decapsulator({ ingress, egress, vips, refusals, pathMtus }, loaded.digest);
    for (const one of [ingress, egress, vips, refusals, pathMtus]) one?.[Symbol.dispose]();
    return undefined;
  }

  /** False after an upgrade, until a new one takes its place. */
  get isCurrent(): boolean {
    return this.loaded.digest === digestOfObject();
  }

  takes(vip: string, tunnel: TunnelEnd): boolean {
    return this.#vips.lookup(this.#key(vip, tunnel)) !== undefined;
  }

  take(vip: string, tunnel: TunnelEnd): void {
    if (tunnel.type === 'gue') this.#addMissing(this.#portKey(tunnel.port));
    this.#addMissing(this.#key(vip, tunnel));
  }

  leave(vip: string, tunnel: TunnelEnd): void {
    this.#vips.delete(this.#key(vip, tunnel));
    if (tunnel.type !== 'gue') return;
    const port = this.#portKey(tunnel.port);
    const { offset } = this.#end.field('port');
    const samePort = [...this.#vips.entries()].filter(([key]) => key.readUInt16BE(offset) === tunnel.port);
    if (samePort.every(([key]) => key.equals(port))) this.#vips.delete(port);
  }

  pathMtu(vip: string): number | undefined {
    return this.#pathMtus.lookup(addressKey(vip))?.readUInt32LE();
  }

  setPathMtu(vip: string, mtu: number): void {
    this.#pathMtus.update(addressKey(vip), Buffer.from(Uint32Array.of(mtu).buffer));
  }

  /** False when there was none. */
  forgetPathMtu(vip: string): boolean {
    if (this.pathMtu(vip) === undefined) return false;
    this.#pathMtus.delete(addressKey(vip));
    return true;
  }

  get #end(): StructLayout {
    return this.#readLayouts().struct('tunnel_end');
  }

  #addMissing(key: Buffer): void {
    if (this.#vips.lookup(key) === undefined) this.#vips.update(key, Buffer.alloc(this.#vips.valueBytes));
  }

  #key(vip: string, { type, port }: TunnelEnd): Buffer {
    const number = this.#readLayouts().enum('tunnel').get(`TUNNEL_${type.toUpperCase()}`);
    const key = encode(this.#end, { type: number, port: be16(port) });
    key.set(addressKey(vip), this.#end.field('vip').offset);
    return key;
  }

  #portKey(port: number): Buffer {
    const number = this.#readLayouts().enum('other_end').get('END_PORT');
    return encode(this.#end, { type: number, port: be16(port) });
  }

  isOn(ifindex: number, point: TcPoint): boolean {
    return ownFilter(ifindex, point)?.programId === (point === 'ingress' ? this.loaded.id : this.loaded.out);
  }

  /** In the place of an older one of ours, if there is one. Throws hook-busy when somebody else's is in its slot. */
  attach(ifindex: number, point: TcPoint): void {
    attachTc(slotOf(ifindex, point), this.#programs[point], { replace: ownFilter(ifindex, point) !== undefined });
  }

  /** What came for one VIP by one kind of tunnel, over all CPUs. */
  traffic(vip: string, tunnel: TunnelEnd): Traffic {
    const layout = this.#readLayouts().struct('traffic');
    const values = this.#vips.lookup(this.#key(vip, tunnel)) ?? Buffer.alloc(0);
    const stride = roundUp(layout.size, 8);
    let sum = { packets: 0n, bytes: 0n };
    for (let at = 0; at < values.length; at += stride) {
      const { packets, bytes } = decode<typeof sum>(layout, values, at);
      sum = { packets: sum.packets + packets, bytes: sum.bytes + bytes };
    }
    return { packets: Number(sum.packets), bytes: Number(sum.bytes) };
  }

  /** `vip-unknown` for REFUSAL_VIP_UNKNOWN: how many packets were not decapsulated for each reason. */
  refusals(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const [name, number] of refusalNames(this.#readLayouts())) {
      const values = this.#refusals.lookup(Buffer.from(Uint32Array.of(number).buffer)) ?? Buffer.alloc(0);
      let sum = 0n;
      for (let at = 0; at < values.length; at += 8) sum += values.readBigUInt64LE(at);
      counts[name] = Number(sum);
    }
    return counts;
  }

  #readLayouts(): Layouts {
    this.#layouts ??= readLayouts(objectPath);
    return this.#layouts;
  }

  [Symbol.dispose](): void {
    const { ingress, egress } = this.#programs;
    for (const one of [ingress, egress, this.#vips, this.#refusals, this.#pathMtus]) one[Symbol.dispose]();
  }
}

interface Parts extends Readonly<Record<TcPoint, BpfProgram>> {
  readonly vips: BpfMap;
  readonly refusals: BpfMap;
  readonly pathMtus: BpfMap;
}

/** Whichever of our programs is there. False when there was none. */
export function detachFrom(ifindex: number, point: TcPoint): boolean {
  return ownFilter(ifindex, point) !== undefined && detachTc(slotOf(ifindex, point)).detached;
}

function ownFilter(ifindex: number, point: TcPoint): TcFilter | undefined {
  return listTc(ifindex, point).find(
    ({ priority: itsPriority, handle: itsHandle, programName }) =>
      itsPriority === priority && itsHandle === handle && programName?.startsWith(programNames[point]) === true,
  );
}

function slotOf(ifindex: number, point: TcPoint): TcSlot {
  return { ifindex, point, priority, handle };
}

/** struct address: in network order, of which IPv4 takes the first word. */
function addressKey(vip: string): Buffer {
  const key = Buffer.alloc(16);
  key.set(parseAddress(vip).bytes);
  return key;
}

/** Without the count that ends the enum, whose name is the plural. */
function refusalNames(layouts: Layouts): readonly (readonly [string, number])[] {
  return [...layouts.enum('refusal')].flatMap(([name, number]) =>
    name.startsWith('REFUSAL_') ? [[name.slice('REFUSAL_'.length).toLowerCase().replaceAll('_', '-'), number]] : [],
  );
}

function digestOfObject(): string {
  if (!existsSync(objectPath)) {
    throw new FairleadError('no-bpf', `the decapsulating program is not built: ${objectPath} is missing`, {
      hint: 'run npm run build',
    });
  }
  return createHash('sha256').update(readFileSync(objectPath)).digest('hex');
}
