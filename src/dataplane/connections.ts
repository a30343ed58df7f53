// The connection table read from the kernel's own memory: only pages that may hold connections, and of them only live entries.
import { join } from 'node:path';
import { jiffiesPerSecond, lowJiffies } from '../kernel/clock.ts';
import { be16, decode } from '../kernel/codec.ts';
import { BpfProgram } from '../kernel/program.ts';
import type { Connection, Endpoint } from '../model/director.ts';
import { FairleadError } from '../model/error.ts';
import type { Maps } from './maps.ts';
import { readEndpoint } from './read.ts';
import { strideOf } from './rows.ts';
import { readTimeoutRow } from './timeouts.ts';
import { protocolName } from './vocabulary.ts';

const slotsPerPage = 64;
const noPartner = 0xffff_ffff;

/** flow.control: bits 0-2 kind, 8-11 state, 12-14 method, 16-31 generation. */
const kindOf = (control: number): number => control & 0x7;
const stateOf = (control: number): number => (control >>> 8) & 0xf;
const methodOf = (control: number): number => (control >>> 12) & 0x7;
const sameEntry = (a: number, b: number): boolean => ((a ^ b) & 0xffff_0007) === 0;

interface FlowRow {
  readonly addresses: bigint;
  readonly ports: bigint;
  readonly control: number;
  readonly seen: number;
  readonly destination: number;
  readonly partner: number;
  readonly new_addresses: bigint;
  readonly new_ports: bigint;
}

/** Connections that begin or end meanwhile may be seen or not. */
export function* readConnections(maps: Maps): Generator<Connection> {
  const rows = maps.rows('flows');
  const control = rows.number('control');
  const seen = rows.number('seen');
  const live = maps.vocabulary.flowKinds.get('FLOW_LIVE');
  const clock = readClock(maps);
  for (const slot of candidateSlots(maps)) {
    if (kindOf(control.get(slot)) !== live) continue;
    const row = rows.read<FlowRow>(slot);
    // The slot may have gone to another connection while it was read.
    if (!sameEntry(row.control, control.get(slot))) continue;
    const last = row.partner === noPartner ? row.seen : later(row.seen, seen.get(row.partner));
    const connection = toConnection(maps, row, clock.secondsLeft(stateOf(row.control), last));
    if (connection !== undefined) yield connection;
  }
}

/** Live connections, counted without decoding any. */
export function countConnections(maps: Maps): number {
  const live = maps.vocabulary.flowKinds.get('FLOW_LIVE');
  const control = maps.rows('flows').number('control');
  let count = 0;
  for (const slot of candidateSlots(maps)) if (kindOf(control.get(slot)) === live) count++;
  return count;
}

function* candidateSlots(maps: Maps): Generator<number> {
  const { flow_slots: slots } = maps.instance;
  const bitmap = maps.map('flow_pages').mmap();
  // A sweep clears a page's bit for the moment in which it looks: what was set before counts too.
  const before = Buffer.from(bitmap);
  const stride = strideOf(8);
  for (let at = 0; at < bitmap.length; at += stride) {
    const word = bitmap.readBigUInt64LE(at) | before.readBigUInt64LE(at);
    if (word === 0n) continue;
    for (let bit = 0; bit < 64; bit++) {
      if ((word & (1n << BigInt(bit))) === 0n) continue;
      const first = ((at / stride) * 64 + bit) * slotsPerPage;
      for (let slot = first; slot < Math.min(first + slotsPerPage, slots); slot++) yield slot;
    }
  }
}

function toConnection(maps: Maps, row: FlowRow, expiresInS: number): Connection | undefined {
  const { methods, states } = maps.vocabulary;
  const protocol = protocolName(Number((row.ports >> 32n) & 0xffn));
  const state = states.name(stateOf(row.control));
  const method = methods.name(methodOf(row.control));
  if (protocol === undefined || state === undefined || method === undefined) return undefined;
  const common = {
    protocol,
    state,
    method,
    expiresInS,
    client: source(row.addresses, row.ports),
    virtual: target(row.addresses, row.ports),
  };
  if (method === 'gate' || method === 'tunnel') {
    const { rip: address, port } = readEndpoint(maps, row.destination);
    return { ...common, destination: { address, port: port === 0 ? common.virtual.port : port } };
  }
  const translated = { ...common, destination: target(row.new_addresses, row.new_ports) };
  return method === 'fullnat' ? { ...translated, local: source(row.new_addresses, row.new_ports) } : translated;
}

function source(addresses: bigint, ports: bigint): Endpoint {
  return endpoint(Number(addresses & 0xffff_ffffn), Number(ports & 0xffffn));
}

function target(addresses: bigint, ports: bigint): Endpoint {
  return endpoint(Number(addresses >> 32n), Number((ports >> 16n) & 0xffffn));
}

/** Both as on the wire. */
function endpoint(word: number, port: number): Endpoint {
  return {
    address: { family: 4, bytes: [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24] },
    port: be16(port),
  };
}

/** Of two jiffies, 32 bits wide and less than 2^31 apart. */
function later(a: number, b: number): number {
  return ((b - a) | 0) > 0 ? b : a;
}

interface Clock {
  /** Until a connection in this state, last seen then, expires. */
  secondsLeft(state: number, seen: number): number;
}

function readClock(maps: Maps): Clock {
  const now = readJiffies(maps);
  const timeouts = readTimeoutRow(maps);
  const left = (state: number, seen: number): number =>
    (timeouts[state] ?? 0) - ((now - seen) | 0) / jiffiesPerSecond();
  return { secondsLeft: (state, seen) => Math.max(0, Math.floor(left(state, seen))) };
}

/** The low 32 bits, as entries have them. */
export function readJiffies(maps: Maps): number {
  using program = BpfProgram.openPinned(join(maps.directory, 'clock'));
  if (program === undefined) throw new FairleadError('not-attached', `${maps.directory}: program clock is missing`);
  const layout = maps.layouts.struct('clock');
  const { context } = program.testRun({ context: Buffer.alloc(layout.size) });
  return lowJiffies(decode<{ jiffies: bigint }>(layout, context).jiffies);
}
