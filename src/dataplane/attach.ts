// Putting the programs on interfaces, and taking them away again.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Interface, interfaces } from '../kernel/interfaces.ts';
import { BpfLink } from '../kernel/link.ts';
import type { BpfProgram } from '../kernel/program.ts';
import { attachTc, detachTc, hasClsact, obstacleToTc, queryTc } from '../kernel/tc.ts';
import { FairleadError } from '../model/error.ts';
import { chooseInterfaces, type Hook } from './choose.ts';
import { openProgram, slotOf } from './filter.ts';
import { ensureForwarding, restoreForwarding } from './forwarding.ts';
import { ensureFeatures } from './load.ts';
import type { Maps } from './maps.ts';
import { type Facts, forget, recall, recallChoice, remember, rememberChoice } from './memory.ts';
import { attachOwn, detachOwn, detachOwnOne, exchangeOwn, obstacleToOwn } from './own.ts';

export interface AttachOptions {
  /** Names; all that suit if not given, those that come later included. */
  readonly interfaces?: readonly string[];
  readonly hook?: Hook;
  /** Told of each interface that can't be had, where it is none that somebody asked for. */
  readonly warn?: (text: string) => void;
}

/** A program for each hook. */
export interface Programs {
  /** Absent where no interface has it. */
  readonly xdp: BpfProgram | undefined;
  readonly tc: BpfProgram;
  /** Of the director's own packets. */
  readonly own: BpfProgram;
}

export interface Attachment {
  readonly interface: string;
  readonly index: number;
  readonly tc: boolean;
  readonly xdp: boolean;
}

/** An interface whose packets could be taken and are not. */
export interface Unattached {
  readonly interface: string;
  readonly why: string;
}

/**
 * From now on packets are taken from just these. Throws hook-busy and interface-missing, having undone what it had done. Where
 * neither interfaces nor XDP were asked for, those that can't be had are left out, as long as there are others.
 */
export function attach(maps: Maps, { interfaces: names, hook = 'auto', warn }: AttachOptions): readonly Attachment[] {
  const chosen = chooseInterfaces(interfaces(), names);
  const before = recall(maps);
  const linked = new Set([...before.keys()].filter((index) => isLinked(maps, index)));
  const isAnyWelcome = names === undefined && hook !== 'xdp';
  ensureForwarding(maps);
  try {
    const refused = isAnyWelcome ? attachPossible(maps, chosen, hook) : attachEach(maps, chosen, hook);
    for (const [{ name }, error] of refused) warn?.(`no packets are taken from ${name}: ${explain(error)}`);
    const out = new Set(refused.keys());
    rememberChoice(maps, { hook, isByName: names !== undefined });
    const remaining = new Set(chosen.filter((one) => !out.has(one)).map(({ index }) => index));
    for (const index of before.keys()) if (!remaining.has(index)) detachOne(maps, index);
    attachOwn(maps, { isAnew: true, ...(warn && { warn }) });
    return attachments(maps);
  } catch (error) {
    for (const one of chosen) {
      if (!before.has(one.index)) detachOne(maps, one.index);
      else if (!linked.has(one.index)) detachXdp(maps, one.index);
      else if (!isLinked(maps, one.index)) attachXdp(maps, one, 'auto');
    }
    throw error;
  }
}

function attachEach(maps: Maps, chosen: readonly Interface[], hook: Hook): ReadonlyMap<Interface, FairleadError> {
  for (const one of chosen) attachOne(maps, one, hook);
  return new Map();
}

/** What stands in the way at one interface is no reason to do without the others; at all of them it is. */
function attachPossible(maps: Maps, chosen: readonly Interface[], hook: Hook): ReadonlyMap<Interface, FairleadError> {
  const refused = new Map<Interface, FairleadError>();
  for (const one of chosen) {
    try {
      attachOne(maps, one, hook);
    } catch (error) {
      if (!(error instanceof FairleadError)) throw error;
      detachOne(maps, one.index);
      refused.set(one, error);
    }
  }
  const [first] = refused.values();
  if (first !== undefined && refused.size === chosen.length) throw first;
  return refused;
}

/**
 * Also to interfaces that came, or came back, since they were chosen: all that suit, or those of the names that were given. What
 * stands in the way there is no reason to refuse the change that is being made.
 */
export function attachNew(maps: Maps): void {
  const { hook, isByName } = recallChoice(maps);
  const known = recall(maps);
  const all = interfaces();
  const names = namesOf(known);
  const wanted = isByName ? all.filter(({ name }) => names.has(name)) : chooseInterfaces(all);
  let isOneMore = false;
  for (const one of wanted) {
    if (hasTc(known, one.index)) continue;
    try {
      attachOne(maps, one, hook);
      isOneMore = true;
      forgetFormer(maps, known, one, all);
    } catch (error) {
      if (!(error instanceof FairleadError)) throw error;
      // What is known of one that was named is what brings it back once nothing stands in the way.
      if (!known.has(one.index)) detachOne(maps, one.index);
    }
  }
  if (isOneMore) attachOwn(maps);
}

