// The ipvsadm command as a process, on this network namespace's data plane.
import { openDirector } from '../../dataplane/director.ts';
import { runIpvsadm } from './main.ts';

process.exitCode = await runIpvsadm(process.argv.slice(2), process, openDirector);
