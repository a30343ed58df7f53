// The connection table read from the kernel's own memory: only pages that may hold connections, and of them only live entries.
import { join } from 'node:path';
import { jiffiesPerSecond, lowJiffies } from '../kernel/clock.ts';
import { be16, decode } from '../kernel/codec.ts';
import { BpfProgram } from '../kernel/program.ts';
import type { Connection, ConnectionPage } from '../model/director.ts';
import { FairleadError } from '../model/error.ts';
import { type CallIds, openCallIds } from './call-ids.ts';
import { controlOf } from './control.ts';
import { type Entry, readEntry } from './entries.ts';
import type { Maps } from './maps.ts';
import { readEndpoint } from './read.ts';
import { readTimeoutRow } from './timeouts.ts';
import { portlessName, protocolName } from './vocabulary.ts';
import { toEnds } from './wire.ts';

/** Connections that begin or end meanwhile may be seen or not. */
export function* readConnections(maps: Maps): Generator<Connection> {
  for (const [, connection] of readFrom(maps, 0)) yield connection;
}

/** A part of them, so that who reads all has time for other things between. */
export function readConnectionPage(maps: Maps, from: number, most: number): ConnectionPage {
  const connections: Connection[] = [];
  for (const [slot, connection] of readFrom(maps, from)) {
    if (connections.length === most) return { connections, next: slot };
    connections.push(connection);
  }
  return { connections, next: undefined };
}

function* readFrom(maps: Maps, from: number): Generator<readonly [slot: number, Connection]> {
  const { NO_PARTNER } = maps.vocabulary.numbers;
  const control = controlOf(maps.vocabulary.numbers);
  const clock = readClock(maps);
  const isAbandoned = abandonment(maps);
  using callIds = openCallIds(maps);
  for (const [slot, before] of liveSlots(maps, from)) {
    const rows = maps.rows('flows');
    const [word, seen] = [rows.number('control'), rows.number('seen')];
    const entry = readEntry(maps, control, slot);
    // The slot may have gone to another connection while it was read.
    if (!control.isSameEntry(before, word.get(slot)) || isAbandoned(entry.destination)) continue;
    const last = entry.partner === NO_PARTNER ? entry.seen : later(entry.seen, seen.get(entry.partner));
    const connection =
      entry.lease === undefined
        ? toConnection(maps, entry, clock.secondsLeft(clock.timeouts[entry.state] ?? 0, last))
        : toTemplate(maps, callIds, entry, clock.secondsLeft(entry.lease.timeoutS, last));
    if (connection !== undefined) yield [slot, connection];
  }
}

/** Whether the connections of a destination are as good as gone: no packet finds them any more, and the next sweep ends them. */
function abandonment(maps: Maps): (destination: number) => boolean {
  const { DESTINATION_AVAILABLE, ON_REMOVE_RESCHEDULE } = maps.vocabulary.numbers;
  const rows = maps.rows('destinations');
  const [flags, onRemove] = [rows.number('flags'), rows.number('on_remove')];
  const isExpiring = maps.rows('settings').number('expire_nodest_conn').get(0) !== 0;
  return (destination) =>
    (flags.get(destination) & DESTINATION_AVAILABLE) === 0 &&
    (isExpiring || onRemove.get(destination) === ON_REMOVE_RESCHEDULE);
}

/** Live connections and templates, counted without decoding any. */
export function countConnections(maps: Maps): number {
  let count = 0;
  for (const _ of liveSlots(maps, 0)) count++;
  return count;
}

/** Of connections, each with its control word. */
function* liveSlots(maps: Maps, from: number): Generator<readonly [slot: number, control: number]> {
  const { flow_slots: slots } = maps.instance;
  const { SLOTS_PER_PAGE } = maps.vocabulary.numbers;
  const { kind } = controlOf(maps.vocabulary.numbers);
  const live = maps.vocabulary.flowKinds.get('FLOW_LIVE');
  for (const page of heldPages(maps)) {
    const control = maps.rows('flows').number('control'); // mapped only where there is something to see
    const first = page * SLOTS_PER_PAGE;
    for (let slot = Math.max(first, from); slot < Math.min(first + SLOTS_PER_PAGE, slots); slot++) {
      const word = control.get(slot);
      if (kind(word) === live) yield [slot, word];
    }
  }
}

