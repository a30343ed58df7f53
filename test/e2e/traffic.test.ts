// Each method carries what people run: HTTP, many connections at once, bulk TCP and UDP, DNS, and large files whole.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addServices, fairlead, inUrl, type Network, openNetwork } from './network.ts';
import { digest } from './programs/bytes.mjs';
import { startTalker } from './talk.ts';
import { runWrk } from './wrk.ts';

const bytesProgram = fileURLToPath(new URL('programs/bytes.mjs', import.meta.url));
/** By IPv6 less, for its packets go the same way. */
const fileSizes = { 4: 100_000_000, 6: 30_000_000 } as const;
const methods = ['masq', 'gate', 'tunnel', 'fullnat'] as const;
const all = ([4, 6] as const).flatMap((family) => methods.map((method) => [method, family] as const));

describe.each(all)('%s over IPv%s carries', (method, family) => {
  const fileSize = fileSizes[family];
  const digestOfFile = digest(fileSize);
  let network: Network;

  beforeAll(async () => {
    network = await openNetwork(method, family);
    const one = network.realServers.slice(0, 1);
    await Promise.all([...network.realServers.map(startDns), startIperf(one[0])]);
    await addServices(network, [
      { protocol: 'tcp', port: 80 },
      { protocol: 'tcp', port: 53 },
      { protocol: 'udp', port: 53 },
      { protocol: 'udp', port: 7 },
      // What iperf3 measures runs beside a connection that says what: both must come to the same real server.
      { protocol: 'tcp', port: 5201, realServers: one },
      { protocol: 'udp', port: 5201, realServers: one },
    ]);
  });

  afterAll(() => network[Symbol.asyncDispose]());

  test('curl, to each real server in turn', async () => {
    const answers: string[] = [];
    for (let request = 0; request < 6; request++) answers.push(await curl());
    expect(answers).toEqual(['rs3', 'rs2', 'rs1', 'rs3', 'rs2', 'rs1']);
  });

  test('64 connections of wrk without one failed request', async () => {
    expect(await runWrk(network)).toMatchObject({ failures: '', requests: expect.toSatisfy((count) => count > 100) });
  });

  test('64 connections of wrk that are made anew for each request', async () => {
    const result = await runWrk(network, { isClosing: true });
    expect(result).toMatchObject({ failures: '', requests: expect.toSatisfy((count) => count > 100) });
  });

  test.each([
    ['to the real server', []],
    ['to the client', ['--reverse']],
  ])('bulk TCP %s', async (_, options) => {
    const { sum_received: received } = await iperf('--bytes', '100M', ...options);
    expect(received?.bits_per_second).toBeGreaterThan(100_000_000);
  });

  // Datagrams that fit into a tunnel: those that don't are another test's.
  const fitting = family === 4 ? 1400 : 1380;
  test.each([
    ['to the real server', []],
    ['to the client', ['--reverse']],
  ])('UDP %s', async (_, options) => {
    const { sum } = await iperf('--udp', '--bitrate', '10M', '--length', String(fitting), '--time', '1', ...options);
    expect(sum?.packets).toBeGreaterThan(800);
    expect(sum?.lost_percent).toBeLessThan(5); // what comes while the receiver does not run
  });

  test.each([
    ['UDP', '+notcp'],
    ['TCP', '+tcp'],
  ])('DNS by %s, to each real server in turn', async (_, transport) => {
    const answers: string[] = [];
    for (let query = 0; query < 3; query++) answers.push(await dig(transport));
    expect(answers.sort()).toEqual(['"rs1"', '"rs2"', '"rs3"']);
  });

  // A tunnel has no room for fragments that are as large as the client's network takes: sizes.test.ts has those.
  test.skipIf(method === 'tunnel')('datagrams of 8 kB, which come and go in fragments', async () => {
    const talker = await startTalker(network);
    for (let client = 0; client < 3; client++) {
      const talk = await talker.open('udp');
      for (let question = 0; question < 3; question++) expect(await talk.ask({ size: 8192 })).toMatch(/^rs/);
    }
  });

  test.each([56, 8000])('an echo of %i bytes from the VIP itself', async (size) => {
    const words = ['-n', '-q', '-c', '3', '-i', '0.01', '-W', '5', '-s', String(size)];
    expect(await network.client.run('ping', ...words, network.vip)).toContain('3 received');
  });

  test('a large file to the client, whole', async () => {
    const download = `curl -gsS --max-time 60 ${url()}bytes/${fileSize} | sha256sum`;
    expect((await network.client.run('sh', '-c', download)).split(' ')[0]).toBe(digestOfFile);
  });

  test('a large file from the client, whole', async () => {
    const upload = `"$0" "$1" ${fileSize} | curl -gsS --max-time 60 --upload-file - ${url()}digest`;
    expect(await network.client.run('sh', '-c', upload, process.execPath, bytesProgram)).toBe(digestOfFile);
  });

  test('all of it without one packet that it could not forward', async () => {
    const status = JSON.parse(await network.director.run(fairlead, 'status', '-o', 'json')) as Status;
    const dropped = Object.entries(status.reasons).filter(([, count]) => count > 0);
    expect(dropped).toEqual([]);
  });

  test('traceroute sees the VIP where it ends, and by a service one hop before the real server', async () => {
    const hops = async (...words: readonly string[]): Promise<readonly string[]> => {
      const report = await network.client.run(
        'traceroute',
        '-n',
        '-q',
        '1',
        '-w',
        '5',
        '-m',
        '4',
        ...words,
        network.vip,
      );
      return report.split('\n').flatMap((line) => /^ *\d+ +(\S+)/.exec(line)?.[1] ?? []);
    };
    expect(await hops()).toEqual([network.vip]);
    expect(await hops('-I')).toEqual([network.vip]);
    expect(await hops('-T', '-p', '80')).toEqual([network.vip, network.vip]);
    expect(await hops('-U', '-p', '7')).toEqual([network.vip, network.vip]);
  });

  async function startDns(realServer: Network['realServers'][number]): Promise<void> {
    const server = realServer.start(
      ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--log-facility=-', '--user=root', '--pid-file='],
      ...['--no-resolv', '--no-hosts', '--bind-interfaces', `--listen-address=${network.realAddress(realServer)}`],
      ...[`--port=${network.realPort(53)}`, `--txt-record=who.test,${realServer.name}`],
    );
    await server.saying('started', 'stderr', AbortSignal.timeout(10_000));
  }

  async function startIperf(realServer: Network['realServers'][number] | undefined): Promise<void> {
    if (realServer === undefined) return;
    const port = String(network.realPort(5201));
    const bind = ['--bind', network.realAddress(realServer)];
    const server = realServer.start('iperf3', '--server', '--forceflush', '--port', port, ...bind);
    await server.saying('Server listening', 'stdout', AbortSignal.timeout(10_000));
  }

  function url(): string {
    return `http://${inUrl(network.vip)}/`;
  }

  function curl(): Promise<string> {
    return network.client.run('curl', '-gsS', '--max-time', '5', url());
  }

  async function dig(transport: string): Promise<string> {
    const query = ['who.test', 'TXT', '+short', '+tries=1', '+time=5', transport];
    return (await network.client.run('dig', `@${network.vip}`, ...query)).trim();
  }

  async function iperf(...options: readonly string[]): Promise<IperfEnd> {
    const report = await network.client.run('iperf3', '--client', network.vip, '--json', ...options);
    return (JSON.parse(report) as { readonly end: IperfEnd }).end;
  }
});

interface Status {
  readonly reasons: Readonly<Record<string, number>>;
}

interface IperfEnd {
  readonly sum_received?: { readonly bits_per_second: number };
  /** Of UDP. */
  readonly sum?: { readonly packets: number; readonly lost_percent: number };
}
