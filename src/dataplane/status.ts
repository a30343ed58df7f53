// What an operator asks first: what is attached where, how full the tables are, and why packets were not forwarded.
import { bootSeconds, jiffiesPerSecond } from '../kernel/clock.ts';
import { type Attachment, attachments, type Unattached, unattached } from './attach.ts';
import { countConnections, readJiffies } from './connections.ts';
import { readSlots } from './destinations.ts';
import { missingForwarding } from './forwarding.ts';
import type { Maps } from './maps.ts';
import { countMarkRules } from './mark-rules.ts';
import { ownPoints } from './own.ts';
import { countServices } from './service_table.ts';
import { isKept } from './slots.ts';

export interface Fill {
  readonly used: number;
  readonly size: number;
}

/** The timer that ends idle connections. */
export interface Sweep {
  /** Of the connection table, which it should have passed already. */
  readonly duePages: number;
  /** Since it should have begun its next share; 0 while it runs as it should. */
  readonly lateS: number;
  /** What it took of a core until now. */
  readonly busyS: number;
}

export interface Fills {
  readonly connections: Fill;
  readonly services: Fill;
  /** Used: in a service. Deleted: kept for connections that still refer to them, or for 2 minutes in case they come back. */
  readonly destinations: Fill & { readonly deleted: number };
  readonly markRules: Fill;
}

export interface Status extends Fills {
  readonly netnsCookie: bigint;
  readonly attachments: readonly Attachment[];
  readonly unattached: readonly Unattached[];
  /** Interfaces where the packets of clients and real servers on this machine are seen. */
  readonly own: readonly string[];
  /** Settings without which only ways that are known already are taken. The next change turns them on. */
  readonly missingForwarding: readonly string[];
  /** How many fullnat has for each of its addresses, towards each real server and port. */
  readonly localPorts: number;
  readonly sweep: Sweep;
  /** Packets not forwarded, by reason; those that never happened are 0. */
  readonly reasons: Readonly<Record<string, bigint>>;
  readonly events: Readonly<Record<string, bigint>>;
}

/** How full the tables are: without a look at what is in them, which is what most of a status takes. */
export function readFills(maps: Maps): Fills {
  return {
    connections: {
      used: countConnections(maps),
      size: Math.floor(maps.instance.flow_slots / maps.vocabulary.numbers.SLOTS_PER_CONNECTION),
    },
    services: { used: countServices(maps), size: maps.map('cursors').info.maxEntries },
    destinations: readDestinations(maps, bootSeconds()),
    markRules: { used: countMarkRules(maps), size: maps.vocabulary.numbers.MARK_RULES },
  };
}

export function readStatus(maps: Maps): Status {
  return {
    netnsCookie: maps.instance.netns_cookie,
    attachments: attachments(maps),
    unattached: unattached(maps),
    own: ownPoints(maps),
    missingForwarding: missingForwarding(maps),
    ...readFills(maps),
    localPorts: countLocalPorts(maps),
    sweep: readSweep(maps),
    reasons: readCounts(maps, 'reasons', maps.vocabulary.reasons),
    events: readCounts(maps, 'events', maps.vocabulary.events),
  };
}

function readDestinations(maps: Maps, nowS: number): Fills['destinations'] {
  const slots = readSlots(maps);
  let [used, deleted] = [0, 0];
  for (let slot = 0; slot < slots.everUsed; slot++) {
    if (!slots.isDeleted(slot)) used++;
    else if (isKept(slots, slot, nowS)) deleted++;
  }
  return { used, deleted, size: maps.instance.destination_slots };
}

function countLocalPorts(maps: Maps): number {
  const row = maps.rows('instances');
  const word = (name: string): number => row.number(name).get(0);
  const reserved = Math.max(0, word('reserved_high') - word('reserved_low') + 1);
  return word('port_high') - word('port_low') + 1 - reserved;
}

/** A share begins ten times a second, where the timer lives and is on time. */
const shareS = 0.1;

export function readSweep(maps: Maps): Sweep {
  const layout = maps.layouts.struct('sweep');
  const sweep = maps.map('sweeps').lookup(Buffer.alloc(4));
  const word = (name: string): number => sweep?.readUInt32LE(layout.field(name).offset) ?? 0;
  const behindS = ((readJiffies(maps) - word('next_share')) | 0) / jiffiesPerSecond();
  // Programs of a former build don't tell.
  const busy = layout.fields.get('busy_ns');
  const busyNs = (busy && sweep?.readBigUInt64LE(busy.offset)) ?? 0n;
  return { duePages: word('due'), lateS: Math.max(0, behindS - shareS), busyS: Number(busyNs) / 1e9 };
}

function readCounts(maps: Maps, map: 'reasons' | 'events', names: readonly string[]): Readonly<Record<string, bigint>> {
  const key = Buffer.alloc(4);
  const counts = names.map((name, number): [string, bigint] => {
    key.writeUInt32LE(number);
    const values = maps.map(map).lookup(key) ?? Buffer.alloc(0);
    let sum = 0n;
    for (let at = 0; at < values.length; at += 8) sum += values.readBigUInt64LE(at);
    return [name, sum];
  });
  return Object.fromEntries(counts.filter(([name]) => name !== 'none'));
}