/** That may hold connections. */
function* heldPages(maps: Maps): Generator<number> {
  const { PAGES_PER_WORD } = maps.vocabulary.numbers;
  const words = maps.words('flow_pages');
  // A sweep clears a page's bit for the moment in which it looks: what was set before counts too.
  const before = Array.from({ length: maps.map('flow_pages').info.maxEntries }, (_, index) => words.get(index));
  for (const [index, earlier] of before.entries()) {
    const word = words.get(index) | earlier;
    for (let bit = 0; word !== 0n && bit < PAGES_PER_WORD; bit++) {
      if ((word & (1n << BigInt(bit))) !== 0n) yield index * PAGES_PER_WORD + bit;
    }
  }
}

function toConnection(maps: Maps, entry: Entry, expiresInS: number): Connection | undefined {
  const { methods, states } = maps.vocabulary;
  const { source: client, target: virtual, protocol: number } = toEnds(entry.key);
  const protocol = protocolName(number) ?? portlessName(number);
  // AH and ESP have none; their entries live as long as UDP's.
  const state = protocol === 'esp' || protocol === 'ah' ? 'NONE' : states.name(entry.state);
  const method = methods.name(entry.method);
  if (protocol === undefined || state === undefined || method === undefined) return undefined;
  const common = { protocol, state, method, expiresInS, client, virtual };
  if (method === 'gate' || method === 'tunnel') {
    const { rip: address } = readEndpoint(maps, entry.destination);
    // An IPv6 entry has no room for the port; one that came by a template, where it may be another, has an extension.
    const isTold = !entry.isSix || entry.isExtended;
    const port = isTold ? toEnds(entry.becomes).target.port : portBehind(maps, entry.destination, virtual.port);
    return { ...common, destination: { address, port } };
  }
  const { source: local, target: destination } = toEnds(entry.becomes);
  return method === 'fullnat' ? { ...common, destination, local } : { ...common, destination };
}

/** A connection to another port than its service's, or to none, keeps it. */
function portBehind(maps: Maps, slot: number, virtualPort: number): number {
  const servicePort = be16(maps.rows('destinations').number('key.port').get(slot));
  if (virtualPort === 0 || (servicePort !== 0 && servicePort !== virtualPort)) return virtualPort;
  return readEndpoint(maps, slot).port || virtualPort;
}

/** As IPVS shows it: a client under its mask, and no ports but those of a service that has one. */
function toTemplate(maps: Maps, callIds: CallIds, entry: Entry, expiresInS: number): Connection | undefined {
  const { methods, states } = maps.vocabulary;
  const call = entry.lease?.hasCallId ? callIds.of(entry.slot) : undefined;
  // Its key is then a hash: without what that is of, which may just be coming or going, nobody knows whose it is.
  if (entry.lease?.hasCallId && call === undefined) return undefined;
  const {
    source: client,
    target: virtual,
    protocol: number,
  } = toEnds({ ...entry.key, words: call?.words ?? entry.key.words });
  const protocol = number === 0 ? 'ip' : (protocolName(number) ?? portlessName(number));
  const method = methods.name(entry.method);
  if (protocol === undefined || method === undefined) return undefined;
  const { rip: address, port } = readEndpoint(maps, entry.destination);
  return {
    protocol,
    state: states.name(entry.state) ?? 'NONE',
    isTemplate: true,
    method,
    expiresInS,
    client,
    virtual,
    destination: { address, port: entry.lease?.isParked || virtual.port === 0 ? virtual.port : port },
    ...(call === undefined ? {} : { engine: { name: 'sip', data: call.text } }),
  };
}

/** Of two jiffies, 32 bits wide and less than 2^31 apart. */
function later(a: number, b: number): number {
  return ((b - a) | 0) > 0 ? b : a;
}

interface Clock {
  /** By state. */
  readonly timeouts: readonly number[];
  /** Until an entry with this timeout, last seen then, expires. */
  secondsLeft(timeoutS: number, seen: number): number;
}

function readClock(maps: Maps): Clock {
  const now = readJiffies(maps);
  const timeouts = readTimeoutRow(maps);
  const left = (timeoutS: number, seen: number): number => timeoutS - ((now - seen) | 0) / jiffiesPerSecond();
  return { timeouts, secondsLeft: (timeoutS, seen) => Math.max(0, Math.floor(left(timeoutS, seen))) };
}

/** The low 32 bits, as entries have them. */
export function readJiffies(maps: Maps): number {
  using program = BpfProgram.openPinned(join(maps.directory, 'clock'));
  if (program === undefined) throw new FairleadError('not-attached', `${maps.directory}: program clock is missing`);
  const layout = maps.layouts.struct('clock');
  const { context } = program.testRun({ context: Buffer.alloc(layout.size) });
  return lowJiffies(decode<{ jiffies: bigint }>(layout, context).jiffies);
}
