// ipvsadm-save and ipvsadm-restore: what ipvsadm's two shell scripts of these names do.
import type { OpenDirector } from '../../model/director.ts';
import { type Io, replaceTable, runIpvsadm } from './main.ts';

/** Returns the exit status. */
export async function runAs(
  name: string,
  argv: readonly string[],
  io: Io,
  openDirector: OpenDirector,
): Promise<number> {
  if (name === 'ipvsadm-save') return await save(argv, io, openDirector);
  if (name === 'ipvsadm-restore') return await restore(io, openDirector);
  return await runIpvsadm(argv, io, openDirector);
}

const saveHelp = `ipvsadm-save: Script to save the IPVS table to stdout.
   With the -n option, prints out the table in numeric format.
`;

/** Words without a dash mean nothing to it. */
async function save(argv: readonly string[], io: Io, openDirector: OpenDirector): Promise<number> {
  if (argv.some((word) => word.startsWith('-') && word !== '-n')) {
    io.stderr.write(saveHelp);
    return 1;
  }
  return await runIpvsadm(argv.includes('-n') ? ['-S', '-n'] : ['-S'], io, openDirector);
}

/** No argument means anything to it. Lines that begin with `#` are comments, which -R does not know. */
async function restore(io: Io, openDirector: OpenDirector): Promise<number> {
  const stdin = (async function* () {
    const { readAll } = await import('./restore.ts');
    yield (await readAll(io.stdin)).replace(/^#.*/gm, '');
  })();
  const { stdout, stderr, host } = io;
  return await replaceTable({ stdin, stdout, stderr, ...(host && { host }) }, openDirector);
}
