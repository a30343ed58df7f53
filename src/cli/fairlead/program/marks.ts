// The commands of rules that give packets marks.
import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { format } from './words.ts';

export function addMarkCommands(program: Command, io: Io): void {
  const mark = program
    .command('mark')
    .description("rules that give packets marks, in iptables' words: packets come before netfilter could do it");
  const withRule = (
    name: string,
    description: string,
    run: (marks: typeof import('../marks/command.ts'), words: readonly string[]) => void,
  ): void => {
    mark
      .command(name)
      .description(description)
      .argument('[rule...]', '-p tcp -s PREFIX -d VIP --dports 80,443 -i INTERFACE --mark 1/0xf --set-mark 7')
      .allowUnknownOption()
      .passThroughOptions()
      .action(async (_: unknown, __: unknown, command: Command) =>
        run(await import('../marks/command.ts'), command.args),
      );
  };
  withRule('add', 'behind the others: MATCHES --set-mark 7, --set-xmark 1/0xf, or -j ACCEPT', (marks, words) =>
    marks.addRule(io, words),
  );
  withRule('insert', 'before the others, or before the one whose NUMBER comes first', (marks, words) =>
    marks.insertRuleAt(io, words),
  );
  withRule('delete', 'by its NUMBER, or as it was added', (marks, words) => marks.removeRule(io, words));
  mark
    .command('flush')
    .description('delete all rules')
    .action(async () => (await import('../marks/command.ts')).flushRules(io));
  mark
    .command('import')
    .description('put the rules of iptables-save, ip6tables-save or nft list ruleset in the place of those here')
    .argument('<file>', '- for standard input')
    .option('-n, --noflush', 'keep those here, before them')
    .action(async (file: string, { noflush = false }: { noflush?: boolean }) =>
      (await import('../marks/command.ts')).importRules(io, file, noflush),
    );
  mark
    .command('list')
    .description('the rules in their order')
    .addOption(format(['table', 'json', 'yaml']))
    .action(async ({ output }: { output: 'table' | 'json' | 'yaml' }) =>
      (await import('../marks/command.ts')).listRules(io, output),
    );
}
