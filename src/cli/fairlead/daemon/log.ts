// The daemon's log: a line of JSON for each thing that happened, as journald and people with jq read it.
import pino from 'pino';
import type { Log } from '../../../control/log.ts';
import type { Declared } from '../../../model/declared.ts';

export function openLog(level: Declared['log']['level']): Log & { level: string } {
  const toStandardOutput = pino.destination({ fd: 1, sync: true });
  return pino({ name: 'fairlead', level, timestamp: pino.stdTimeFunctions.isoTime }, toStandardOutput);
}