/** Wherever one of ours is attached, these are from now on. Every packet meets one program or the other. */
export function exchangePrograms(maps: Maps, { xdp, tc, own }: Programs): void {
  for (const { index, tc: hasOne, xdp: isXdp } of attachments(maps)) {
    if (hasOne) attachTc(slotOf(index, 'ingress'), tc, { replace: true });
    if (!isXdp || xdp === undefined) continue;
    using link = openLink(maps, index);
    link?.update(xdp);
  }
  exchangeOwn(maps, own);
}

/** What keeps XDP programs attached has a second name from now on. */
export function pinLinks(maps: Maps, directory: string): void {
  for (const index of recall(maps).keys()) {
    using link = BpfLink.openPinned(linkPath(maps, index));
    link?.pin(join(directory, linkName(index)));
  }
}

/** What is known of a former interface of the same name. */
function forgetFormer(
  maps: Maps,
  known: ReadonlyMap<number, Facts>,
  { name }: Interface,
  all: readonly Interface[],
): void {
  const present = new Set(all.map(({ index }) => index));
  for (const [index, facts] of known) if (facts.name === name && !present.has(index)) detachOne(maps, index);
}

/** From all interfaces. Those that are gone meanwhile took the programs with them. */
export function detach(maps: Maps): void {
  detachOwn(maps);
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
      tc: hasTc(known, index),
      xdp: known.get(index)?.xdp === true && isLinked(maps, index),
    }))
    .filter(({ tc, xdp }) => tc || xdp);
}

/** Those that suit, and those that were named and are there again. */
export function unattached(maps: Maps): readonly Unattached[] {
  const { isByName } = recallChoice(maps);
  const known = recall(maps);
  const names = namesOf(known);
  const all = interfaces();
  const suitable = new Set(chooseInterfaces(all));
  const loopback = obstacleToOwn(maps);
  const others = all
    .filter((one) => suitable.has(one) || names.has(one.name))
    .filter(({ index }) => !hasTc(known, index))
    .map(({ index, name }) => ({ interface: name, why: whyNot(index, isByName, names.has(name)) }));
  return loopback === undefined ? others : [...others, { interface: 'lo', why: loopback }];
}

function whyNot(index: number, isByName: boolean, isKnown: boolean): string {
  if (isByName && !isKnown) return 'fairlead attach named others';
  const obstacle = obstacleToTc(slotOf(index, 'ingress'));
  if (obstacle !== undefined) return explain(obstacle);
  const what = isKnown ? 'it lost its programs' : 'it came later';
  return `${what}: the next change by ipvsadm, or fairlead attach, puts them there`;
}

function explain({ message, hint }: FairleadError): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}

/** What is in our place without our knowing is another's. */
function hasTc(known: ReadonlyMap<number, Facts>, index: number): boolean {
  return known.get(index)?.tc === true && queryTc(slotOf(index, 'ingress')) !== undefined;
}

function namesOf(known: ReadonlyMap<number, Facts>): ReadonlySet<string> {
  return new Set(Array.from(known.values(), ({ name }) => name));
}

function attachOne(maps: Maps, one: Interface, hook: Hook): void {
  const { index, mac, name } = one;
  const known = recall(maps).get(index);
  const isOurs = known?.tc === true;
  if (isMapped(maps, index)) maps.words('interfaces').set(index, macWord(mac));
  if (isOurs || queryTc(slotOf(index, 'ingress')) === undefined) {
    // Before it is done, so that it is undone even if we die in between.
    remember(maps, index, { name, tc: true, ownQdisc: known?.ownQdisc === true || !hasClsact(index) });
  }
  using program = openProgram(maps, 'director_tc');
  attachTc(slotOf(index, 'ingress'), program, { replace: isOurs });
  if (wantsXdp(maps, one, hook)) attachXdp(maps, one, hook);
  else detachXdp(maps, index);
}

function wantsXdp(maps: Maps, { kind, index }: Interface, hook: Hook): boolean {
  // Native XDP on a veth costs its peer segmentation offload: half of a bulk transfer's speed.
  return hook === 'xdp' || (hook === 'auto' && kind !== 'veth' && isMapped(maps, index));
}

function attachXdp(maps: Maps, one: Interface, hook: Hook): void {
  const { index } = one;
  ensureFeatures(maps, ['xdp']);
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
  detachOwnOne(maps, index);
  detachXdp(maps, index);
  if (known?.tc === true && interfaces().some((one) => one.index === index)) {
    detachTc(slotOf(index, 'ingress'), { removeQdisc: known.ownQdisc });
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

function linkPath(maps: Maps, index: number): string {
  return join(maps.directory, linkName(index));
}

function linkName(index: number): string {
  return `xdp_${index}`;
}

/** As the first 6 bytes of a frame are read from memory. */
function macWord(mac: string): bigint {
  return mac
    .split(':')
    .reduce((word, byte, index) => word | (BigInt(Number.parseInt(byte, 16)) << BigInt(8 * index)), 0n);
}
