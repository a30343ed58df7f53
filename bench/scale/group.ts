// The scale group: what size costs: connections, services, destinations, and many new connections beside many open ones.
import { type Method, methods } from '../../src/model/service.ts';
import { total, traffic } from '../packet/bench.ts';
import { Generator, tcpFlag } from '../packet/generator.ts';
import { run, type Sample, sample, toRow } from '../packet/measure.ts';
import { type Scene, service, withScene } from '../packet/scene.ts';
import { findRow, type Group, type GroupReport, type Limit, limitOf, medianFigure, type Row } from '../row.ts';
import { churnRows } from './churn.ts';
import { manyServices } from './services.ts';
import { sweepRows } from './sweep.ts';

export interface Effort {
  readonly flows: readonly number[];
  readonly services: readonly number[];
  readonly destinations: readonly number[];
  /** Connections are made, and packets sent, in so many parts, each a sample. */
  readonly parts: number;
  readonly packets: number;
  readonly churn: { readonly open: number; readonly seconds: number };
  /** Of tables with so many connections or more. */
  readonly sweep: { readonly least: number; readonly seconds: number };
}

const whole: Effort = {
  ...{
    flows: [10_000, 100_000, 1_000_000, 10_000_000],
    services: [10, 1000, 100_000],
    destinations: [10, 100, 1000, 10_000],
  },
  ...{ parts: 4, packets: 1 << 17, churn: { open: 1_000_000, seconds: 5 } },
  sweep: { least: 1_000_000, seconds: 6 },
};
const quick: Effort = {
  ...{ flows: [10_000], services: [10], destinations: [10], parts: 2, packets: 1 << 12 },
  churn: { open: 10_000, seconds: 1 },
  sweep: { least: 0, seconds: 2 },
};
/** So many take a while: gate stands for tunnel then, and masq for fullnat. */
const most = 10_000_000;
const port = 80;
const family = 4;
/** As many as the generator can tell apart: of them, the first so many in its order are sent. */
const allFlows = 1 << 24;
/** Entries of a connection, and what it may take of the table: not quite twice as many slots as are in use. */
const entries: Readonly<Record<Method, number>> = { gate: 1, tunnel: 1, masq: 2, fullnat: 2 };
const roomy = 1.99;

export const scale: Group = {
  name: 'scale',
  title: 'What size costs',
  measure({ isQuick, say }): GroupReport {
    const effort = isQuick ? quick : whole;
    using generator = new Generator();
    const rows = [
      ...methods.flatMap((method) => {
        say(`connections of ${method}`);
        return effort.flows
          .filter((flows) => flows < most || method === 'gate' || method === 'masq')
          .flatMap((flows) => connectionRows(generator, method, flows, effort));
      }),
      ...effort.services.flatMap((services) => {
        say(`${services} services`);
        return withScene(manyServices(services), {}, (scene) => serviceRows(generator, scene, services, effort));
      }),
      ...effort.destinations.map((destinations) => {
        say(`${destinations} destinations`);
        const table = [service({ family, port, scheduler: 'wlc', destinations })];
        return withScene(table, {}, (scene) => destinationRow(generator, scene, destinations, effort));
      }),
      ...churnRows(generator, effort, say),
    ];
    return { group: 'scale', rows, limits: limitsOf(rows) };
  },
};

