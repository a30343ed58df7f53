// Where our ipvsadm differs from the recorded one, invocation by invocation, and what is missing in its listings.
import type { Outcome } from './shell.ts';

export interface Difference {
  readonly ours: Partial<Outcome>;
  /** What brings the table to where the recording has it. */
  readonly afterwards?: string;
}

const restoreFails = (stderr: string, afterwards?: string): Difference => ({
  ours: { stdout: '', stderr: `${stderr}\nNothing has been changed.\n`, status: 255 },
  ...(afterwards === undefined ? {} : { afterwards }),
});

/** Every invocation that differs from the recording by more than what refuseUnsupported keeps away. */
export const differences: Readonly<Record<string, Difference>> = {
  // The recorded kernel was built without twos.
  'cli1 54': { ours: { stdout: '', stderr: '', status: 0 }, afterwards: 'ipvsadm -D -u 10.0.0.100:6014' },
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
  'cli4 52': restoreFails(
    "line 3: # b: Try `ipvsadm -h' or 'ipvsadm --help' for more information.",
    'ipvsadm -C; ipvsadm -A -t 10.0.0.1:80',
  ),
  'cli4 54': restoreFails(
    'line 2: -A -t 10.0.0.1:80: Service already exists',
    'ipvsadm -C; ipvsadm -A -t 10.0.0.1:80 -s rr; ipvsadm -A -t 10.0.0.2:80',
  ),
  'cli3 9': restoreFails('line 1: -D -t 1.2.3.4:5: No such service', 'ipvsadm -A -t 10.0.0.100:81'),
  'cli3 10': restoreFails('line 2: -D -t 1.2.3.4:5: No such service', 'ipvsadm -A -t 10.0.0.100:82'),
};

/** What ours says differently wherever it comes up, turned back into what ipvsadm says; docs/differences.md has the reasons. */
const deviations: readonly ((outcome: Outcome) => Outcome)[] = [
  // -S keeps thresholds.
  ({ stdout, ...rest }) => ({ ...rest, stdout: stdout.replace(/^(-a .*?) -x [0-9]+( -y [0-9]+)?$/gm, '$1') }),
  // sh and mh have two flags of their own names; of the third ipvsadm says nothing, and saves no argument for -b.
  ({ stdout, ...rest }) => ({
    ...rest,
    stdout: stdout
      .replace(/^((?:TCP|UDP|SCTP|FWM) .* [sm]h \(.*?),?flag-3\)/gm, '$1)')
      .replace(/^(-A .* -s [sm]h\b.* -b (?:[a-z-]+,[a-z-]+|[a-z-]+(?=,)|)),?flag-3$/gm, '$1'),
  }),
  // Nothing is synchronised.
  ({ stderr, ...rest }) => ({
    ...rest,
    stderr: stderr.replace(/^warning: connections are not synchronised .*\n/gm, ''),
  }),
];

export function asIpvsadm(ours: Outcome): Outcome {
  return deviations.reduce((outcome, undo) => undo(outcome), ours);
}
