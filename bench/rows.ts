// What is measured: each forwarding method at four numbers of flows, new connections, replies, and the schedulers.
import { join } from 'node:path';
import type { Maps } from '../src/dataplane/maps.ts';
import { BpfProgram } from '../src/kernel/program.ts';
import { type Method, schedulers } from '../src/model/service.ts';
import { Generator, type Hook, type Traffic, tcpFlag } from './generator.ts';
import { type Figure, figure, run, type Sample, sample } from './measure.ts';
import { replies } from './replies.ts';
import { clients, port, services, vip, withScene } from './scene.ts';

export interface Row extends Figure {
  readonly name: string;
  readonly flows: number;
}

export interface Report {
  readonly rows: readonly Row[];
  /** What the generator costs a packet: already subtracted. */
  readonly floor: Figure;
}

const flowCounts = [1, 1 << 10, 1 << 16, 1 << 19];
const mostFlows = 1 << 19;
const runs = 7;
const packets = 1 << 20;
/** New connections come in so many parts, each a sample. */
const parts = 8;
const tunnelHeader = 20;
const methods: readonly Method[] = ['masq', 'gate', 'tunnel', 'fullnat'];
const verdicts = { xdp: { redirect: 4 }, tc: { redirect: 7 } } as const;

const client = { client: clients, vip, port };

export function measureAll(say: (text: string) => void): Report {
  using generator = new Generator();
  const floors: Sample[] = [];
  const rows = [...bareRows(generator, floors)];
  for (const method of methods) {
    say(`${method}: ${mostFlows} connections`);
    rows.push(...withScene(services(method, ['wlc']), (maps) => methodRows(generator, maps, method)));
  }
  say('schedulers');
  rows.push(...withScene(services('gate', schedulers), (maps) => schedulerRows(generator, maps)));
  return { rows, floor: figure(floors.map(({ floor }) => floor)) };
}

function bareRows(generator: Generator, floors: Sample[]): readonly Row[] {
  const traffic = { ...client, flows: 1, tcpFlags: tcpFlag.ack };
  const bare = repeat(() => sample(generator, 'xdp', generator.program('bare_redirect'), traffic, packets));
  const empty = repeat(() => sample(generator, 'xdp', generator.program('empty_xdp'), traffic, packets));
  floors.push(...bare, ...empty);
  return [toRow('empty program', 1, empty), toRow('parse and redirect', 1, bare)];
}

function methodRows(generator: Generator, maps: Maps, method: Method): readonly Row[] {
  using xdp = openProgram(maps, 'director_xdp');
  using tc = openProgram(maps, 'director_tc');
  const growth = method === 'tunnel' ? tunnelHeader : 0;
  const created = fill(generator, maps, xdp, { ...client, flows: mostFlows, tcpFlags: tcpFlag.syn, growth });
  run(generator, 'xdp', xdp, { ...client, flows: mostFlows, tcpFlags: tcpFlag.ack, growth }, mostFlows);
  const established = (hook: Hook, program: BpfProgram, name: string, flows: number): Row => {
    const traffic = { ...client, flows, tcpFlags: tcpFlag.ack, growth };
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
  if (!growth) found.push(...flowCounts.map((flows) => established('tc', tc, `tc ${method} established`, flows)));
  return [...found, toRow(`${method} new`, mostFlows, created)];
}

function schedulerRows(generator: Generator, maps: Maps): readonly Row[] {
  using xdp = openProgram(maps, 'director_xdp');
  const flows = 1 << 16;
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
  const counter = traffic.keys === undefined ? 'in_packets' : 'out_packets';
  run(generator, hook, program, traffic, Math.max(traffic.flows, 1 << 14)); // warms caches up
  const before = total(maps, counter);
  const samples = repeat(() => sample(generator, hook, program, traffic, packets));
  if (traffic.keys === undefined) expectAll(`packets of ${name} with ${traffic.flows} flows`, total(maps, counter) - before, runs * packets);
  for (const { verdict } of samples) {
    if (traffic.keys === undefined && verdict !== verdicts[hook].redirect) throw new Error(`${name}: the director answered ${verdict}`);
  }
  return toRow(name, traffic.flows, samples);
}

/** A few packets look routes up and leave the rest of their way to TC. */
function expectAll(what: string, got: number, expected: number): void {
  if (got < expected * 0.999) throw new Error(`${what}: expected ${expected}, the director counted ${got}`);
}

function total(maps: Maps, counter: string): number {
  const counters = maps.rows('counters');
  let sum = 0;
  for (let cell = 0; cell < counters.length; cell++) sum += Number(counters.bigint(counter).get(cell));
  return sum;
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
  return { name, flows, ...figure(samples.map(({ net }) => net)) };
}
