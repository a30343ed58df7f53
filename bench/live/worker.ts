// One core's part of a live run: it makes connections of its own and sends frames when all cores are ready. Run by cores.ts.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BpfProgram } from '../../src/kernel/program.ts';
import { softirqUs } from '../cpu.ts';
import { Generator, type Ingress, type Traffic, tcpFlag } from '../packet/generator.ts';
import { run } from '../packet/measure.ts';
import { arrivedFrames } from './sink.ts';

export interface Task {
  /** This core's, of so many. */
  readonly core: number;
  readonly cores: number;
  /** Where cores meet. */
  readonly folder: string;
  /** Where the director's programs are pinned. */
  readonly pins: string;
  readonly client: string;
  readonly vip: string;
  readonly port: number;
  readonly ingress: Ingress;
  readonly flows: readonly number[];
  readonly rounds: number;
  readonly frames: number;
  /** Bytes that the director puts in front, which a test run that sends nothing has to take off again. */
  readonly growth: number;
}

/** One is printed a line. */
export interface Shot {
  readonly who: 'bare' | 'director';
  readonly flows: number;
  readonly round: number;
  /** CPU time that this core's process took, and its thread for what interrupts leave to do. */
  readonly ns: number;
  /** Frames of all cores that the veth's other end took; only the first core counts them. */
  readonly arrived: number;
}

const patienceMs = 60_000;

shoot(JSON.parse(process.argv[2] ?? '') as Task);

function shoot({ core, cores, folder, pins, flows, rounds, frames, ...traffic }: Task): void {
  using generator = new Generator();
  using director = openProgram(pins);
  let meetings = 0;
  const meet = (): void => {
    const sign = (of: number): string => join(folder, `${meetings}-${of}`);
    writeFileSync(sign(core), '');
    const deadline = Date.now() + patienceMs;
    while (!Array.from({ length: cores }, (_, of) => sign(of)).every((path) => existsSync(path))) {
      if (Date.now() > deadline) throw new Error(`the other cores did not come within ${patienceMs} ms`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
    meetings++;
  };
  const most = Math.max(...flows);
  for (const tcpFlags of [tcpFlag.syn, tcpFlag.ack]) {
    run(generator, 'xdp', director, { ...traffic, flows: most, tcpFlags }, most);
  }
  for (const count of flows) {
    // A live frame begins where it did before whatever the last program put in front.
    const packets: Traffic = { ...traffic, growth: 0, flows: count, tcpFlags: tcpFlag.ack };
    for (let round = 0; round < rounds; round++) {
      for (const who of ['bare', 'director'] as const) {
        generator.aim('xdp', who === 'bare' ? generator.program('bare_tx') : director);
        generator.plan(packets);
        const before = core === 0 ? arrivedFrames() : 0;
        meet();
        const softirq = softirqUs(core);
        const own = generator.live(frames) * frames;
        const ns = own + (softirqUs(core) - softirq) * 1000;
        meet();
        const shot: Shot = { who, flows: count, round, ns, arrived: core === 0 ? arrivedFrames() - before : 0 };
        process.stdout.write(`${JSON.stringify(shot)}\n`);
      }
    }
  }
}

function openProgram(pins: string): BpfProgram {
  const program = BpfProgram.openPinned(join(pins, 'director_xdp'));
  if (program === undefined) throw new Error(`there is no director_xdp in ${pins}`);
  return program;
}
