// The fairlead command as a process.
import { run } from './main.ts';

process.exitCode = await run(process.argv.slice(2), process);
