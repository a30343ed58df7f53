// Where our ipvsadm differs from the recorded one, invocation by invocation, and what is missing in its listings.
import type { Outcome } from './shell.ts';

export interface Difference {
  readonly ours: Partial<Outcome>;
  /** What brings the table to where the recording has it. */
  readonly then?: string;
}

const notYet = (what: string, then?: string): Difference => ({
  ours: { stdout: '', stderr: `${what} is not supported by this version yet\n`, status: 255 },
  ...(then === undefined ? {} : { then }),
});
const noDaemon = notYet("The '--start-daemon' command");
const noneRuns: Difference = { ours: { stdout: '', stderr: 'No daemon is running\n', status: 255 } };
const restoreFails = (stderr: string, then?: string): Difference => ({
  ours: { stdout: '', stderr: `${stderr}\nNothing has been changed.\n`, status: 255 },
  ...(then === undefined ? {} : { then }),
});

/** Every invocation that differs from the recording by more than what refuseUnsupported keeps away. */
export const differences: Readonly<Record<string, Difference>> = {
  // Schedulers that nothing of ours can stand in for.
  'cli1 51': notYet("The 'fo' scheduler"),
  'cli1 52': notYet("The 'ovf' scheduler"),
  'cli1 53': notYet("The 'mh' scheduler"),
  'cli1 153': notYet("The '-b/--sched-flags' option"),
  'cli1 159': notYet("The '-b/--sched-flags' option"),
  // The engine is never looked up, as no engine is supported.
  'cli1 164': notYet("The '--pe' option"),
  // Synchronisation daemons.
  'cli2 79': noDaemon,
  'cli2 80': noDaemon,
  'cli2 89': noDaemon,
  'cli2 163': noDaemon,
  'cli2 164': { ours: { stdout: '', stderr: '', status: 0 } },
  'cli2 165': noDaemon,
  'cli2 166': noDaemon,
  'cli2 167': { ours: { stdout: '', stderr: '', status: 0 } },
  'cli2 168': noneRuns,
  'cli2 169': { ours: { stdout: '', stderr: '', status: 0 } },
  'cli2 170': noneRuns,
  'cli2 172': noDaemon,
  'cli2 174': noDaemon,
  'cli2 175': { ours: { stdout: '', stderr: '', status: 0 } },
  'cli2 176': noneRuns,
  // The kernel's order of services is that of a hash table; ours is the order in which they were added.
  'cli2 96': {
    ours: {
      stdout: [
        'IP Virtual Server version 1.2.1 (size=4096)',
        'Prot LocalAddress:Port Scheduler Flags',
        '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
        'TCP  10.0.0.0:http wlc',
        'FWM  -1 wlc',
        'TCP  0.0.0.0:http rr',
        'TCP  224.0.0.1:http rr',
        'TCP  255.255.255.255:http rr',
        '',
      ].join('\n'),
    },
  },
  // -R restores all of its input or nothing, and says which line is at fault.
  'cli2 144': restoreFails('line 1: -A -t 10.0.0.100:80 -s rr: Service already exists'),
  'cli2 147': restoreFails(
    'line 1: -A -t 10.0.0.100:80 -s rr: Service already exists',
    'ipvsadm -A -u 10.0.0.100:80 -s rr',
  ),
  'cli2 149': restoreFails("line 1: # comment: Try `ipvsadm -h' or 'ipvsadm --help' for more information."),
  'cli2 151': restoreFails("line 2: -L -n: The 'list' command can't be part of a restore"),
  'cli2 153': restoreFails(
    'line 1: add-service --tcp-service 10.0.0.100:80 --scheduler rr: ' +
      "Try `ipvsadm -h' or 'ipvsadm --help' for more information.",
  ),
  'cli3 9': restoreFails('line 1: -D -t 1.2.3.4:5: No such service', 'ipvsadm -A -t 10.0.0.100:81'),
  'cli3 10': restoreFails('line 2: -D -t 1.2.3.4:5: No such service', 'ipvsadm -A -t 10.0.0.100:82'),
};

/** The recorded listing as it is where nothing of what refuseUnsupported keeps away is shown. */
export function withoutUnsupported(stdout: string): string {
  if (!/^(IP Virtual|Prot|TCP|UDP|-A)/m.test(stdout) || stdout.startsWith('ipvsadm v')) return stdout;
  const isThresholds = stdout.includes('Uthreshold');
  return stdout
    .replace(/^((TCP|UDP) .*|-A .* -s) (fo|ovf|mh)( .*)?\n/gm, '')
    .replace(/^(TCP|UDP) .*:(93|99) +( +0){5}\n/gm, '')
    .replace(/^TCP .* ASSURED .*\n/gm, '')
    .replace(/^((TCP|UDP|FWM) .*?)( persistent [0-9]+| mask [0-9.]+| pe sip| ops| \([a-z0-9,-]*\))+$/gm, '$1')
    .replace(/^(-A .*?)( -p [0-9]+| -M [0-9.]+| --pe sip| -o| -b [a-z0-9,-]*)+$/gm, '$1')
    .replace(/--tun-type .*$/gm, '--tun-type ipip')
    .replace(/ (gue:6080|gre):?\S+ +(?=1 )/g, ' ipip          ')
    .replace(
      /^( {2}-> .{28} )[0-9]+ +[0-9]+ +(?=[0-9]+ +[0-9]+ +$)/gm,
      isThresholds ? `$1${'0'.padEnd(11).repeat(2)}` : '$&',
    );
}
