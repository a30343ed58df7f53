// The commands that look at services as they are installed, one of them or all at once.
import { type Command, Option } from 'commander';
import { parseDuration, parseRealServer, parseService } from '../daemon/names.ts';
import type { Io } from '../io.ts';
import type { SortKey } from '../top.ts';
import { format, usage } from './words.ts';

export function addLookCommands(program: Command, io: Io): void {
  program
    .command('describe')
    .description('all that is known of a service and its real servers, or of one of these')
    .argument('<service>', 'VIP:PORT/tcp, /udp or /sctp, or mark/NUMBER', usage(parseService))
    .argument('[destination]', 'RIP:PORT', usage(parseRealServer))
    .addOption(format(['table', 'json', 'yaml']))
    .action(
      async (service: string, destination: string | undefined, { output }: { output: 'table' | 'json' | 'yaml' }) => {
        const { showDescription } = await import('../describe.ts');
        await showDescription(io, service, destination, output);
      },
    );
  program
    .command('top')
    .description('the busiest services or real servers, live; where there is no terminal, once')
    .addOption(
      new Option('-s, --sort <key>', 'the largest first')
        .choices(['cps', 'active', 'inactive', 'in', 'out', 'name'])
        .default('cps'),
    )
    .option('-d, --destinations', 'real servers, instead of services')
    .addOption(
      new Option('-i, --interval <duration>', 'look again after so long')
        .argParser(usage(parseDuration))
        .default(2000, '2s'),
    )
    .option('--once', 'print it and end')
    .action(async (options: { sort: SortKey; destinations?: boolean; interval: number; once?: boolean }) => {
      const { runTop } = await import('../top.ts');
      const { sort, destinations = false, interval, once = false } = options;
      await runTop(io.stdout, { sort, isByDestination: destinations, everyMs: interval, once });
    });
}
