// Many new connections a second beside many open ones, at that pace: what one costs then, and whether all were counted right.
import { total, traffic } from '../packet/bench.ts';
import { type Generator, tcpFlag } from '../packet/generator.ts';
import { run, type Sample, toRow } from '../packet/measure.ts';
import { type Scene, service, withScene } from '../packet/scene.ts';
import { medianFigure, type Row } from '../row.ts';
import type { Effort } from './group.ts';
import { pause } from './pause.ts';

const perSecond = 100_000;
/** A second: each test run of XDP waits for all cores twice, some 20 ms. */
const steps = 5;
const family = 4;
const port = 80;
/** Open ones and new ones together, at the most. */
const flows = 1 << 21;

export function churnRows(generator: Generator, { churn }: Effort, say: (text: string) => void): readonly Row[] {
  const { open, seconds } = churn;
  say(`${perSecond} new connections a second beside ${open} for ${seconds} s`);
  return withScene([service({ family, port, method: 'masq' })], { connections: flows }, (scene) => {
    const packets = traffic(scene, 'xdp', { family, port, flows, tcpFlags: tcpFlag.syn });
    const program = scene.program('director_xdp');
    run(generator, 'xdp', program, packets, open);
    const opened = generator.next();
    run(generator, 'xdp', program, { ...packets, tcpFlags: tcpFlag.ack }, open);
    // Measured before, for there is no time for it between.
    const floor = run(generator, 'xdp', generator.program('empty_xdp'), packets, perSecond);
    const begin = Date.now();
    let first = opened;
    const samples = Array.from({ length: seconds * steps }, (_, step): Sample => {
      pause(begin + (step * 1000) / steps - Date.now());
      const whole = run(generator, 'xdp', program, { ...packets, first }, perSecond / steps);
      first = generator.next();
      return { floor, whole };
    });
    const took = (Date.now() - begin) / 1000;
    const facts = { family, flows: open } as const;
    return [
      toRow('churn, masq new', facts, samples),
      { name: 'churn, new connections', ...facts, unit: '1/s', ...medianFigure([(seconds * perSecond) / took]) },
      { name: 'churn, connections miscounted', ...facts, unit: 'connections', ...medianFigure([miscounted(scene)]) },
    ];
  });
}

/** Between what destinations say they have and what the table holds; and what was made and neither is there nor has ended. */
function miscounted({ director, maps }: Scene): number {
  const [one] = director.services();
  const said = (one?.destinations ?? []).reduce(
    (sum, each) => sum + each.activeConnections + each.inactiveConnections,
    0,
  );
  let held = 0;
  for (const _ of director.connections()) held++;
  const ended = Number(director.status()?.events.expired ?? 0n);
  return Math.abs(said - held) + Math.abs(total(maps, 'connections') - held - ended);
}
