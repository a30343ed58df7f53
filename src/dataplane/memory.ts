// What was attached where, and how: kept beside the maps, so that later processes can take it away again.
import { BpfMap, mapFlag, mapType } from '../kernel/map.ts';
import { type Hook, hooks } from './choose.ts';
import type { Maps } from './maps.ts';

/** What we did to an interface. */
export interface Facts {
  /** When it was attached: an interface of this name may come again with another index. */
  readonly name: string;
  readonly tc: boolean;
  readonly xdp: boolean;
  /** The clsact qdisc was not there before. */
  readonly ownQdisc: boolean;
}

/** What we did where packets leave an interface. */
export interface OwnFacts {
  /** The clsact qdisc was not there before. Where packets are taken as well, that is among those facts. */
  readonly ownQdisc: boolean;
}

/** How interfaces are chosen: those that come later as well, unless they were named. */
export interface Choice {
  readonly hook: Hook;
  readonly isByName: boolean;
}

const untouched: Facts = { name: '', tc: false, xdp: false, ownQdisc: false };
const bits = { tc: 1, xdp: 2, ownQdisc: 4 } as const;
const byName = 4;
/** No interface has this index, nor one with the bit. */
const choiceKey = 0;
const ownBit = 0x8000_0000;
const mostInterfaces = 65536;
/** A word of bits, and IFNAMSIZ bytes. */
const valueBytes = 20;

export function createMemory(): BpfMap {
  return BpfMap.create({
    type: mapType.hash,
    name: 'attachments',
    keySize: 4,
    valueSize: valueBytes,
    maxEntries: mostInterfaces,
    flags: mapFlag.noPrealloc,
  });
}

/** By interface index. */
export function recall(maps: Maps): ReadonlyMap<number, Facts> {
  return new Map(entries(maps).filter(([index]) => index !== choiceKey && index < ownBit));
}

/** By interface index. */
export function recallOwn(maps: Maps): ReadonlyMap<number, OwnFacts> {
  return new Map(entries(maps).flatMap(([key, facts]) => (key < ownBit ? [] : [[key - ownBit, facts] as const])));
}

export function rememberOwn(maps: Maps, index: number, { ownQdisc }: OwnFacts): void {
  put(maps, index + ownBit, ownQdisc ? bits.ownQdisc : 0);
}

export function forgetOwn(maps: Maps, index: number): void {
  maps.map('attachments').delete(word(index + ownBit));
}

/** Adds to what is known of the interface. */
export function remember(maps: Maps, index: number, facts: Partial<Facts>): void {
  const known = maps.map('attachments').lookup(word(index));
  const { name, tc, xdp, ownQdisc } = { ...(known === undefined ? untouched : toFacts(known)), ...facts };
  put(maps, index, (tc ? bits.tc : 0) | (xdp ? bits.xdp : 0) | (ownQdisc ? bits.ownQdisc : 0), name);
}

export function forget(maps: Maps, index: number): void {
  maps.map('attachments').delete(word(index));
}

export function recallChoice(maps: Maps): Choice {
  const value = maps.map('attachments').lookup(word(choiceKey))?.readUInt32LE(0) ?? 0;
  return { hook: hooks[value & ~byName] ?? 'auto', isByName: (value & byName) !== 0 };
}

export function rememberChoice(maps: Maps, { hook, isByName }: Choice): void {
  put(maps, choiceKey, hooks.indexOf(hook) | (isByName ? byName : 0));
}

function entries(maps: Maps): readonly (readonly [number, Facts])[] {
  return [...maps.map('attachments').entries()].map(([key, value]) => [key.readUInt32LE(0), toFacts(value)] as const);
}

function toFacts(value: Buffer): Facts {
  const word = value.readUInt32LE(0);
  return {
    name: value.toString('latin1', 4).replace(/\0.*$/s, ''),
    tc: (word & bits.tc) !== 0,
    xdp: (word & bits.xdp) !== 0,
    ownQdisc: (word & bits.ownQdisc) !== 0,
  };
}

function put(maps: Maps, index: number, value: number, name = ''): void {
  const bytes = Buffer.alloc(valueBytes);
  bytes.writeUInt32LE(value);
  bytes.write(name, 4, 'latin1');
  maps.map('attachments').update(word(index), bytes);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
