// The fairlead command as a process.
import { outputTo } from '../output.ts';
import { run } from './main.ts';

// Bundled as CommonJS, which has no await here.
void run(process.argv.slice(2), { stdout: outputTo(1), stderr: outputTo(2) }).then((status) => {
  process.exitCode = status;
});
