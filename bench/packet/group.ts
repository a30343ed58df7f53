// The packet group: CPU time a packet by bpf_prog_test_run, beside what the least that could forward costs.
import { methods } from '../../src/model/service.ts';
import { findRow, type Group, type GroupReport, type Limit, limitOf, type Row } from '../row.ts';
import { type Bench, quickSize, wholeSize } from './bench.ts';
import { Generator, tcpFlag } from './generator.ts';
import { type Sample, sample, toRow } from './measure.ts';
import { methodRows } from './methods.ts';
import { rareRows } from './rare.ts';
import { places } from './scene.ts';
import { memoryRows, schedulerRows } from './schedulers.ts';

export const packet: Group = {
  name: 'packet',
  title: 'CPU time a packet in ns, at the quietest of several runs, and their median',
  measure({ isQuick, say }): GroupReport {
    using generator = new Generator();
    const bench = { generator, size: isQuick ? quickSize : wholeSize };
    const bare = bareSamples(bench, 'empty_xdp', 1);
    const rows = [
      toRow('empty program', { family: 4, flows: 1 }, bare),
      toRow('parse and redirect', { family: 4, flows: 1 }, bareSamples(bench, 'bare_redirect', 1)),
      ...bench.size.flows.map((flows) =>
        toRow('parse, hash, one table slot, redirect', { family: 4, flows }, bareSamples(bench, 'bare_slot', flows)),
      ),
      ...methodRows(bench, say),
      ...schedulerRows(bench, say),
      ...memoryRows(bench, say),
      ...rareRows(bench, say),
    ].map((row, _, all) => besideSlot(row, all));
    return { group: 'packet', rows, limits: limitsOf(rows), floorNs: Math.min(...bare.map(({ floor }) => floor)) };
  },
};

function bareSamples(
  { generator, size }: Bench,
  name: 'empty_xdp' | 'bare_redirect' | 'bare_slot',
  flows: number,
): readonly Sample[] {
  const { clients: client, vip } = places[4];
  const traffic = { client, vip, port: 80, flows, tcpFlags: tcpFlag.ack };
  const packets = Math.max(flows, size.packets);
  return Array.from({ length: size.runs }, () => sample(generator, 'xdp', generator.program(name), traffic, packets));
}

/** Established packets of XDP, as multiples of the bare table slot's at as many flows. */
function besideSlot(row: Row, all: readonly Row[]): Row {
  const to = 'parse, hash, one table slot, redirect';
  const slot = findRow(all, to, row.flows === undefined ? {} : { flows: row.flows });
  if (slot === undefined || !/^\w+ established$/.test(row.name)) return row;
  return { ...row, ratio: { to, is: row.median / slot.median } };
}

function limitsOf(rows: readonly Row[]): readonly Limit[] {
  const established = (method: string, family: 4 | 6, flows: number): Row | undefined =>
    findRow(rows, `${method} established`, { family, flows });
  return [1, 1 << 10, 1 << 16, 1 << 20].flatMap((flows) => [
    ...limitOf(`masq to tunnel, ${flows} flows`, [established('masq', 4, flows), established('tunnel', 4, flows)], {
      atMost: 1.3,
    }),
    ...methods.flatMap((method) =>
      limitOf(
        `${method}, IPv6 to IPv4, ${flows} flows`,
        [established(method, 6, flows), established(method, 4, flows)],
        { atMost: 1.25 },
      ),
    ),
  ]);
}
