// The commands that only look: how what is declared stands, all of it, as it changes, and what happened.
import { type Command, Option } from 'commander';
import { parseCount, parseDuration, parseRealServer, parseService } from '../daemon/names.ts';
import type { Io } from '../io.ts';
import { type Sort, sortNames } from '../top/table.ts';
import { format, usage } from './words.ts';

interface TopWords {
  readonly sort: Sort;
  readonly reverse?: boolean;
  readonly services?: boolean;
  readonly once?: boolean;
  readonly interval: number;
}

const serviceWords = 'VIP:PORT/tcp, /udp or /sctp, or mark/NUMBER';

export function addLookCommands(program: Command, io: Io): void {
  program
    .command('get')
    .description('how what is declared stands: health, weights, connections, and what operators said')
    .argument('[service]', `${serviceWords}; all by default`, usage(parseService))
    .addOption(format(['table', 'wide', 'json', 'yaml']))
    .action(async (service: string | undefined, { output }: { output: 'table' | 'wide' | 'json' | 'yaml' }) =>
      (await import('../daemon/show.ts')).showStanding(io, service, output),
    );
  program
    .command('describe')
    .description(
      'all that is known of services and their destinations, declared or not, and what happened to them last',
    )
    .argument('[service]', `${serviceWords}; all by default`, usage(parseService))
    .argument('[destination]', 'RIP:PORT; all by default', usage(parseRealServer))
    .addOption(format(['table', 'json', 'yaml']))
    .action(
      async (
        service: string | undefined,
        destination: string | undefined,
        { output }: { output: 'table' | 'json' | 'yaml' },
      ) => (await import('../daemon/describe.ts')).showDescription(io.stdout, { service, destination }, output),
    );
  program
    .command('top')
    .description('what goes through services and destinations now, again and again; keys sort it')
    .addOption(new Option('-s, --sort <column>', 'by what').choices(sortNames).default('name'))
    .option('-r, --reverse', 'the other way round')
    .option('--services', 'services only')
    .option('--interval <duration>', 'how often: 500ms, 2s', usage(parseInterval), 1000)
    .option('--once', 'print one table and end, as where there is no terminal')
    .action(async ({ sort, reverse = false, services = false, once = false, interval }: TopWords) => {
      const { runTop } = await import('../top/top.ts');
      await runTop(io, { sort, reverse, servicesOnly: services, once, intervalMs: interval });
    });
  program
    .command('log')
    .description('what happened, who wanted it, and why')
    .option('-n, --lines <number>', 'the last so many', usage(parseCount), 50)
    .addOption(format(['table', 'json']))
    .action(async ({ lines, output }: { lines: number; output: 'table' | 'json' }) =>
      (await import('../daemon/show.ts')).showLog(io, lines, output),
    );
  program
    .command('events')
    .description('what happens, as it does: health, changes, limits; until it is stopped')
    .addOption(format(['table', 'json']))
    .action(async ({ output }: { output: 'table' | 'json' }) =>
      (await import('../daemon/events.ts')).showEvents(io, output),
    );
}

/** A terminal has to keep up with it. */
function parseInterval(text: string): number {
  return Math.max(100, parseDuration(text));
}
