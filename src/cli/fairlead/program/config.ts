// The commands that take a configuration: check, plan and apply.
import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { format } from './words.ts';

const failureStatus = 1;
/** As of `terraform plan`. */
const changesStatus = 2;

interface PlanOptions {
  readonly output: 'table' | 'json';
  readonly prune: boolean;
  readonly detailedExitcode?: boolean;
}

export function addConfigCommands(program: Command, io: Io, finish: (status: number) => void): void {
  program
    .command('check')
    .description('whether a configuration is right: every error with its line and column, and nothing changes')
    .argument('<file>', 'YAML; - is standard input')
    .addOption(format(['table', 'json']))
    .action(async (file: string, { output }: { output: 'table' | 'json' }) => {
      const { checkFile } = await import('../config/check.ts');
      if (!checkFile(io, file, output)) finish(failureStatus);
    });
  program
    .command('plan')
    .description('what apply would change, line by line: + comes, - goes, ~ becomes another; nothing changes')
    .argument('<file>', 'YAML; - is standard input')
    .addOption(format(['table', 'json']))
    .option('--no-prune', 'what was declared before and is no more stays')
    .option('--detailed-exitcode', 'exit with 2 when there is something to change')
    .action(async (file: string, options: PlanOptions) => {
      const { planFile } = await import('../config/apply.ts');
      if ((await planFile(io, file, options)) && options.detailedExitcode) finish(changesStatus);
    });
  program
    .command('apply')
    .description('make it so, all or nothing; what does not change is not touched, and what ipvsadm added stays')
    .argument('<file>', 'YAML; - is standard input')
    .addOption(format(['table', 'json']))
    .option('--no-prune', 'what was declared before and is no more stays')
    .action(async (file: string, options: PlanOptions) => {
      const { applyFile } = await import('../config/apply.ts');
      await applyFile(io, file, options);
    });
}
