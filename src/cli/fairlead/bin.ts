// The fairlead command as a process.
import { run } from './main.ts';

// Bundled as CommonJS, which has no await here.
void run(process.argv.slice(2), process).then((status) => {
  process.exitCode = status;
});
