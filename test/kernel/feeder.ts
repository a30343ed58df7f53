// The compiled feeder.bpf.c, aimed at a stage's director.
import { join } from 'node:path';
import { readLayouts } from '../../src/kernel/btf.ts';
import { encodeInto } from '../../src/kernel/codec.ts';
import { BpfObject } from '../../src/kernel/object.ts';
import type { BpfProgram } from '../../src/kernel/program.ts';
import { parseAddress } from '../../src/model/address.ts';
import { root } from '../root.ts';
import { compile } from './compile.ts';
import type { Stage } from './stage.ts';

export interface Race {
  readonly inStep: boolean;
  readonly flows: number;
  readonly vip: string;
  readonly firstRip: string;
  readonly local: string;
  readonly localPorts: readonly [first: number, last: number];
  readonly seed: number;
}

export interface Feeder extends Disposable {
  program(name: 'one_tag' | 'two_tags' | 'racer_one' | 'racer_two'): BpfProgram;
  /** Sets what racers send, and both at their start. */
  prepare(race: Race): void;
}

export function openFeeder(stage: Stage): Feeder {
  using compiled = compile(join(root, 'test/kernel/feeder.bpf.c'));
  const layouts = readLayouts(compiled.path);
  const object = BpfObject.open(compiled.path);
  object.load();
  const programs = (['one_tag', 'two_tags', 'racer_one', 'racer_two'] as const).map(
    (name) => [name, object.program(name)] as const,
  );
  const [races, racers] = [object.map('races'), object.map('racers')];
  for (const hook of ['xdp', 'tc'] as const) {
    using target = object.map(`${hook}_target`);
    const fd = Buffer.alloc(4);
    fd.writeInt32LE(stage.program(`director_${hook}`).fd);
    target.update(Buffer.alloc(4), fd);
  }
  return {
    program(wanted) {
      const [, found] = programs.find(([name]) => name === wanted) ?? [];
      if (found === undefined) throw new Error(`there is no program ${wanted}`);
      return found;
    },
    prepare({ inStep, flows, vip, firstRip, local, localPorts: [first, last], seed }) {
      const row = {
        in_step: inStep ? 1 : 0,
        flows,
        vip: word(vip),
        first_rip: word(firstRip),
        local: word(local),
        seed,
      };
      encodeInto(
        layouts.struct('race'),
        { ...row, first_local_port: first, local_ports: last - first + 1 },
        new Uint8Array(races.mmap()),
      );
      new Uint8Array(racers.mmap()).fill(0);
    },
    [Symbol.dispose]() {
      for (const one of [...programs.map(([, program]) => program), races, racers, object]) one[Symbol.dispose]();
    },
  };
}

/** As on the wire. */
function word(address: string): number {
  return Buffer.from(parseAddress(address).bytes).readUInt32LE(0);
}
