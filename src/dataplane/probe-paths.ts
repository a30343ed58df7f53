// Addresses that lead health checks to a real server as clients' packets go: through the VIP, by its method. See bpf/probe.bpf.c.
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Layouts, readLayouts } from '../kernel/btf.ts';
import { be16, encode } from '../kernel/codec.ts';
import { type Interface, interfaces } from '../kernel/interfaces.ts';
import { changeByIp } from '../kernel/iproute.ts';
import type { BpfMap } from '../kernel/map.ts';
import { BpfObject } from '../kernel/object.ts';
import type { BpfProgram } from '../kernel/program.ts';
import { attachTc, detachTc, listTc, type TcSlot } from '../kernel/tc.ts';
import { type Address, formatAddress, parseAddress } from '../model/address.ts';
import { FairleadError } from '../model/error.ts';
import type { Tunnel } from '../model/service.ts';
import { chooseInterfaces, probeInterface } from './choose.ts';
import { encodeAddress } from './wire.ts';

export interface ProbePath {
  readonly vip: Address;
  readonly rip: Address;
  readonly method: 'gate' | 'tunnel';
  /** Of method `tunnel`; absent: IPIP. */
  readonly tunnel?: Tunnel;
}

const objectPath = fileURLToPath(new URL('../../build/bpf/probe.bpf.o', import.meta.url));
/** Before the director's own (64), which would leave answers to probes to the stack as they are. */
const priority = 62;
/** "fairlead", as far as hexadecimal digits spell it. */
const handle = 0xfa1ead;

/** Of the class that no host on a network has (240/4); the first is this host's. */
const prefixFour = 240;
const ownFour: Address = { family: 4, bytes: [prefixFour, 0, 0, 1] };
/** Unique local (RFC 4193). */
const ownSix = parseAddress('fd66:6169:726c:6561::1');
/** Room for the largest tunnel's headers below the 1500 bytes that real servers' networks take. */
const mtu = 1400;

export function pathKey({ vip, rip, method, tunnel }: ProbePath): string {
  const { type = 'ipip', port = 0 } = method === 'tunnel' ? (tunnel ?? {}) : {};
  return `${formatAddress(vip)} ${formatAddress(rip)} ${method} ${type} ${port}`;
}

export class ProbePaths implements Disposable {
  readonly #layouts: Layouts;
  readonly #in: BpfProgram;
  readonly #paths: BpfMap;
  readonly #addresses = new Map<string, Address>();
  readonly #taken = new Set<number>();
  #last = 1;

  private constructor(layouts: Layouts, program: BpfProgram, paths: BpfMap) {
    this.#layouts = layouts;
    this.#in = program;
    this.#paths = paths;
  }

  /** In the place of those of a process that is gone. */
  static open(): ProbePaths {
    const entry = makeInterface();
    const layouts = readLayouts(objectPath);
    using object = BpfObject.open(objectPath);
    object.load();
    using out = object.program('probe_out');
    using entries = object.map('probe_entries');
    const row = encode(layouts.struct('probe_entry'), { ifindex: entry.index, mac: macBytes(entry.mac) });
    const place = (name: string): number => layouts.struct('probe_entry').field(name).offset;
    row.set(encodeAddress(ownFour), place('four'));
    row.set(encodeAddress(ownSix), place('six'));
    entries.update(Buffer.alloc(4), row);
    put(entry.index, 'egress', out);
    const paths = new ProbePaths(layouts, object.program('probe_in'), object.map('probe_paths'));
    paths.attach();
    return paths;
  }

