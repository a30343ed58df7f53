// What is measured: each forwarding method at four numbers of flows, new connections, replies, and the schedulers.
import { join } from 'node:path';
import type { Maps } from '../src/dataplane/maps.ts';
import { BpfProgram } from '../src/kernel/program.ts';
import { schedulers as allSchedulers, type Method } from '../src/model/service.ts';
import { type Family, Generator, type Hook, type Ingress, type Traffic, tcpFlag } from './generator.ts';
import { type Figure, run, type Sample, sample, toFigure } from './measure.ts';
import { replies } from './replies.ts';
import { places, port, services, withScene } from './scene.ts';

export interface Row extends Figure {
  readonly name: string;
  readonly family: Family;
  readonly flows: number;
}

export interface Report {
  readonly rows: readonly Row[];
  /** ns that the generator costs a packet: already subtracted. */
  readonly floorNs: number;
}

/** A translated connection of IPv6 takes four places in the table, of IPv4 two. */
const mostFlows = { 4: 1 << 19, 6: 1 << 18 } as const;
const flowCounts = { 4: [1, 1 << 10, 1 << 16, mostFlows[4]], 6: [1, 1 << 10, 1 << 16, mostFlows[6]] } as const;
const tcFlowCounts = [1, 1 << 16];
const runs = 9;
const packets = 1 << 18;
/** New connections come in so many parts, each a sample. */
const parts = 16;
const tunnelHeaders = { 4: 20, 6: 40 } as const;
/** `none` schedules nothing. */
const schedulers = allSchedulers.filter((scheduler) => scheduler !== 'none');
const methods: readonly Method[] = ['masq', 'gate', 'tunnel', 'fullnat'];

function bareClient(family: Family): { client: string; vip: string; port: number } {
  const { clients, vip } = places[family];
  return { client: clients, vip, port };
}

export function measureAll(say: (text: string) => void): Report {
  using generator = new Generator();
  const bare = bareSamples(generator);
  const rows = [toRow('empty program', 4, 1, bare.empty), toRow('parse and redirect', 4, 1, bare.redirect)];
  for (const family of [4, 6] as const) {
    for (const method of methods) {
      say(`${method}: ${mostFlows[family]} connections of IPv${family}`);
      const measure = (maps: Maps, ingress: Ingress): readonly Row[] =>
        methodRows(generator, maps, ingress, family, method);
      rows.push(...withScene(services(family, method, ['wlc']), measure));
    }
  }
  say('schedulers');
  rows.push(...withScene(services(4, 'gate', schedulers), (maps, ingress) => schedulerRows(generator, maps, ingress)));
  return { rows, floorNs: Math.min(...bare.empty.map(({ floor }) => floor)) };
}

function bareSamples(generator: Generator): Record<'empty' | 'redirect', readonly Sample[]> {
  const traffic = { ...bareClient(4), flows: 1, tcpFlags: tcpFlag.ack };
  const of = (name: 'empty_xdp' | 'bare_redirect'): readonly Sample[] =>
    repeat(() => sample(generator, 'xdp', generator.program(name), traffic, packets));
  return { empty: of('empty_xdp'), redirect: of('bare_redirect') };
}

function methodRows(
  generator: Generator,
  maps: Maps,
  ingress: Ingress,
  family: Family,
  method: Method,
): readonly Row[] {
  const client = { ...bareClient(family), ingress };
  using xdp = openProgram(maps, 'director_xdp');
  using tc = openProgram(maps, 'director_tc');
  const growth = method === 'tunnel' ? tunnelHeaders[family] : 0;
  const created = fill(generator, maps, xdp, { ...client, flows: mostFlows[family], tcpFlags: tcpFlag.syn, growth });
  run(generator, 'xdp', xdp, { ...client, flows: mostFlows[family], tcpFlags: tcpFlag.ack, growth }, mostFlows[family]);
  const established = (hook: Hook, program: BpfProgram, name: string, flows: number): Row => {
    const traffic = { ...(hook === 'xdp' ? client : bareClient(family)), flows, tcpFlags: tcpFlag.ack, growth };
    return row(generator, maps, hook, program, { name, family }, traffic);
  };
  const found = flowCounts[family].map((flows) => established('xdp', xdp, `${method} established`, flows));
  // By IPv6 a reply is found and rewritten as a request is.
  if (family === 4 && (method === 'masq' || method === 'fullnat')) {
    for (const flows of flowCounts[family]) {
      const keys = replies(maps, flows);
      const traffic = { ...client, flows, tcpFlags: tcpFlag.ack, keys };
      found.push(row(generator, maps, 'xdp', xdp, { name: `${method} reply`, family }, traffic));
    }
  }
  // A tunnel header can't be taken off again within a test run of a socket buffer.
  if (!growth) found.push(...tcFlowCounts.map((flows) => established('tc', tc, `tc ${method} established`, flows)));
  return [...found, toRow(`${method} new`, family, mostFlows[family], created)];
}

function schedulerRows(generator: Generator, maps: Maps, ingress: Ingress): readonly Row[] {
  const client = { ...bareClient(4), ingress };
  using xdp = openProgram(maps, 'director_xdp');
  const flows = 1 << 15;
  return schedulers.map((scheduler, index) => {
    const traffic = { ...client, port: port + index, flows, tcpFlags: tcpFlag.syn };
    return toRow(`${scheduler} new`, 4, flows, fill(generator, maps, xdp, traffic));
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

function row(
  generator: Generator,
  maps: Maps,
  hook: Hook,
  program: BpfProgram,
  { name, family }: Pick<Row, 'name' | 'family'>,
  traffic: Traffic,
): Row {
  run(generator, hook, program, traffic, Math.max(traffic.flows, 1 << 14)); // warms caches up
  const count = Math.max(traffic.flows, packets);
  const before = total(maps, 'in_packets');
  const samples = repeat(() => sample(generator, hook, program, traffic, count));
  // XDP leaves replies to TC when it has to look a client's route up: that is the reply's cost too.
  if (traffic.keys === undefined) expectAll(`packets of ${name}`, total(maps, 'in_packets') - before, runs * count);
  return toRow(name, family, traffic.flows, samples);
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

function toRow(name: string, family: Family, flows: number, samples: readonly Sample[]): Row {
  return { name, family, flows, ...toFigure(samples) };
}
