// Which interfaces packets are taken from, and putting the programs there and away again.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Interface, interfaces } from '../kernel/interfaces.ts';
import { BpfLink } from '../kernel/link.ts';
import { BpfMap, mapType } from '../kernel/map.ts';
import { BpfProgram } from '../kernel/program.ts';
import { readSysctl, writeSysctl } from '../kernel/sysctl.ts';
import { attachTc, detachTc, queryTc, type TcSlot } from '../kernel/tc.ts';
import { FairleadError } from '../model/error.ts';
import type { Maps } from './maps.ts';

/** auto: TC everywhere, and XDP before it where the driver has it itself. */
export type Hook = 'auto' | 'xdp' | 'tc';

export interface AttachOptions {
  /** Names; all that suit if not given. */
  readonly interfaces?: readonly string[];
  readonly hook?: Hook;
}

export interface Attachment {
  readonly interface: string;
  readonly index: number;
  readonly tc: boolean;
  readonly xdp: boolean;
}

const priority = 64;
/** "fairlead", as far as hexadecimal digits spell it. */
const handle = 0xfa1ead;
const forwarding = 'net.ipv4.conf.lo.forwarding';

/** INTERFACE_XDP of bpf/fairlead.h. */
const interfaceXdp = 1n << 48n;
/** The interfaces map has that many. */
const interfaceCount = 65536;

/** Remembered for each interface in the map `attachments`. */
const remembered = { tc: 1, xdp: 2, ownQdisc: 4 } as const;

/** Throws hook-busy and interface-missing, having undone what it had done. */
export function attach(maps: Maps, { interfaces: names, hook = 'auto' }: AttachOptions): readonly Attachment[] {
  const chosen = chooseInterfaces(interfaces(), names);
  const before = new Set(attachments(maps).map(({ index }) => index));
  if (!before.size) {
    // bpf_fib_lookup looks up for an interface that forwards, and lo's own setting makes no other one forward.
    maps.rows('instances').patch(0, { lo_forwarding: Number(readSysctl(forwarding)) });
    writeSysctl(forwarding, 1);
  }
  try {
    for (const one of chosen) attachOne(maps, one, hook);
  } catch (error) {
    for (const { index } of chosen) if (!before.has(index)) detachOne(maps, index);
    if (!before.size) restoreForwarding(maps);
    throw error;
  }
  return attachments(maps);
}

/** From all interfaces. Those that are gone meanwhile took the programs with them. */
export function detach(maps: Maps): void {
  for (const index of remembering(maps).keys()) detachOne(maps, index);
  restoreForwarding(maps);
}

export function attachments(maps: Maps): readonly Attachment[] {
  const known = remembering(maps);
  return interfaces()
    .filter(({ index }) => known.has(index))
    .map(({ index, name }) => ({
      interface: name,
      index,
      tc: queryTc(slotOf(index)) !== undefined,
      xdp: ((known.get(index) ?? 0) & remembered.xdp) !== 0 && isLinked(maps, index),
    }));
}

export function createAttachments(): BpfMap {
  return BpfMap.create({
    type: mapType.hash,
    name: 'attachments',
    keySize: 4,
    valueSize: 4,
    maxEntries: interfaceCount,
    flags: 1,
  });
}

/**
 * Ethernet, but not what another interface speaks for: a bridge's or a bond's port, and a VLAN, whose packets its parent has
 * with their tags.
 */
export function chooseInterfaces(
  all: readonly Interface[],
  names: readonly string[] | undefined,
): readonly Interface[] {
  if (names === undefined) {
    const kinds = new Map(all.map(({ index, kind }) => [index, kind]));
    const isPort = ({ master }: Interface): boolean =>
      master !== undefined && ['bridge', 'bond', 'team'].includes(kinds.get(master) ?? '');
    return all.filter((one) => one.linkType === 'ether' && one.kind !== 'vlan' && !isPort(one));
  }
  return names.map((name) => {
    const found = all.find((one) => one.name === name);
    if (found === undefined)
      throw new FairleadError('interface-missing', `there is no interface ${name} in this network namespace`);
    if (found.linkType !== 'ether')
      throw new FairleadError('not-supported', `${name} is no Ethernet interface: its type is ${found.linkType}`);
    return found;
  });
}