  /** Also to interfaces that came since. Where something stands in the way answers to probes may come by others. */
  attach(): void {
    for (const { index } of chooseInterfaces(interfaces())) {
      if (ownProgram(index) === this.#in.info().id) continue;
      try {
        put(index, 'ingress', this.#in);
      } catch (error) {
        if (!(error instanceof FairleadError)) throw error;
      }
    }
  }

  /** From now on these, each by its key with the address that leads there. An address stays as long as its path. */
  set(paths: readonly ProbePath[]): ReadonlyMap<string, Address> {
    const wanted = new Map(paths.map((path) => [pathKey(path), path]));
    for (const [key, address] of this.#addresses) {
      if (wanted.has(key)) continue;
      this.#paths.delete(encodeAddress(address));
      this.#addresses.delete(key);
      this.#taken.delete(numberOf(address));
    }
    for (const [key, path] of wanted) {
      const address = this.#addresses.get(key) ?? this.#next(path.vip.family);
      this.#paths.update(encodeAddress(address), this.#row(path));
      this.#addresses.set(key, address);
    }
    return new Map(this.#addresses);
  }

  [Symbol.dispose](): void {
    this.#in[Symbol.dispose]();
    this.#paths[Symbol.dispose]();
    removeProbePaths();
  }

  /** Not one that was just given up: probes to it may be under way. */
  #next(family: 4 | 6): Address {
    do this.#last = this.#last === 0xffffff ? 2 : this.#last + 1;
    while (this.#taken.has(this.#last));
    this.#taken.add(this.#last);
    const tail = [this.#last >> 16, (this.#last >> 8) & 0xff, this.#last & 0xff];
    return family === 4
      ? { family, bytes: [prefixFour, ...tail] }
      : { family, bytes: [...ownSix.bytes.slice(0, 13), ...tail] };
  }

  #row({ vip, rip, method, tunnel }: ProbePath): Buffer {
    const layout = this.#layouts.struct('probe_path');
    const { type = 'ipip', port = 0 } = tunnel ?? {};
    const row = encode(layout, {
      family: vip.family,
      way_family: rip.family,
      method: this.#layouts.enum('method').get(`METHOD_${method.toUpperCase()}`),
      tunnel: this.#layouts.enum('tunnel').get(`TUNNEL_${type.toUpperCase()}`),
      tunnel_port: be16(port),
    });
    row.set(encodeAddress(vip), layout.field('vip').offset);
    row.set(encodeAddress(rip), layout.field('rip').offset);
    const source = vip.family === rip.family ? undefined : addressOfHost(vip);
    if (source !== undefined) row.set(encodeAddress(source), layout.field('source').offset);
    return row;
  }
}

/** Nothing of them stays, whoever opened them. */
export function removeProbePaths(): void {
  const all = interfaces();
  for (const { index } of all)
    if (ownProgram(index) !== undefined) detachTc(slot(index, 'ingress'), { removeQdisc: true });
  if (all.some(({ name }) => name === probeInterface)) changeByIp([`link del ${probeInterface}`]);
}

/** A veth, of which one end is all that is needed: what is sent to it is taken before it could come to the other. */
function makeInterface(): Interface {
  const find = (): Interface | undefined => interfaces().find(({ name }) => name === probeInterface);
  if (find() === undefined) changeByIp([`link add ${probeInterface} type veth peer name ${probeInterface}1`]);
  const addresses = [`address replace ${formatAddress(ownFour)}/8 dev ${probeInterface}`];
  const hasSix = Object.values(networkInterfaces()).some((all) => all?.some(({ family }) => family === 'IPv6'));
  if (hasSix) addresses.push(`address replace ${formatAddress(ownSix)}/64 dev ${probeInterface} nodad`);
  changeByIp([`link set ${probeInterface}1 up`, `link set ${probeInterface} arp off mtu ${mtu} up`, ...addresses]);
  const made = find();
  if (made === undefined)
    throw new FairleadError('interface-missing', `${probeInterface} is gone as soon as it was made`);
  return made;
}

function put(ifindex: number, point: TcSlot['point'], program: BpfProgram): void {
  const present = listTc(ifindex, point).find((one) => one.priority === priority && one.handle === handle);
  attachTc(slot(ifindex, point), program, { replace: present?.programName?.startsWith('probe_') === true });
}

function ownProgram(ifindex: number): number | undefined {
  return listTc(ifindex, 'ingress').find(
    (one) => one.priority === priority && one.handle === handle && one.programName?.startsWith('probe_in') === true,
  )?.programId;
}

function slot(ifindex: number, point: TcSlot['point']): TcSlot {
  return { ifindex, point, priority, handle };
}

function numberOf({ bytes }: Address): number {
  return bytes.slice(-3).reduce((number, byte) => number * 256 + byte, 0);
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

/** Of the VIP's family and not the VIP itself: where the way there, of the other family, tells none. */
function addressOfHost(vip: Address): Address | undefined {
  const unwanted = [formatAddress(vip), formatAddress(ownFour), formatAddress(ownSix)];
  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  const found = own.find(
    ({ address, family, internal }) =>
      !internal && family === `IPv${vip.family}` && !address.startsWith('fe80:') && !unwanted.includes(address),
  );
  return found && parseAddress(found.address);
}
