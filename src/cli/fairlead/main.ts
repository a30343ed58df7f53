// The fairlead command: what ipvsadm has no word for.
import { CommanderError } from 'commander';
import { FairleadError } from '../../model/error.ts';
import type { Io } from './io.ts';
import { describe } from './program/program.ts';

const usageStatus = 2;
const failureStatus = 1;

/** Returns the exit status; rejects only for what is a bug. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let status = 0;
  const program = describe(io, (result) => {
    status = result;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageStatus;
    if (!(error instanceof FairleadError)) throw error;
    io.stderr.write(`fairlead: ${error.message}\n${error.hint === undefined ? '' : `${error.hint}\n`}`);
    return failureStatus;
  }
}
