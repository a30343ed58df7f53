// Replays every recorded invocation of the real ipvsadm 1.31, in order, and compares output, errors and exit status.
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { differences, withoutUnsupported } from '../../../test/reference/differences.ts';
import { type Recorded, readRecording, readTranscript } from '../../../test/reference/recording.ts';
import { openShell, type Run } from '../../../test/reference/shell.ts';
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
  addresses: async () => [],
};

/** Between these, the recording's scenario cleared the table and set the timeouts back without recording that. */
const clearedBefore: Readonly<Record<string, readonly string[]>> = {
  cli1: ['59', '100', '128'],
  cli2: ['101', '149', '151', '153', '156', '163'],
  cli3: [],
};

/** How an invocation compares with its recording. */
type Kind =
  /** Byte for byte the same: output, errors, exit status. */
  | 'same'
  /** The same once what is not supported yet is taken out of the recorded listing. */
  | 'shorter'
  /** Refused with nothing changed; with the refusal lifted, the same or shorter. */
  | 'refused'
  /** In the list of differences, or --help, which goes on after the recorded text. */
  | 'different'
  /** A command other than ipvsadm. */
  | 'other';

const expectedCounts: Readonly<Record<string, Readonly<Record<Kind, number>>>> = {
  cli1: { same: 120, shorter: 17, refused: 42, different: 8, other: 0 },
  cli2: { same: 160, shorter: 14, refused: 8, different: 21, other: 2 },
  cli3: { same: 29, shorter: 3, refused: 4, different: 2, other: 0 },
};

describe('the recorded invocations are answered as recorded', () => {
  test.each(Object.entries(expectedCounts))('%s: %j', async (name, expected) => {
    const replay = openReplay();
    const counts = { same: 0, shorter: 0, refused: 0, different: 0, other: 0 };
    for (const recorded of readRecording(name)) {
      if (clearedBefore[name]?.includes(recorded.id)) await replay.clear();
      counts[await replay.play(`${name} ${recorded.id}`, recorded)] += 1;
    }
    expect(counts).toEqual(expected);
  });

  test('of bignum: numbers beyond their columns, and long addresses', async () => {
    const replay = openReplay();
    const [setup, ...listings] = readTranscript('bignum');
    await replay.anything(setup?.command ?? '');
    for (const [at, { command, stdout }] of listings.entries()) {
      // Shortened numbers are the same as those listed in full right after.
      const inFull = listings.slice(at).find((later) => later.command === `${command} --exact`);
      replay.showTraffic(inFull?.stdout ?? stdout);
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
  const cautious = openShell(async (argv, stdin, isRoot) => {
    const before = director.table();
    const outcome = await runOn(director, refuseUnsupported)(argv, stdin, isRoot);
    if (outcome.status !== 255 || !/is not supported by this version yet\n/.test(outcome.stderr)) return outcome;
    refusals += 1;
    expect(director.table()).toBe(before);
    return await runOn(director, () => {})(argv, stdin, isRoot);
  });

  async function play(id: string, recorded: Recorded): Promise<Kind> {
    const { command, stdout, stderr, status } = recorded;
    if (!command.includes('ipvsadm')) return 'other';
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
    if (refusals > 0) return 'refused';
    return outcome.stdout === stdout ? 'same' : 'shorter';
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
  return async (argv, stdin, isRoot) => {
    const openDirector: OpenDirector = () => {
      if (!isRoot) throw new FairleadError('not-root', 'expected to be run by root');
      return director;
    };
    const [stdout, stderr]: [string[], string[]] = [[], []];
    const sink = (texts: string[]) => ({ write: (text: string) => texts.push(text) });
    const io = { stdin: Readable.from([stdin]), stdout: sink(stdout), stderr: sink(stderr), host };
    const status = await runIpvsadm(argv, io, openDirector, check);
    return { stdout: stdout.join(''), stderr: stderr.join(''), status };
  };
}
