// Where the packets of clients and real servers on the director itself are seen: on lo, by which it speaks to its own addresses;
// and where other packets leave, but only while a real server is here or a VIP is not, for forwarded packets leave there too.
import { networkInterfaces } from 'node:os';
import { type Interface, interfaceName, interfaces } from '../kernel/interfaces.ts';
import type { BpfProgram } from '../kernel/program.ts';
import { attachTc, detachTc, hasClsact, obstacleToTc, queryTc } from '../kernel/tc.ts';
import { type Address, parseAddress } from '../model/address.ts';
import { FairleadError } from '../model/error.ts';
import { openProgram, slotOf } from './filter.ts';
import type { Maps } from './maps.ts';
import { forgetOwn, recall, recallOwn, rememberOwn } from './memory.ts';
import { readLive } from './read.ts';

const loopback = 1;
const loopbackNet = 127;

export interface OwnOptions {
  /** Puts the program as it is now in the place of what is there. */
  readonly isAnew?: boolean;
  readonly warn?: (text: string) => void;
}

/** On lo, and where the table in force asks for it on the interfaces that packets are taken from. */
export function attachOwn(maps: Maps, { isAnew = false, warn }: OwnOptions = {}): void {
  const taken = [...recall(maps)].filter(([, { tc }]) => tc).map(([index]) => index);
  const wanted = new Set([loopback, ...(isNeededBeyondLo(maps) ? taken : [])]);
  const present = new Set(interfaces().map(({ index }) => index));
  for (const index of recallOwn(maps).keys()) if (!wanted.has(index)) detachOwnOne(maps, index);
  for (const index of wanted) {
    if (!present.has(index)) continue;
    try {
      attachOwnOne(maps, index, isAnew);
    } catch (error) {
      if (!(error instanceof FairleadError)) throw error;
      detachOwnOne(maps, index);
      warn?.(`clients and real servers on this machine are not seen at ${interfaceName(index)}: ${error.message}`);
    }
  }
}

export function detachOwn(maps: Maps): void {
  for (const index of recallOwn(maps).keys()) detachOwnOne(maps, index);
}

export function detachOwnOne(maps: Maps, index: number): void {
  const known = recallOwn(maps).get(index);
  if (known === undefined) return;
  if (interfaces().some((one) => one.index === index))
    detachTc(slotOf(index, 'egress'), { removeQdisc: known.ownQdisc });
  forgetOwn(maps, index);
}

/** Names of interfaces. */
export function ownPoints(maps: Maps): readonly string[] {
  return attachedOwn(maps).map(({ name }) => name);
}

/** Wherever it is attached, this one is from now on. */
export function exchangeOwn(maps: Maps, program: BpfProgram): void {
  for (const { index } of attachedOwn(maps)) attachTc(slotOf(index, 'egress'), program, { replace: true });
}

function attachedOwn(maps: Maps): readonly Interface[] {
  const known = recallOwn(maps);
  return interfaces().filter(({ index }) => known.has(index) && queryTc(slotOf(index, 'egress')) !== undefined);
}

/** What keeps clients on the director itself from being served; undefined: nothing. */
export function obstacleToOwn(maps: Maps): string | undefined {
  const slot = slotOf(loopback, 'egress');
  if (recallOwn(maps).has(loopback) && queryTc(slot) !== undefined) return undefined;
  return (
    obstacleToTc(slot)?.message ?? 'it lost its program: the next change by ipvsadm, or fairlead attach, puts it there'
  );
}

function attachOwnOne(maps: Maps, index: number, isAnew: boolean): void {
  const slot = slotOf(index, 'egress');
  const known = recallOwn(maps).get(index);
  const isThere = queryTc(slot) !== undefined;
  if (known !== undefined && isThere && !isAnew) return;
  // Before it is done, so that it is undone even if we die in between.
  if (known !== undefined || !isThere)
    rememberOwn(maps, index, { ownQdisc: known?.ownQdisc === true || !hasClsact(index) });
  using program = openProgram(maps, 'director_own');
  attachTc(slot, program, { replace: known !== undefined });
}

function isNeededBeyondLo(maps: Maps): boolean {
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => wordOf(toAddress(address)))),
  );
  const isOwn = (address: Address): boolean => isLoopback(address) || own.has(wordOf(address));
  return readLive(maps).services.some(
    ({ identity, destinations }) =>
      destinations.some(({ rip }) => isOwn(rip)) ||
      (destinations.length > 0 && identity.kind === 'address' && !isOwn(identity.vip)),
  );
}

/** Without the interface that an address may name. */
function toAddress(text: string): Address {
  return parseAddress(text.replace(/%.*/, ''));
}

function isLoopback({ family, bytes }: Address): boolean {
  return family === 4 && bytes[0] === loopbackNet;
}

/** Of IPv4 a number, for there may be 100,000. */
function wordOf({ family, bytes }: Address): number | string {
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  return family === 4 ? ((a << 24) | (b << 16) | (c << 8) | d) >>> 0 : bytes.join();
}
