// Programs and tables in the place of those attached, under traffic, for a new version or more destinations: services, connections and
// counters stay.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Layouts } from '../../kernel/btf.ts';
import { bootSeconds } from '../../kernel/clock.ts';
import { exchangeNames } from '../../kernel/libc.ts';
import { BpfProgram } from '../../kernel/program.ts';
import { exchangePrograms, pinLinks } from '../attach.ts';
import { repairSlots } from '../destinations.ts';
import { loadedFeatures } from '../features.ts';
import { openProgram } from '../filter.ts';
import { openAnyInstance, pinnedTypes, removeUnfinished } from '../instance.ts';
import { loadNew, readBuild, readObjectLayouts, startTimer, stopTimer } from '../load.ts';
import { setLookups } from '../lookups.ts';
import { Maps } from '../maps.ts';
import type { Place } from '../place.ts';
import { readLive } from '../read.ts';
import { rows, strideOf } from '../rows.ts';
import { ledgerEntries, mapSizes, readUnits } from '../sizes.ts';
import { writeTimeouts } from '../timeouts.ts';
import { layoutVersion } from '../version.ts';
import { Carrying } from './carry.ts';
import { Hold, removeHold } from './hold.ts';
import { movesBetween } from './moves.ts';
import { requireSameNumbers } from './numbers.ts';

export interface TakeOver {
  /** Not fewer than there are, which it is if not given. */
  readonly destinationSlots?: number;
}

/**
 * Under the instance's lock. The maps that are laid out as before are the new programs' too; what is in the others is copied, and
 * for as long as that takes no packet of a service passes where packets write them. What fails leaves all as it was; who dies leaves
 * it to the next one: see `settle`.
 */
export function takeOver(place: Place, before: Maps, { destinationSlots }: TakeOver = {}): void {
  const layouts = readObjectLayouts();
  requireSameNumbers(pinnedTypes(place.directory) ?? layouts, layouts);
  mkdirSync(place.unfinished, { mode: 0o700 });
  try {
    const slots = destinationSlots ?? before.instance.destination_slots;
    const carrying = prepare(place.unfinished, before, layouts, slots);
    using now = new Maps(place.unfinished, layouts);
    const isHeld = carrying.copies.some(({ byPackets }) => byPackets);
    using hold = isHeld ? Hold.begin(before, place.unfinished) : undefined;
    stopTimer(before.directory);
    for (const copy of carrying.copies) copy.run(now, () => hold?.tick());
    const live = readLive(now);
    repairSlots(now, live, bootSeconds()); // what destinations did not have of their services in the former build
    setLookups(now, live.services); // and what settings did not
    writeTimeouts(now, { tcp: 0, tcpFin: 0, udp: 0 }); // of states that the former build did not have
    exchangeNames(place.directory, place.unfinished);
    using there = new Maps(place.directory, layouts);
    hold?.passTo(there);
  } finally {
    settle(place);
  }
}

/** All of the new instance, in which nobody looks yet. */
function prepare(directory: string, before: Maps, layouts: Layouts, destinationSlots: number): Carrying {
  const carrying = new Carrying(before, layouts);
  const instance = { ...instanceRow(before, layouts), destination_slots: destinationSlots };
  const { flow_slots: flowSlots, cpus } = before.instance;
  const sizes = mapSizes(readUnits(layouts), { flowSlots, destinationSlots }, cpus);
  loadNew(directory, layouts, {
    instance,
    sizes,
    used: loadedFeatures(before.directory),
    take: (name, entries) => carrying.take(name, entries),
  });
  carrying.pinOthers(directory, ledgerEntries(sizes));
  pinLinks(before, directory);
  using now = new Maps(directory, layouts);
  now.rows('instances').patch(0, instance);
  return carrying;
}

/** struct instance's row for this build. */
function instanceRow(before: Maps, layouts: Layouts): object {
  const [from, to] = [before.layouts.struct('instance'), layouts.struct('instance')];
  const bytes = Buffer.alloc(strideOf(to.size));
  const old = Buffer.from(before.map('instances').mmap());
  for (const move of movesBetween(from, to)) old.copy(bytes, move.to, move.from, move.from + move.size);
  const row = rows(to, new Uint8Array(bytes).buffer).read<object>(0);
  return { ...row, version: layoutVersion(layouts), build: readBuild() };
}

/** Under the instance's lock. What was begun and not brought to its end, or just was, is put in order: packets meet the instance's programs. */
export function settle(place: Place): void {
  if (!existsSync(place.unfinished)) return;
  using maps = openAnyInstance(place);
  if (maps === undefined) return;
  using xdp = BpfProgram.openPinned(join(place.directory, 'director_xdp'));
  using tc = openProgram(maps, 'director_tc');
  using own = openProgram(maps, 'director_own');
  exchangePrograms(maps, { xdp, tc, own });
  startTimer(place.directory);
  removeHold(place.directory);
  removeUnfinished(place);
}
