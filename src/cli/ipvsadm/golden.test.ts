// Replays every recorded invocation of the real ipvsadm 1.31, in order, and compares output, errors and exit status.
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { asIpvsadm, differences } from '../../../test/reference/differences.ts';
import { randomLines } from '../../../test/reference/lines.mjs';
import { type Recorded, readRecording, readTranscript } from '../../../test/reference/recording.ts';
import { openShell, type Run } from '../../../test/reference/shell.ts';
import { readTraffic } from '../../../test/reference/traffic.ts';
import { readAddress } from '../../model/address.ts';
import type { OpenDirector } from '../../model/director.ts';
import { FairleadError } from '../../model/error.ts';
import { type FakeDirector, openFakeDirector } from '../../model/fake-director.ts';
import { type Host, parseServices } from './host.ts';
import { runAs } from './scripts.ts';

/** The recordings were made where these names were known, in these networks. */
const services = parseServices(`
domain 53/tcp\ndomain 53/udp\nhttp 80/tcp www\nhttps 443/tcp\nsip 5060/tcp\nsip 5060/udp
sip-tls 5061/tcp\nsip-tls 5061/udp\nm2pa 3565/sctp\nm3ua 2905/sctp\nhttp-alt 8080/tcp webcache\nhttp-alt 8080/udp`);
/** Of the interfaces; those of cli4 were made for it. */
const mtus: Readonly<Record<string, number>> = {
  d0: 1500,
  d1: 1400,
  'cli4 eth0': 1500,
  'cli4 big': 9000,
  'cli4 tiny': 1280,
};
const names: Omit<Host, 'mtuOf'> = {
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
  cli4: [],
};

/** How an invocation compares with its recording. */
type Kind =
  /** Byte for byte the same: output, errors, exit status. */
  | 'same'
  /** In the list of differences, or --help, which goes on after the recorded text. */
  | 'different'
  /** A command other than ipvsadm. */
  | 'other';

const expectedCounts: Readonly<Record<string, Readonly<Record<Kind, number>>>> = {
  cli1: { same: 184, different: 3, other: 0 },
  cli2: { same: 197, different: 6, other: 2 },
  cli3: { same: 36, different: 2, other: 0 },
  cli4: { same: 63, different: 2, other: 1 },
};

/** Those from 100 on use all schedulers. */
const seeds = [1, 2, 100];

describe('the recorded invocations are answered as recorded', () => {
  test.each(Object.entries(expectedCounts))('%s: %j', async (name, expected) => {
    const replay = openReplay(name);
    const counts = { same: 0, different: 0, other: 0 };
    for (const recorded of readRecording(name)) {
      if (clearedBefore[name]?.includes(recorded.id)) await replay.clear();
      counts[await replay.play(`${name} ${recorded.id}`, recorded)] += 1;
    }
    expect(counts).toEqual(expected);
  });

  test.each(seeds)('of lines by chance, seed %i', async (seed) => {
    const recording = readRecording(`random-${seed}`);
    expect(recording.map(({ command }) => command)).toEqual(randomLines(seed));
    const replay = openReplay('random');
    const wrong: unknown[] = [];
    for (const { id, command, stdout, stderr, status } of recording) {
      const ours = asIpvsadm(await replay.run(command));
      const isSame = ours.stdout === stdout && ours.stderr === stderr && ours.status === status;
      if (!isSame) wrong.push({ command: `${id}: ${command}`, ours, recorded: { stdout, stderr, status } });
    }
    expect(wrong).toEqual([]);
  });

  test('of bignum: numbers beyond their columns, and long addresses', async () => {
    const replay = openReplay('bignum');
    const [setup, ...listings] = readTranscript('bignum');
    await replay.run(setup?.command ?? '');
    for (const [at, { command, stdout }] of listings.entries()) {
      // Shortened numbers are the same as those listed in full right after.
      const inFull = listings.slice(at).find((later) => later.command === `${command} --exact`);
      replay.showTraffic(inFull?.stdout ?? stdout);
      expect(await replay.run(command), command).toEqual({ stdout, stderr: '', status: 0 });
    }
    expect(listings.length).toBe(12);
  });
});

function openReplay(recording: string) {
  const ownHost: Host = { ...names, mtuOf: async (name) => mtus[name] ?? mtus[`${recording} ${name}`] };
  const director = openFakeDirector();
  const shell = openShell(runOn(director, ownHost));

  async function play(id: string, recorded: Recorded): Promise<Kind> {
    const { command, stdout, stderr, status } = recorded;
    if (!command.includes('ipvsadm')) return 'other';
    const difference = differences[id];
    if (difference !== undefined) {
      expect(await shell.run(command), `${id}: ${command}`).toMatchObject(difference.ours);
      if (difference.afterwards !== undefined) await shell.run(difference.afterwards);
      return 'different';
    }
    if (command === 'ipvsadm --help' || command === 'ipvsadm -h') {
      expect((await shell.run(command)).stdout.startsWith(stdout)).toBe(true);
      return 'different';
    }
    if (recorded.id.startsWith('P') && !/--stats$/.test(command)) showTraffic(stdout);
    expect(asIpvsadm(await shell.run(command)), `${id}: ${command}`).toEqual({ stdout, stderr, status });
    return 'same';
  }

  function showTraffic(stdout: string): void {
    const { services: seen, connections } = readTraffic(withNumbers(stdout));
    for (const { identity, traffic } of seen) director.setTraffic(identity, traffic);
    if (connections !== undefined) director.setConnections(connections);
  }

  return {
    play,
    showTraffic,
    run: (command: string) => shell.run(command),
    clear: async () => void (await shell.run('ipvsadm -C; ipvsadm --stop-daemon backup; ipvsadm --set 900 120 300')),
  };
}

function withNumbers(listing: string): string {
  return listing.replace(/:([a-z][a-z0-9-]*)/g, (whole, name) => {
    const port = (['tcp', 'udp', 'sctp'] as const).map((protocol) => services.ports.get(`${name}/${protocol}`));
    return port.some((known) => known !== undefined) ? `:${port.find((known) => known !== undefined)}` : whole;
  });
}

function runOn(director: FakeDirector, host: Host): Run {
  return async (program, argv, stdin, isRoot) => {
    const openDirector: OpenDirector = () => {
      if (!isRoot) throw new FairleadError('not-root', 'expected to be run by root');
      return director;
    };
    const [stdout, stderr]: [string[], string[]] = [[], []];
    const sink = (texts: string[]) => ({ write: (text: string) => texts.push(text) });
    const io = { stdin: Readable.from([stdin]), stdout: sink(stdout), stderr: sink(stderr), host };
    const status = await runAs(program, argv, io, openDirector);
    return { stdout: stdout.join(''), stderr: stderr.join(''), status };
  };
}
