// fairlead attach and fairlead detach.
import type { Hook } from '../../dataplane/choose.ts';
import { attach, detach } from '../../dataplane/director.ts';
import type { Io } from './io.ts';

export function attachAll(io: Io, interfaces: readonly string[], hook: Hook, connections: number | undefined): void {
  const attachments = attach({
    hook,
    warn: (text) => io.stderr.write(`fairlead: ${text}\n`),
    ...(interfaces.length === 0 ? {} : { interfaces }),
    ...(connections === undefined ? {} : { connections }),
  });
  for (const { interface: name, xdp } of attachments) io.stdout.write(`${name}: ${xdp ? 'xdp, then tc' : 'tc'}\n`);
}

export function detachAll(io: Io): void {
  io.stdout.write(detach() ? 'detached\n' : 'nothing was attached in this network namespace\n');
}
