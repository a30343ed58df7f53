// A moment without packets of services: nothing changes the tables while they are read. It ends by itself if whoever began it dies.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { readLayouts } from '../../kernel/btf.ts';
import { encodeInto } from '../../kernel/codec.ts';
import type { BpfMap } from '../../kernel/map.ts';
import { BpfObject } from '../../kernel/object.ts';
import { BpfProgram } from '../../kernel/program.ts';
import { exchangePrograms } from '../attach.ts';
import type { Maps } from '../maps.ts';
import { holdPath } from '../place.ts';
import { waitForPackets } from '../service_table.ts';

/** Beyond any step between two ticks, of which the longest makes an inner map of millions of entries. */
const holdNs = 3_000_000_000n;
/** The map of the program that is held back, by the name of that program. */
const heldMaps = { director_xdp: 'held_xdp', director_tc: 'held_tc', director_own: 'held_own' } as const;
const untilMap = 'hold_until';

export class Hold implements Disposable {
  readonly #until: BpfMap;
  readonly #held: ReadonlyMap<string, BpfMap>;

  private constructor(until: BpfMap, held: ReadonlyMap<string, BpfMap>) {
    this.#until = until;
    this.#held = held;
  }

  /** From here on no packet of a service gets to the director. What that needs to go on by itself is pinned in `directory`. */
  static begin(director: Maps, directory: string): Hold {
    using object = BpfObject.open(holdPath);
    const constants = object.constants();
    const { LOOKUP_MARK } = director.vocabulary.numbers;
    const hasMarks = (director.rows('settings').number('lookups').get(0) & LOOKUP_MARK) !== 0;
    encodeInto(readLayouts(holdPath).variables('.rodata'), { holds_all: hasMarks ? 1 : 0 }, constants);
    object.setConstants(constants);
    object.reuse('ends', director.map('ends'));
    object.load();
    const held = new Map(Object.entries(heldMaps).map(([program, map]) => [program, object.map(map)]));
    const hold = new Hold(object.map(untilMap), held);
    try {
      hold.#until.pin(join(directory, untilMap));
      for (const map of held.values()) map.pin(join(directory, map.info.name));
      hold.passTo(director);
      hold.tick();
      using xdp = object.program('hold_xdp');
      using tc = object.program('hold_tc');
      using own = object.program('hold_own');
      exchangePrograms(director, { xdp, tc, own });
      waitForPackets(director);
      return hold;
    } catch (error) {
      hold[Symbol.dispose]();
      throw error;
    }
  }

  /** Nothing is held back for longer than a few seconds after the last of these. */
  tick(): void {
    const until = Buffer.alloc(8);
    until.writeBigUInt64LE(process.hrtime.bigint() + holdNs);
    this.#until.update(Buffer.alloc(4), until);
  }

  /** What is not held back, or no longer, goes on to these programs. */
  passTo(director: Maps): void {
    for (const [name, map] of this.#held) {
      using program = BpfProgram.openPinned(join(director.directory, name));
      if (program === undefined) continue;
      const fd = Buffer.alloc(4);
      fd.writeInt32LE(program.fd);
      map.update(Buffer.alloc(4), fd);
    }
  }

  [Symbol.dispose](): void {
    this.#until[Symbol.dispose]();
    for (const map of this.#held.values()) map[Symbol.dispose]();
  }
}

/** What a hold left pinned, once its programs are attached nowhere. */
export function removeHold(directory: string): void {
  for (const name of [...Object.values(heldMaps), untilMap]) rmSync(join(directory, name), { force: true });
}
