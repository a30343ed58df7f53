// Each scheduler's new connections, with few destinations and many; and services that remember clients or go by marks.

import { parseAddress } from '../../src/model/address.ts';
import { readRule } from '../../src/model/mark-words.ts';
import { schedulers as allSchedulers, type Service } from '../../src/model/service.ts';
import type { Row } from '../row.ts';
import { type Bench, fill, traffic } from './bench.ts';
import { tcpFlag } from './generator.ts';
import { toRow } from './measure.ts';
import { places, service, withScene } from './scene.ts';

const firstPort = 80;
const persistenceS = 300;
const family = 4;
/** `none` schedules nothing. */
const schedulers = allSchedulers.filter((scheduler) => scheduler !== 'none');

export function schedulerRows(bench: Bench, say: (text: string) => void): readonly Row[] {
  return bench.size.destinations.flatMap((destinations) => {
    say(`schedulers with ${destinations} destinations`);
    const table = schedulers.map((scheduler, index) =>
      service({ family, port: firstPort + index, scheduler, destinations }),
    );
    return newRows(
      bench,
      table,
      schedulers.map((scheduler) => ({ name: `${scheduler} new`, facts: { destinations } })),
    );
  });
}

/** Beside the same service without them: what a new connection pays for being remembered, and for marks. */
export function memoryRows(bench: Bench, say: (text: string) => void): readonly Row[] {
  say('persistence and marks');
  const remembering = (mask: string): Partial<Service> => ({
    persistence: { timeoutS: persistenceS, mask: parseAddress(mask) },
  });
  const plain = service({ family, port: firstPort });
  const table = [
    plain,
    { ...service({ family, port: firstPort + 1 }), ...remembering('255.255.255.255') },
    { ...service({ family, port: firstPort + 2 }), ...remembering('255.255.0.0') },
  ];
  const names = ['gate new, alone', 'gate new, persistent, another client', 'gate new, persistent, the same network'];
  const remembered = newRows(
    bench,
    table,
    names.map((name) => ({ name, facts: {} })),
  );
  const marked = bench.size.markRules.flatMap((count) =>
    newRows(
      bench,
      [service({ family, port: firstPort, mark: 7 })],
      [{ name: `gate new, by the last of ${count} mark rules`, facts: {} }],
      rules(count),
    ),
  );
  return [...remembered, ...marked];
}

/** Only the last one is of the measured packets. */
function rules(count: number): readonly string[] {
  const others = Array.from({ length: count - 1 }, (_, index) => `-p tcp -d 203.0.113.${index % 256} --set-mark 8`);
  return [...others, `-p tcp -d ${places[family].vip} --set-mark 7`];
}

interface Name {
  readonly name: string;
  readonly facts: { readonly destinations?: number };
}

/** One row for each of `names`, of the service on the port of its place. */
function newRows(
  bench: Bench,
  table: readonly Service[],
  names: readonly Name[],
  markRules: readonly string[] = [],
): readonly Row[] {
  const flows = Math.min(1 << 15, Math.max(...bench.size.flows));
  return withScene(table, {}, (scene) => {
    if (markRules.length > 0) scene.director.changeMarkRules(() => markRules.map((rule) => readRule(rule.split(' '))));
    return names.map(({ name, facts }, index) => {
      const packets = { family, port: firstPort + index, flows, tcpFlags: tcpFlag.syn } as const;
      return toRow(name, { family, flows, ...facts }, fill(bench, scene, traffic(scene, 'xdp', packets)));
    });
  });
}
