// The commands for shells and packages: completions and manual pages, made of the definitions of all commands.
import { Argument, type Command } from 'commander';
import type { Io } from '../io.ts';
import type { NameKind } from '../outline/names.ts';

type Shell = 'bash' | 'zsh';

export function addShellCommands(program: Command, io: Io): void {
  program
    .command('completion')
    .description('what a shell reads to complete these commands: source <(fairlead completion bash)')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh']))
    .action(async (shell: Shell) => {
      const { outlineAll } = await import('../outline/outline.ts');
      if (shell === 'bash') io.stdout.write((await import('../outline/bash.ts')).bashCompletion(outlineAll(program)));
      else io.stdout.write((await import('../outline/zsh.ts')).zshCompletion(outlineAll(program)));
    });
  program
    .command('manual')
    .description("the manual page of fairlead or of one of its commands: 'fairlead manual drain | man -l -'")
    .argument('[command...]', 'as in set weight')
    .option('--all <folder>', 'write the pages of all commands there, as packages install them')
    .action(async (words: string[], { all }: { all?: string }) => {
      const { outlineAll } = await import('../outline/outline.ts');
      const { findPage, writePages } = await import('../outline/pages.ts');
      if (all === undefined) io.stdout.write(findPage(outlineAll(program), words));
      else writePages(all, outlineAll(program));
    });
  program
    .command('names', { hidden: true })
    .description('what there is, for completions')
    .addArgument(new Argument('<kind>').choices(['services', 'destinations', 'settings']))
    .argument('[service]', 'whose destinations')
    .action(async (kind: NameKind, service: string | undefined) =>
      (await import('../outline/names.ts')).listNames(io, kind, service),
    );
}