function connectionRows(generator: Generator, method: Method, flows: number, { parts, sweep }: Effort): readonly Row[] {
  // A connection table is ordered by connections of two entries, and has three slots for each.
  const connections = Math.ceil((flows * entries[method] * roomy) / 3);
  return withScene([service({ family, port, method })], { connections: Math.max(connections, 1024) }, (scene) => {
    const growth = method === 'tunnel' ? 20 : 0;
    const packets = { family, port, growth, flows: allFlows } as const;
    const create = traffic(scene, 'xdp', { ...packets, tcpFlags: tcpFlag.syn });
    const created = inParts(generator, scene, create, flows, parts);
    const made = total(scene.maps, 'connections');
    if (made < flows * 0.999) throw new Error(`${method}: expected ${flows} connections, got ${made}`);
    const acknowledge = traffic(scene, 'xdp', { ...packets, tcpFlags: tcpFlag.ack });
    const established = inParts(generator, scene, acknowledge, flows, parts);
    const bytes = scene.maps.instance.flow_slots * scene.maps.layouts.struct('flow').size;
    return [
      toRow(`${method} new, table filling up`, { family, flows }, created),
      toRow(`${method} established, table full`, { family, flows }, established),
      { name: `${method}, table`, family, flows, unit: 'bytes', ...medianFigure([bytes / flows]) },
      ...(flows < sweep.least ? [] : sweepRows(scene, method, flows, sweep.seconds)),
    ];
  });
}

/** The first so many flows, each once. */
function inParts(
  generator: Generator,
  scene: Scene,
  packets: ReturnType<typeof traffic>,
  flows: number,
  parts: number,
): readonly Sample[] {
  let first = 0;
  return Array.from({ length: parts }, (_, part) => {
    const count = Math.floor((flows * (part + 1)) / parts) - Math.floor((flows * part) / parts);
    const one = sample(generator, 'xdp', scene.program('director_xdp'), { ...packets, first }, count);
    first = generator.next();
    return one;
  });
}

function serviceRows(generator: Generator, scene: Scene, services: number, { parts, packets }: Effort): readonly Row[] {
  const flows = Math.min(packets, 1 << 16);
  const program = scene.program('director_xdp');
  const stream = { family, port, flows } as const;
  const created = inParts(generator, scene, traffic(scene, 'xdp', { ...stream, tcpFlags: tcpFlag.syn }), flows, parts);
  const one = traffic(scene, 'xdp', { family, port, flows: 1, tcpFlags: tcpFlag.ack });
  run(generator, 'xdp', program, one, packets);
  const established = Array.from({ length: parts }, () => sample(generator, 'xdp', program, one, packets));
  return [
    toRow('gate new', { family, flows, services }, created),
    toRow('gate established', { family, flows: 1, services }, established),
  ];
}

function destinationRow(generator: Generator, scene: Scene, destinations: number, { parts, packets }: Effort): Row {
  const flows = Math.min(packets, 1 << 16);
  const create = traffic(scene, 'xdp', { family, port, flows, tcpFlags: tcpFlag.syn });
  return toRow('wlc new', { family, flows, destinations }, inParts(generator, scene, create, flows, parts));
}

function limitsOf(rows: readonly Row[]): readonly Limit[] {
  const memory = methods.flatMap((method) => {
    const row = findRow(rows, `${method}, table`, { flows: most });
    if (row === undefined) return [];
    const claim = `${method}: bytes a connection, ${most} connections`;
    const share = findRow(rows, `${method}, sweep of idle ones`, { flows: most })?.median ?? Number.NaN;
    return [
      { claim, atMost: entries[method] * 128, got: row.median },
      { claim: `${method}: percent of a core for the sweep, ${most} connections`, atMost: 5, got: share },
    ];
  });
  const at = (name: string, services: number): Row | undefined => findRow(rows, name, { services });
  const wlc = findRow(rows, 'wlc new', { destinations: 1000 });
  return [
    ...memory,
    ...['gate new', 'gate established'].flatMap((name) =>
      limitOf(`${name}, 100,000 services to 10`, [at(name, 100_000), at(name, 10)], { atMost: 1.1 }),
    ),
    ...(wlc === undefined ? [] : [{ claim: 'wlc new, 1000 destinations, ns', atMost: 2000, got: wlc.median }]),
    ...(findRow(rows, 'churn, connections miscounted') === undefined
      ? []
      : [
          {
            claim: 'connections miscounted after new ones beside open ones',
            atMost: 0,
            got: findRow(rows, 'churn, connections miscounted')?.median ?? Number.NaN,
          },
        ]),
  ];
}
