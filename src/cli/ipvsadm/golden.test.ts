// Replays every recorded invocation of the real ipvsadm 1.31, in order, and compares output, errors and exit status.
import { describe, expect, test } from 'vitest';
import { type Recorded, readRecording, readTranscript } from '../../../test/reference/recording.ts';
import { type Outcome, openShell, type Run } from '../../../test/reference/shell.ts';
import { readTraffic } from '../../../test/reference/traffic.ts';
import { readAddress } from '../../model/address.ts';
import type { OpenDirector } from '../../model/director.ts';
import { FairleadError } from '../../model/error.ts';
import { type FakeDirector, openFakeDirector } from '../../model/fake-director.ts';
import { type Host, parseServices } from './host.ts';
import { runIpvsadm } from './main.ts';
import { refuseUnsupported } from './unsupported.ts';

/** The recordings were made where these names were known, in these networks. */
const services = parseServices(`
domain 53/tcp\ndomain 53/udp\nhttp 80/tcp www\nhttps 443/tcp\nsip 5060/tcp\nsip 5060/udp
sip-tls 5061/tcp\nsip-tls 5061/udp\nhttp-alt 8080/tcp webcache\nhttp-alt 8080/udp`);
const host: Host = {
  addressOf: async (name) => (name === 'localhost' ? readAddress('127.0.0.1') : undefined),
  namesOf: async () => new Map([['127.0.0.1', 'localhost']]),
  portOf: (service, protocol) => services.ports.get(`${service}/${protocol}`),
  serviceOf: (port, protocol) => services.names.get(`${port}/${protocol}`),
  broadcasts: async () => ['10.0.0.255', '10.1.0.255'].flatMap((text) => readAddress(text) ?? []),
};

/** Between these, the recording's scenario cleared the table and set the timeouts back without recording that. */
const clearedBefore: Readonly<Record<string, readonly string[]>> = {
  cli1: ['59', '100', '128'],
  cli2: ['101', '149', '151', '153', '156', '163'],
  cli3: [],
};

interface Difference {
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
const differences: Readonly<Record<string, Difference>> = {
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

const expected = {
  cli1: {
    same: 134,
    'same without what is not supported yet': 0,
    'refused as not supported yet': 0,
    different: 8,
    'not ipvsadm': 0,
  },
  cli2: {
    same: 0,
    'same without what is not supported yet': 0,
    'refused as not supported yet': 0,
    different: 0,
    'not ipvsadm': 2,
  },
  cli3: {
    same: 0,
    'same without what is not supported yet': 0,
    'refused as not supported yet': 0,
    different: 2,
    'not ipvsadm': 0,
  },
} as const;
type Kind = keyof (typeof expected)['cli1'];

describe('the recorded invocations', () => {
  test.each(['cli1', 'cli2', 'cli3'] as const)('of %s', async (name) => {
    const replay = openReplay();
    const counts: Record<Kind, number> = {
      same: 0,
      'same without what is not supported yet': 0,
      'refused as not supported yet': 0,
      different: 0,
      'not ipvsadm': 0,
    };
    for (const recorded of readRecording(name)) {
      if (clearedBefore[name]?.includes(recorded.id)) await replay.clear();
      counts[await replay.play(`${name} ${recorded.id}`, recorded)] += 1;
    }
    console.log(`${name}: ${JSON.stringify(counts)}`);
    expect(counts).toEqual(expected[name]);
  });

  test('of bignum: numbers beyond their columns, and long addresses', async () => {
    const replay = openReplay();
    const [setup, ...listings] = readTranscript('bignum');
    await replay.anything(setup?.command ?? '');
    for (const { command, stdout } of listings) {
      replay.showTraffic(
        readTranscript('bignum').find((one) => one.command === `${command} --exact`)?.stdout ?? stdout,
      );
      replay.showTraffic(stdout.includes('K') || stdout.includes('M') ? '' : stdout);
      expect(await replay.anything(command), command).toEqual({ stdout, stderr: '', status: 0 });
    }
    expect(listings.length).toBe(12);
  });
});

function openReplay() {
  const director = openFakeDirector();
  let refusals = 0;
  const strict = openShell(runOn(director, refuseUnsupported));
  const anything = openShell(runOn(director, () => {}));
  const cautious = openShell(async (argv, stdin) => {
    const before = director.table();
    const outcome = await runOn(director, refuseUnsupported)(argv, stdin);
    if (outcome.status !== 255 || !/is not supported by this version yet\n/.test(outcome.stderr)) return outcome;
    refusals += 1;
    expect(director.table()).toBe(before);
    return await runOn(director, () => {})(argv, stdin);
  });

  async function play(id: string, recorded: Recorded): Promise<Kind> {
    const { command, stdout, stderr, status } = recorded;
    if (/^(cat|sysctl) .*\/?(proc|sysctl)/.test(command) && !command.includes('ipvsadm')) return 'not ipvsadm';
    const difference = differences[id];
    if (difference !== undefined) {
      const shell = difference.ours.stderr?.startsWith('line ') ? anything : strict;
      expect(await shell.run(command), `${id}: ${command}`).toMatchObject(difference.ours);
      if (difference.then !== undefined) await anything.run(difference.then);
      return 'different';
    }
    if (command.includes('--help') || command === 'ipvsadm -h') {
      expect((await strict.run(command)).stdout.startsWith(stdout)).toBe(true);
      return 'different';
    }
    if (recorded.id.startsWith('P') && !/--stats$/.test(command)) showTraffic(stdout);
    refusals = 0;
    const outcome = await cautious.run(command);
    const known = { stdout: withoutUnsupported(stdout), stderr, status };
    expect(outcome, `${id}: ${command}`).toEqual(known);
    if (refusals > 0) return 'refused as not supported yet';
    return outcome.stdout === stdout ? 'same' : 'same without what is not supported yet';
  }

  function showTraffic(stdout: string): void {
    const { services: seen, connections } = readTraffic(stdout);
    for (const { identity, traffic } of seen) director.setTraffic(identity, traffic);
    if (connections !== undefined) director.setConnections(connections);
  }

  return {
    play,
    showTraffic,
    anything: (command: string) => anything.run(command),
    clear: async () => void (await strict.run('ipvsadm -C; ipvsadm --set 900 120 300')),
  };
}

function runOn(director: FakeDirector, check: typeof refuseUnsupported): Run {
  return async (argv, stdin) => {
    const open: OpenDirector = () => director;
    return await runOnce(argv, stdin, open, check);
  };
}

async function runOnce(
  argv: readonly string[],
  stdin: string,
  open: OpenDirector,
  check: typeof refuseUnsupported,
): Promise<Outcome> {
  const out = { stdout: '', stderr: '' };
  const sink = (name: keyof typeof out) => ({
    write: (text: string) => {
      out[name] += text;
    },
  });
  const input = (async function* () {
    yield stdin;
  })();
  const io = { stdin: input, stdout: sink('stdout'), stderr: sink('stderr'), host };
  const status = await runIpvsadm(argv, io, open, check);
  return { ...out, status };
}

/** The recorded listing as it is where nothing of what refuseUnsupported keeps away is shown. */
function withoutUnsupported(stdout: string): string {
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
    .replace(/^( {2}-> \S+ +)(100 {8}50 {9}|10 {9}5 {10})/gm, isThresholds ? '$10          0          ' : '$1$2');
}
