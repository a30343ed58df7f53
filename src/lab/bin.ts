// The laboratory as a process.
import { runLab } from './main.ts';

process.exitCode = await runLab(process.argv.slice(2));
