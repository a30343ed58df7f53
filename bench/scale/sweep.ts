// What the timer that ends idle connections takes of a core where it looks at many and ends none, and how soon it has ended them.
import { readSweep } from '../../src/dataplane/status.ts';
import type { Method } from '../../src/model/service.ts';
import type { Scene } from '../packet/scene.ts';
import { medianFigure, type Row } from '../row.ts';
import { pause } from './pause.ts';

const pollMs = 50;
const patienceS = 120;
/** Those whose second packet found no place have another timeout, which can't be set. */
const fewOf = 0.001;
/** The least that can be set; all have been idle for longer by then. */
const timeoutS = 1;

/** Of a table that holds so many: a pass over a large one takes several seconds. Ends them. */
export function sweepRows({ director, maps }: Scene, method: Method, flows: number, seconds: number): readonly Row[] {
  const facts = { family: 4, flows } as const;
  const [busyS, begin] = [readSweep(maps).busyS, clockS()];
  pause(seconds * 1000);
  const share = (readSweep(maps).busyS - busyS) / (clockS() - begin);
  director.setTimeouts({ tcp: timeoutS, tcpFin: timeoutS, udp: timeoutS });
  const open = (): number =>
    director
      .services()
      .flatMap(({ destinations }) => destinations)
      .reduce((sum, { activeConnections, inactiveConnections }) => sum + activeConnections + inactiveConnections, 0);
  const expired = clockS();
  while (open() > flows * fewOf) {
    if (clockS() - expired > patienceS) throw new Error(`${method}: idle connections do not end`);
    pause(pollMs);
  }
  return [
    { name: `${method}, sweep of idle ones`, ...facts, unit: '% of a core', ...medianFigure([share * 100]) },
    { name: `${method}, until idle ones have ended`, ...facts, unit: 's', ...medianFigure([clockS() - expired]) },
  ];
}

function clockS(): number {
  return performance.now() / 1000;
}
