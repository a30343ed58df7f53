// Putting the programs on interfaces, and taking them away again.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Interface, interfaces } from '../kernel/interfaces.ts';
import { BpfLink } from '../kernel/link.ts';
import { BpfProgram } from '../kernel/program.ts';
import { attachTc, detachTc, hasClsact, queryTc, type TcSlot } from '../kernel/tc.ts';
import { FairleadError } from '../model/error.ts';
import { chooseInterfaces, type Hook } from './choose.ts';
import { ensureForwarding, restoreForwarding } from './forwarding.ts';
import type { Maps } from './maps.ts';
import { forget, recall, recallChoice, remember, rememberChoice } from './memory.ts';

export interface AttachOptions {
  /** Names; all that suit if not given, those that come later included. */
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

/** From now on packets are taken from just these. Throws hook-busy and interface-missing, having undone what it had done. */
export function attach(maps: Maps, { interfaces: names, hook = 'auto' }: AttachOptions): readonly Attachment[] {
  const chosen = chooseInterfaces(interfaces(), names);
  const before = recall(maps);
  const linked = new Set([...before.keys()].filter((index) => isLinked(maps, index)));
  ensureForwarding();
  try {
    for (const one of chosen) attachOne(maps, one, hook);
  } catch (error) {
    for (const one of chosen) {
      if (!before.has(one.index)) detachOne(maps, one.index);
      else if (!linked.has(one.index)) detachXdp(maps, one.index);
      else if (!isLinked(maps, one.index)) attachXdp(maps, one, 'auto');
    }
    throw error;
  }
  rememberChoice(maps, { hook, isByName: names !== undefined });
  const remaining = new Set(chosen.map(({ index }) => index));
  for (const index of before.keys()) if (!remaining.has(index)) detachOne(maps, index);
  return attachments(maps);
}

/** Also to interfaces that came, or came back, since all that suit were chosen. */
export function attachNew(maps: Maps): void {
  const { hook, isByName } = recallChoice(maps);
  if (isByName) return;
  for (const one of chooseInterfaces(interfaces())) {
    if (queryTc(slotOf(one.index)) !== undefined) continue;
    try {
      attachOne(maps, one, hook);
    } catch (error) {
      // Nobody asked for this interface: what stands in the way there is no reason to refuse the change.
      if (!(error instanceof FairleadError)) throw error;
      detachOne(maps, one.index);
    }
  }
}

/** From all interfaces. Those that are gone meanwhile took the programs with them. */
export function detach(maps: Maps): void {
  for (const index of recall(maps).keys()) detachOne(maps, index);
  restoreForwarding(maps);
}

export function attachments(maps: Maps): readonly Attachment[] {
  const known = recall(maps);
  return interfaces()
    .filter(({ index }) => known.has(index))
    .map(({ index, name }) => ({
      interface: name,
      index,
      tc: queryTc(slotOf(index)) !== undefined,
      xdp: known.get(index)?.xdp === true && isLinked(maps, index),
    }));
}

function attachOne(maps: Maps, one: Interface, hook: Hook): void {
  const { index, mac } = one;
  const known = recall(maps).get(index);
  const isOurs = known?.tc === true;
  if (isMapped(maps, index)) maps.words('interfaces').set(index, macWord(mac));
  if (isOurs || queryTc(slotOf(index)) === undefined) {
    // Before it is done, so that it is undone even if we die in between.
    remember(maps, index, { tc: true, ownQdisc: known?.ownQdisc === true || !hasClsact(index) });
  }
  using program = openProgram(maps, 'director_tc');
  attachTc(slotOf(index), program, { replace: isOurs });
  if (wantsXdp(maps, one, hook)) attachXdp(maps, one, hook);
  else detachXdp(maps, index);
}

function wantsXdp(maps: Maps, { kind, index }: Interface, hook: Hook): boolean {
  // Native XDP on a veth costs its peer segmentation offload: half of a bulk transfer's speed.
  return hook === 'xdp' || (hook === 'auto' && kind !== 'veth' && isMapped(maps, index));
}

function attachXdp(maps: Maps, one: Interface, hook: Hook): void {
  const { index } = one;
  using program = openProgram(maps, 'director_xdp');
  using present = openLink(maps, index);
  if (present !== undefined) present.update(program);
  else if (!linkXdp(maps, one, program, hook)) return;
  remember(maps, index, { xdp: true });
  markXdp(maps, index, true);
}

function linkXdp(maps: Maps, { index, name }: Interface, program: BpfProgram, hook: Hook): boolean {
  try {
    using link = BpfLink.attachXdp({ ifindex: index, program, mode: 'native' });
    rmSync(linkPath(maps, index), { force: true });
    link.pin(linkPath(maps, index));
    return true;
  } catch (error) {
    // TC does all that XDP does; who asked for XDP by name wants to know.
    if (hook === 'auto') return false;
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof FairleadError && error.code === 'hook-busy') {
      throw new FairleadError('hook-busy', `${name}: ${reason}`, { cause: error, hint: 'use --hook tc' });
    }
    throw new FairleadError('not-supported', `${name} takes no XDP program in its driver: ${reason}`, {
      cause: error,
      hint: 'use --hook tc',
    });
  }
}

function detachOne(maps: Maps, index: number): void {
  const known = recall(maps).get(index);
  detachXdp(maps, index);
  if (known?.tc === true && interfaces().some((one) => one.index === index)) {
    detachTc(slotOf(index), { removeQdisc: known.ownQdisc });
  }
  forget(maps, index);
}

function detachXdp(maps: Maps, index: number): void {
  if (isMapped(maps, index)) markXdp(maps, index, false);
  using link = openLink(maps, index);
  link?.detach();
  rmSync(linkPath(maps, index), { force: true });
}

/** Whether packets may be sent by it at XDP. */
function markXdp(maps: Maps, index: number, isOn: boolean): void {
  const words = maps.words('interfaces');
  const bit = 1n << BigInt(maps.vocabulary.numbers.INTERFACE_XDP_BIT);
  words.set(index, (words.get(index) & ~bit) | (isOn ? bit : 0n));
}

function isMapped(maps: Maps, index: number): boolean {
  return index < maps.map('interfaces').info.maxEntries;
}

function isLinked(maps: Maps, index: number): boolean {
  using link = openLink(maps, index);
  return link !== undefined;
}

/** undefined also when the link has lost its interface. */
function openLink(maps: Maps, index: number): BpfLink | undefined {
  const link = BpfLink.openPinned(linkPath(maps, index));
  if (link === undefined || link.info().ifindex === index) return link;
  link[Symbol.dispose]();
  return undefined;
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

/** As the first 6 bytes of a frame are read from memory. */
function macWord(mac: string): bigint {
  return mac
    .split(':')
    .reduce((word, byte, index) => word | (BigInt(Number.parseInt(byte, 16)) << BigInt(8 * index)), 0n);
}
