// The commands of operators, which a daemon heeds.
import type { Command } from 'commander';
import { parseDuration, parseRealServer, parseService, parseWeight } from '../daemon/names.ts';
import type { Io } from '../io.ts';
import { usage } from './words.ts';

/** What the daemon heeds until it is lifted. */
export function addOperatorCommands(program: Command, io: Io): void {
  const ofDestination = (parent: Command, name: string, description: string): Command =>
    parent
      .command(name)
      .description(description)
      .argument('<service>', 'VIP:PORT/tcp, /udp or /sctp, or mark/NUMBER', usage(parseService))
      .argument('<destination>', 'RIP:PORT', usage(parseRealServer))
      .option('--why <text>', 'for fairlead log', '');
  ofDestination(program, 'drain', 'no new connections; wait until those of now are gone, then remove it')
    .option(
      '--deadline <duration>',
      'remove it after so long although connections are left: 30s, 5m',
      usage(parseDuration),
    )
    .option('--no-wait', 'do not wait for it')
    .action(
      async (service: string, destination: string, options: { why: string; deadline?: number; wait: boolean }) => {
        const { drain } = await import('../daemon/override.ts');
        const { why, deadline, wait } = options;
        await drain(
          io,
          { service, destination },
          { why, isAwaited: wait, ...(deadline !== undefined && { deadlineMs: deadline }) },
        );
      },
    );
  ofDestination(program, 'disable', 'no new connections until it is enabled').action(
    async (service: string, destination: string, { why }: { why: string }) =>
      (await import('../daemon/override.ts')).disable({ service, destination }, why),
  );
  ofDestination(program, 'enable', 'lift what drain, disable or set weight said').action(
    async (service: string, destination: string, { why }: { why: string }) =>
      (await import('../daemon/override.ts')).enable({ service, destination }, why),
  );
  const set = program.command('set').description('in place of what is declared');
  set
    .command('weight')
    .description('until it is enabled')
    .argument('<service>', 'VIP:PORT/tcp, /udp or /sctp, or mark/NUMBER', usage(parseService))
    .argument('<destination>', 'RIP:PORT', usage(parseRealServer))
    .argument('<weight>', '0 quiesces', usage(parseWeight))
    .option('--why <text>', 'for fairlead log', '')
    .action(async (service: string, destination: string, weight: number, { why }: { why: string }) =>
      (await import('../daemon/override.ts')).setWeight({ service, destination }, weight, why),
    );
}
