// What is measured: each forwarding method at four numbers of flows, new connections, replies, and the schedulers.
import { join } from 'node:path';
import type { Maps } from '../src/dataplane/maps.ts';
import { BpfProgram } from '../src/kernel/program.ts';
import { type Method, schedulers } from '../src/model/service.ts';
import { Generator, type Hook, type Ingress, type Traffic, tcpFlag } from './generator.ts';
import { type Figure, run, type Sample, sample, toFigure } from './measure.ts';
import { replies } from './replies.ts';
import { clients, port, services, vip, withScene } from './scene.ts';

export interface Row extends Figure {
  readonly name: string;
  readonly flows: number;
}

export interface Report {
  readonly rows: readonly Row[];
  /** ns that the generator costs a packet: already subtracted. */
  readonly floorNs: number;
}

const flowCounts = [1, 1 << 10, 1 << 16, 1 << 19];
const tcFlowCounts = [1, 1 << 16];
const mostFlows = 1 << 19;
const runs = 9;
const packets = 1 << 18;
/** New connections come in so many parts, each a sample. */
const parts = 16;
const tunnelHeader = 20;
const methods: readonly Method[] = ['masq', 'gate', 'tunnel', 'fullnat'];

const bareClient = { client: clients, vip, port };

export function measureAll(say: (text: string) => void): Report {
  using generator = new Generator();
  const bare = bareSamples(generator);
  const rows = [toRow('empty program', 1, bare.empty), toRow('parse and redirect', 1, bare.redirect)];
  for (const method of methods) {
    say(`${method}: ${mostFlows} connections`);
    rows.push(...withScene(services(method, ['wlc']), (maps, ingress) => methodRows(generator, maps, ingress, method)));
  }
  say('schedulers');
  rows.push(...withScene(services('gate', schedulers), (maps, ingress) => schedulerRows(generator, maps, ingress)));
  return { rows, floorNs: Math.min(...bare.empty.map(({ floor }) => floor)) };
}

function bareSamples(generator: Generator): Record<'empty' | 'redirect', readonly Sample[]> {
  const traffic = { ...bareClient, flows: 1, tcpFlags: tcpFlag.ack };
  const of = (name: 'empty_xdp' | 'bare_redirect'): readonly Sample[] =>
    repeat(() => sample(generator, 'xdp', generator.program(name), traffic, packets));
  return { empty: of('empty_xdp'), redirect: of('bare_redirect') };
}

function methodRows(generator: Generator, maps: Maps, ingress: Ingress, method: Method): readonly Row[] {
  const client = { ...bareClient, ingress };
  using xdp = openProgram(maps, 'director_xdp');
  using tc = openProgram(maps, 'director_tc');
  const growth = method === 'tunnel' ? tunnelHeader : 0;
  const created = fill(generator, maps, xdp, { ...client, flows: mostFlows, tcpFlags: tcpFlag.syn, growth });
  run(generator, 'xdp', xdp, { ...client, flows: mostFlows, tcpFlags: tcpFlag.ack, growth }, mostFlows);
  const established = (hook: Hook, program: BpfProgram, name: string, flows: number): Row => {
    const traffic = { ...(hook === 'xdp' ? client : bareClient), flows, tcpFlags: tcpFlag.ack, growth };
    return row(generator, maps, hook, program, name, traffic);
  };
  const found = flowCounts.map((flows) => established('xdp', xdp, `${method} established`, flows));
  const translates = method === 'masq' || method === 'fullnat';
  if (translates) {
    for (const flows of flowCounts) {
      const keys = replies(maps, flows);
      const traffic = { ...client, flows, tcpFlags: tcpFlag.ack, keys };
      found.push(row(generator, maps, 'xdp', xdp, `${method} reply`, traffic));
    }
  }
  // A tunnel header can't be taken off again within a test run of a socket buffer.
  if (!growth) found.push(...tcFlowCounts.map((flows) => established('tc', tc, `tc ${method} established`, flows)));
  return [...found, toRow(`${method} new`, mostFlows, created)];
}

function schedulerRows(generator: Generator, maps: Maps, ingress: Ingress): readonly Row[] {
  const client = { ...bareClient, ingress };
  using xdp = openProgram(maps, 'director_xdp');
  const flows = 1 << 15;
  return schedulers.map((scheduler, index) => {
    const traffic = { ...client, port: port + index, flows, tcpFlags: tcpFlag.syn };
    return toRow(`${scheduler} new`, flows, fill(generator, maps, xdp, traffic));
  });
}

/** Makes all the traffic's connections, in parts. */
function fill(generator: Generator, maps: Maps, program: BpfProgram, traffic: Traffic): readonly Sample[] {
  const before = total(maps, 'connections');
  let first = 0;
  const samples = Array.from({ length: parts }, () => {
    const made = sample(generator, 'xdp', program, { ...traffic, first }, traffic.flows / parts);
    first = generator.next();
    return made;
  });
  expectAll('connections', total(maps, 'connections') - before, traffic.flows);
  return samples;
}

function row(generator: Generator, maps: Maps, hook: Hook, program: BpfProgram, name: string, traffic: Traffic): Row {
  run(generator, hook, program, traffic, Math.max(traffic.flows, 1 << 14)); // warms caches up
  const count = Math.max(traffic.flows, packets);
  const before = total(maps, 'in_packets');
  const samples = repeat(() => sample(generator, hook, program, traffic, count));
  // XDP leaves replies to TC when it has to look a client's route up: that is the reply's cost too.
  if (traffic.keys === undefined) expectAll(`packets of ${name}`, total(maps, 'in_packets') - before, runs * count);
  return toRow(name, traffic.flows, samples);
}

/** A few packets look routes up and leave the rest of their way to TC. */
function expectAll(what: string, got: number, expected: number): void {
  if (got < expected * 0.999) throw new Error(`${what}: expected ${expected}, the director counted ${got}`);
}

function total(maps: Maps, counter: string): number {
  const { cpus, destination_slots: slots } = maps.instance;
  const cells = maps.rows('counters').bigint(counter);
  const used = maps.rows('settings').number('destinations_used').get(0);
  let sum = 0n;
  for (let cpu = 0; cpu < cpus; cpu++) for (let slot = 0; slot < used; slot++) sum += cells.get(cpu * slots + slot);
  return Number(sum);
}

function openProgram(maps: Maps, name: string): BpfProgram {
  const program = BpfProgram.openPinned(join(maps.directory, name));
  if (program === undefined) throw new Error(`there is no program ${name}`);
  return program;
}

function repeat(work: () => Sample): readonly Sample[] {
  return Array.from({ length: runs }, work);
}

function toRow(name: string, flows: number, samples: readonly Sample[]): Row {
  return { name, flows, ...toFigure(samples) };
}