function attachOne(maps: Maps, one: Interface, hook: Hook): void {
  remember(maps, one.index, 0);
  if (one.index < interfaceCount) maps.interfaces.set(one.index, macWord(one.mac));
  using program = openProgram(maps, 'director_tc');
  const known = remembering(maps).get(one.index) ?? 0;
  const { createdQdisc } = attachTc(slotOf(one.index), program, { replace: (known & remembered.tc) !== 0 });
  remember(maps, one.index, remembered.tc | (createdQdisc ? remembered.ownQdisc : 0));
  if (wantsXdp(one, hook)) attachXdp(maps, one, hook);
  else if ((known & remembered.xdp) !== 0) detachXdp(maps, one.index);
}

function wantsXdp({ kind, index }: Interface, hook: Hook): boolean {
  // Native XDP on a veth costs its peer segmentation offload: half of a bulk transfer's speed.
  return hook === 'xdp' || (hook === 'auto' && kind !== 'veth' && index < interfaceCount);
}

function attachXdp(maps: Maps, { index, name }: Interface, hook: Hook): void {
  if (isLinked(maps, index)) {
    markXdp(maps, index);
    return;
  }
  using program = openProgram(maps, 'director_xdp');
  try {
    using link = BpfLink.attachXdp({ ifindex: index, program, mode: 'native' });
    rmSync(linkPath(maps, index), { force: true });
    link.pin(linkPath(maps, index));
  } catch (error) {
    // TC does all that XDP does; who asked for XDP by name wants to know.
    if (hook === 'auto') return;
    if (error instanceof FairleadError && error.code === 'hook-busy')
      throw new FairleadError('hook-busy', `${name}: ${error.message}`, { cause: error });
    throw new FairleadError('not-supported', `${name}: its driver takes no XDP program: ${String(error)}`, {
      cause: error,
      hint: 'use --hook tc',
    });
  }
  markXdp(maps, index);
}

function markXdp(maps: Maps, index: number): void {
  remember(maps, index, remembered.xdp);
  maps.interfaces.set(index, maps.interfaces.get(index) | interfaceXdp);
}

function detachOne(maps: Maps, index: number): void {
  const known = remembering(maps).get(index) ?? 0;
  detachXdp(maps, index);
  if ((known & remembered.tc) !== 0 && interfaces().some((one) => one.index === index)) {
    detachTc(slotOf(index), { removeQdisc: (known & remembered.ownQdisc) !== 0 });
  }
  maps.map('attachments').delete(indexKey(index));
}

function detachXdp(maps: Maps, index: number): void {
  if (index < interfaceCount) maps.interfaces.set(index, maps.interfaces.get(index) & ~interfaceXdp);
  using link = BpfLink.openPinned(linkPath(maps, index));
  if (link?.info().ifindex !== undefined) link.detach();
  rmSync(linkPath(maps, index), { force: true });
}

function isLinked(maps: Maps, index: number): boolean {
  using link = BpfLink.openPinned(linkPath(maps, index));
  return link?.info().ifindex === index;
}

function restoreForwarding(maps: Maps): void {
  if (maps.rows('instances').number('lo_forwarding').get(0) === 0) writeSysctl(forwarding, 0);
}

function openProgram(maps: Maps, name: string): BpfProgram {
  const program = BpfProgram.openPinned(join(maps.directory, name));
  if (program === undefined) throw new FairleadError('not-attached', `${maps.directory}: program ${name} is missing`);
  return program;
}

function slotOf(ifindex: number): TcSlot {
  return { ifindex, point: 'ingress', priority, handle };
}

function linkPath(maps: Maps, index: number): string {
  return join(maps.directory, `xdp_${index}`);
}

function remembering(maps: Maps): ReadonlyMap<number, number> {
  return new Map(
    [...maps.map('attachments').entries()].map(([key, value]) => [key.readUInt32LE(0), value.readUInt32LE(0)]),
  );
}

function remember(maps: Maps, index: number, facts: number): void {
  const value = Buffer.alloc(4);
  value.writeUInt32LE((remembering(maps).get(index) ?? 0) | facts);
  maps.map('attachments').update(indexKey(index), value);
}

function indexKey(index: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32LE(index);
  return key;
}

/** As the first 6 bytes of a frame are read from memory. */
function macWord(mac: string): bigint {
  return mac
    .split(':')
    .reduce((word, byte, index) => word | (BigInt(Number.parseInt(byte, 16)) << BigInt(8 * index)), 0n);
}
