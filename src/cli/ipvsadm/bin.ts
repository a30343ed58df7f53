// ipvsadm, ipvsadm-save or ipvsadm-restore as a process, on this network namespace's data plane.
import { basename } from 'node:path';
import { openDirector } from '../../dataplane/director.ts';
import { runAs } from './scripts.ts';

/** What a shell makes of SIGPIPE, by which ipvsadm ends when `head` has seen enough. Node ignores the signal. */
const brokenPipeStatus = 141;

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(brokenPipeStatus);
  process.stderr.write(`the output can't be written: ${error.message}\n`);
  process.exit(255);
});

// Bundled as CommonJS, which has no await here.
void runAs(basename(process.argv[1] ?? ''), process.argv.slice(2), process, openDirector).then((status) => {
  process.exitCode = status;
});
