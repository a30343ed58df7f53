// Runs inside the emulated machine: Fairlead at XDP, by frames that are really sent out of a veth. Prints as the shell's steps do.
import { readFileSync } from 'node:fs';
import { BpfObject } from '../../src/kernel/object.ts';
import type { BpfProgram } from '../../src/kernel/program.ts';
import { type Method, methods } from '../../src/model/service.ts';
import { arrivedFrames, attachSink, sinkObject } from '../live/sink.ts';
import { Generator, type Traffic, tcpFlag } from '../packet/generator.ts';
import { places, type Scene, service, withScene } from '../packet/scene.ts';
import type { Effort } from './script.ts';

/** By method: the established connections' service is the first, and each round of new ones has one more. */
const ports: Readonly<Record<Method, number>> = { masq: 5000, gate: 5100, tunnel: 5200, fullnat: 5300 };
const clients = { client: places[4].clients, vip: places[4].vip };

interface Task extends Effort {
  /** Size of the connection table. */
  readonly connections: number;
}

shoot(JSON.parse(process.argv[2] ?? '') as Task);

function shoot({ connections, ...effort }: Task): void {
  using generator = new Generator();
  const services = methods.flatMap((method) =>
    Array.from({ length: 1 + effort.rounds }, (_, index) =>
      service({ family: 4, port: ports[method] + index, protocol: 'udp', method }),
    ),
  );
  withScene(services, { connections }, (scene) => {
    attachSink();
    bareSteps(generator, scene, effort);
    for (const method of methods) methodSteps(generator, scene, method, effort);
  });
}

/** What the generator takes by itself, in volleys of either size, and what sending does: its program looks at TCP. */
function bareSteps(generator: Generator, { ingress }: Scene, { packets, rounds, newConnections }: Effort): void {
  const traffic = { ...clients, port: 9, flows: 1, tcpFlags: tcpFlag.ack, ingress };
  using object = BpfObject.open(sinkObject);
  object.load();
  using sink = object.program('sink');
  print('bare dropped, XDP', 1, steps(generator, sink, traffic, packets, rounds), false);
  const few = { ...traffic, flows: newConnections };
  print('bare dropped, XDP', newConnections, steps(generator, sink, few, newConnections, rounds), false);
  print('bare sent, XDP', 1, steps(generator, generator.program('bare_tx'), traffic, packets, rounds));
}

function methodSteps(generator: Generator, scene: Scene, method: Method, effort: Effort): void {
  const { packets, rounds, flows, newConnections } = effort;
  const director = scene.program('director_xdp');
  const traffic = { ...clients, protocol: 'udp', ingress: scene.ingress } as const;
  for (const count of flows) {
    const established = { ...traffic, port: ports[method], flows: count };
    // What is new is so once; the first by each real server looks its way up.
    steps(generator, director, established, count, 2);
    print(`fairlead ${method} established, XDP`, count, steps(generator, director, established, packets, rounds));
  }
  const created = Array.from({ length: rounds }, (_, index) => {
    const fresh = { ...traffic, port: ports[method] + 1 + index, flows: newConnections };
    return steps(generator, director, fresh, newConnections, 1);
  });
  print(`fairlead ${method} new, XDP`, newConnections, created.flat());
}

interface Sent {
  /** Instructions a frame. */
  readonly took: number;
  readonly frames: number;
  readonly arrived: number;
}

function steps(
  generator: Generator,
  program: BpfProgram,
  traffic: Traffic,
  frames: number,
  rounds: number,
): readonly Sent[] {
  generator.aim('xdp', program);
  generator.plan(traffic);
  return Array.from({ length: rounds }, () => {
    const before = arrivedFrames();
    const began = busyNs();
    generator.live(frames);
    const took = (busyNs() - began) / frames;
    return { took, frames, arrived: arrivedFrames() - before };
  });
}

/** How long the machine's one CPU ran anybody: a live run waits for grace periods of RCU when it begins and when it ends. */
function busyNs(): number {
  const ran = /^cpu0 (?:\d+ ){6}(\d+)/m.exec(readFileSync('/proc/schedstat', 'utf8'))?.[1];
  if (ran === undefined) throw new Error('/proc/schedstat tells nothing of CPU 0');
  return Number(ran);
}

/** `isSent`: all must have arrived. */
function print(name: string, flows: number, rounds: readonly Sent[], isSent = true): void {
  const sum = (what: 'arrived' | 'frames'): number => rounds.reduce((total, round) => total + round[what], 0);
  const lines = [`= ${name}|${flows}`, ...rounds.map(({ took }) => took.toFixed(1))];
  if (isSent) lines.push(`sent ${sum('arrived')} of ${sum('frames')}`);
  process.stdout.write(`${lines.join('\n')}\n`);
}
