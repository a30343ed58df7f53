// The live group: frames that are really sent, from a core through the director to the other end of a veth, beside a bare redirect.
import { cpus } from 'node:os';
import { type Method, methods } from '../../src/model/service.ts';
import { places, type Scene, service, withScene } from '../packet/scene.ts';
import {
  findRow,
  type Group,
  type GroupOptions,
  type GroupReport,
  type Limit,
  medianFigure,
  type Row,
} from '../row.ts';
import { shootOn, type Volley } from './cores.ts';
import { attachSink } from './sink.ts';

interface Effort {
  readonly flows: readonly number[];
  readonly rounds: number;
  readonly frames: number;
}

const whole: Effort = { flows: [1, 1 << 10, 1 << 16], rounds: 5, frames: 2_000_000 };
const quick: Effort = { flows: [1, 1 << 10], rounds: 1, frames: 200_000 };
const port = 80;
const tunnelHeader = 20;

export const live: Group = {
  name: 'live',
  title: 'Million frames that arrive in a second of CPU time, by live frames at XDP',
  measure({ isQuick, say }: GroupOptions): GroupReport {
    const effort = isQuick ? quick : whole;
    const most = Math.min(2, cpus().length);
    const rows = methods.flatMap((method) =>
      withScene([service({ family: 4, port, method })], {}, (scene) =>
        Array.from({ length: most }, (_, index) => index + 1).flatMap((cores) => {
          say(`${method}, cores: ${cores}`);
          return coreRows(scene, method, cores, effort);
        }),
      ),
    );
    return { group: 'live', rows, limits: limitsOf(rows) };
  },
};

function coreRows(scene: Scene, method: Method, cores: number, { flows, rounds, frames }: Effort): readonly Row[] {
  attachSink();
  const shots = shootOn(cores, {
    ...{ pins: scene.maps.directory, vip: places[4].vip, port, ingress: scene.ingress },
    ...{ flows, rounds, frames, growth: method === 'tunnel' ? tunnelHeader : 0 },
  });
  // A ring that is full drops what its core can't take at once; a director that sends elsewhere would have nothing arrive.
  const lost = shots.find(({ share }) => share < 0.5);
  if (lost !== undefined) throw new Error(`${method}: only ${lost.share} of the ${lost.who}'s frames arrived`);
  return flows.flatMap((count) => {
    const of = (who: Volley['who']): readonly number[] =>
      shots.filter((shot) => shot.flows === count && shot.who === who).map(({ mpps }) => mpps);
    const facts = { family: 4, flows: count, cores, unit: 'Mpps' } as const;
    const bare: Row = { name: `bare redirect beside ${method}`, ...facts, ...medianFigure(of('bare')) };
    const own: Row = { name: method, ...facts, ...medianFigure(of('director')) };
    return [bare, { ...own, ratio: { to: bare.name, is: own.median / bare.median } }];
  });
}

function limitsOf(rows: readonly Row[]): readonly Limit[] {
  const least: Readonly<Record<number, number>> = { 1: 0.75, [1 << 10]: 0.75, [1 << 16]: 0.5 };
  return methods.flatMap((method) =>
    Object.entries(least).flatMap(([flows, atLeast]) => {
      const one = findRow(rows, method, { flows: Number(flows), cores: 1 });
      const two = findRow(rows, method, { flows: Number(flows), cores: 2 });
      if (one?.ratio === undefined) return [];
      const share = { claim: `${method}, ${flows} flows, to the bare redirect`, atLeast, got: one.ratio.is };
      if (two === undefined) return [share];
      const twice = {
        claim: `${method}, ${flows} flows, two cores to one`,
        atLeast: 1.8,
        got: two.median / one.median,
      };
      return [share, twice];
    }),
  );
}
