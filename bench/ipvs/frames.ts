// Instructions that a frame takes at XDP, in the machine that counts them: live frames by the generator, out of a veth whose other end drops them.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { openInstance } from '../../src/dataplane/instance.ts';
import { findPlace } from '../../src/dataplane/place.ts';
import { interfaces } from '../../src/kernel/interfaces.ts';
import { BpfObject } from '../../src/kernel/object.ts';
import { BpfProgram } from '../../src/kernel/program.ts';
import { root } from '../../test/root.ts';
import { Generator, type Traffic } from '../packet/generator.ts';
import type { FramesTask } from './script.ts';

const clients = '10.64.0.0';
/** Of so many times the frames beginning and ending a test run takes little. */
const oftener = 8;
const more = 4;

count(JSON.parse(process.argv[2] ?? '') as FramesTask);

/**
 * Prints `= WHO STEP` before the rounds of each, net of as many frames that are dropped when they arrive, and how many of the
 * frames came out.
 */
function count({ device, peer, vip, services, packets, rounds, flows, newConnections }: FramesTask): void {
  using generator = new Generator();
  using sinkObject = BpfObject.open(join(root, 'build/bpf/sink.bpf.o'));
  sinkObject.load();
  using sink = sinkObject.program('sink');
  using director = openDirectorProgram();
  const ingress = interfaces().find(({ name }) => name === device);
  if (ingress === undefined) throw new Error(`there is no ${device}`);
  const traffic = (port: number, count: number): Traffic => {
    return { client: clients, vip, port, protocol: 'udp', flows: count, ingress };
  };
  const shoot = (frames: number): number => {
    const before = process.hrtime.bigint();
    generator.live(frames);
    return Number(process.hrtime.bigint() - before) / frames;
  };
  const step = (name: string, packet: Traffic, frames: number, times: number): void => {
    const before = arrived(peer);
    const figures = Array.from({ length: times }, () => {
      generator.plan(packet);
      generator.aim('xdp', sink);
      const floor = shoot(frames);
      generator.plan(packet);
      generator.aim('xdp', director);
      return shoot(frames) - floor;
    });
    const text = figures.map((one) => one.toFixed(1)).join('\n');
    process.stdout.write(`= ${name}\n${text}\nsent ${arrived(peer) - before} of ${frames * times}\n`);
  };
  for (const { method, port, newPort } of services) {
    for (const each of flows) {
      generator.aim('xdp', director);
      generator.plan(traffic(port, each));
      shoot(2 * each);
      step(`fairlead ${method} established ${each} XDP`, traffic(port, each), packets * oftener, rounds);
    }
    const most = newConnections * more;
    step(`fairlead ${method} new ${newConnections} XDP`, traffic(newPort, most), most, 1);
  }
}

function openDirectorProgram(): BpfProgram {
  const place = findPlace(false);
  using maps = place && openInstance(place);
  const program = maps && BpfProgram.openPinned(join(maps.directory, 'director_xdp'));
  if (program === undefined) throw new Error('there is no director at XDP');
  return program;
}

/** By the program at the veth's other end, in the client's namespace. */
function arrived(peer: string): number {
  const text = execFileSync('ip', ['netns', 'exec', 'client', 'ethtool', '-S', peer], { encoding: 'utf8' });
  return [...text.matchAll(/rx_queue_\d+_xdp_drops: (\d+)/g)].reduce((sum, [, drops]) => sum + Number(drops), 0);
}
