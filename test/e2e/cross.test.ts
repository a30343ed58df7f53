// fullnat between families: IPv6 clients of IPv4 servers and the reverse, by real stacks, whoever computes the checksums.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fairlead, inUrl, ipvsadm, type Network, openNetwork, restore, startServer, vip } from './network.ts';
import { digest } from './programs/bytes.mjs';
import { readCounter } from './snmp.ts';
import { startTalker, type Talker } from './talk.ts';
import { until } from './until.ts';
import { offload, useXdp } from './xdp.ts';

const bytesProgram = fileURLToPath(new URL('programs/bytes.mjs', import.meta.url));
const fileSize = 3_000_000;
const digestOfFile = digest(fileSize);
const vipSix = 'fd00:a::100';
const ripSix = (index: number): string => `fd00:b::${index + 1}`;
/** Odd and even, small and as large as a way of 1500 takes with either header. */
const datagramSizes = [1, 2, 51, 512, 1023, 1400, 1445];
const ports = [
  ['-t', 80],
  ['-t', 7],
  ['-u', 7],
  ['-t', 5201],
  ['-u', 5201],
] as const;
const ways = [
  { name: 'IPv6 clients of IPv4 servers', own: vipSix, rip: ({ rip }: { readonly rip: string }) => rip },
  { name: 'IPv4 clients of IPv6 servers', own: vip, rip: (_: object, index: number) => ripSix(index) },
] as const;

let network: Network;

beforeAll(async () => {
  network = await openNetwork('fullnat');
  const { client, director, realServers } = network;
  const addresses = [
    [client, 'outer', 'fd00:a::1/64'],
    [director, 'outer', 'fd00:a::254/64'],
    [director, 'outer', `${vipSix}/128`],
    [director, 'inner', 'fd00:b::254/64'],
    ...realServers.map((one, index) => [one, 'inner', `${ripSix(index)}/64`] as const),
  ] as const;
  for (const [host, device, address] of addresses) await host.run('ip', 'addr', 'add', address, 'dev', device, 'nodad');
  await Promise.all(realServers.map((one, index) => startServer(one, one.name, ripSix(index), network.realPort(0))));
  const iperf = realServers[0].start('iperf3', '--server', '--forceflush');
  await iperf.saying('Server listening', 'stdout', AbortSignal.timeout(10_000));
  await restore(
    network,
    ways.flatMap(({ own, rip }) =>
      ports.flatMap(([option, port]) => {
        const shifted = port === 5201 ? port : network.realPort(port);
        const used = port === 5201 ? realServers.slice(0, 1) : realServers;
        const at = `${option} ${inUrl(own)}:${port}`;
        return [
          `-A ${at} -s rr`,
          ...used.map((one, index) => `-a ${at} -r ${inUrl(rip(one, index))}:${shifted} --fullnat`),
        ];
      }),
    ),
  );
});

afterAll(() => network?.[Symbol.asyncDispose]());

describe.each(ways)('$name', ({ own, rip }) => {
  let talker: Talker;

  beforeAll(async () => {
    talker = await startTalker({ ...network, vip: own });
  });

  test('are answered by each real server in turn, and listed', async () => {
    const answers: string[] = [];
    for (let request = 0; request < 3; request++) answers.push(await curl(''));
    expect(answers).toEqual(['rs3', 'rs2', 'rs1']);
    const listed = await network.director.run(ipvsadm, '-Lnc');
    for (const [index, one] of network.realServers.entries()) expect(listed).toContain(rip(one, index));
    const saved = await network.director.run(ipvsadm, '-Sn');
    expect(saved).toContain(`-a -t ${inUrl(own)}:80 -r ${inUrl(rip(network.realServers[0], 0))}:8080 --fullnat -w 1`);
  });

  test.each([
    ['as veth has it', 'on', 'on', 'on', ['tso', 'on', 'gso', 'on', 'gro', 'off']],
    ['summed up by the director', 'on', 'off', 'on', ['tso', 'on', 'gso', 'on', 'gro', 'off']],
    ['summed up at both ends', 'off', 'on', 'off', ['tso', 'on', 'gso', 'on', 'gro', 'off']],
    ['gathered, summed up by the director', 'on', 'off', 'on', ['tso', 'on', 'gso', 'on', 'gro', 'on']],
    ['gathered, summed up everywhere', 'off', 'off', 'off', ['tso', 'on', 'gso', 'on', 'gro', 'on']],
    ['segment by segment', 'on', 'off', 'on', ['tso', 'off', 'gso', 'off', 'gro', 'off']],
    ['segment by segment, summed up at both ends', 'off', 'on', 'off', ['tso', 'off', 'gso', 'off', 'gro', 'off']],
  ] as const)('send and get files whole, and datagrams, %s', async (_, client, director, server, features) => {
    await Promise.all([
      offload(network.client, 'tx', client, ...features),
      offload(network.director, 'tx', director, ...features),
      ...network.realServers.map((one) => offload(one, 'tx', server, ...features)),
    ]);
    const before = await wrongSums();
    expect((await curl(`bytes/${fileSize}`, '| sha256sum')).split(' ')[0]).toBe(digestOfFile);
    expect(await upload()).toBe(digestOfFile);
    const talk = await talker.open('udp');
    for (const size of datagramSizes) expect(await talk.ask({ size, timeoutMs: 2_000 })).toMatch(/^rs/);
    talk.end();
    expect(await wrongSums()).toEqual(before);
  });

  test.each([
    ['TCP to the real server', []],
    ['TCP to the client', ['--reverse']],
    ['UDP to the real server', ['--udp', '--bitrate', '10M', '--length', '1400']],
    ['UDP to the client', ['--udp', '--bitrate', '10M', '--length', '1400', '--reverse']],
  ])('bulk %s', async (_, options) => {
    const everywhere = ['tx', 'on', 'tso', 'on', 'gso', 'on', 'gro', 'off'];
    await Promise.all(
      [network.client, network.director, ...network.realServers].map((host) => offload(host, ...everywhere)),
    );
    const output = await network.client.run('iperf3', '--client', own, '--json', '--time', '1', ...options);
    const { end } = JSON.parse(output) as Iperf;
    expect((end.sum ?? end.sum_received)?.bits_per_second).toBeGreaterThan(options.length > 1 ? 8e6 : 100e6);
    if (end.sum !== undefined) expect(end.sum.lost_percent).toBeLessThan(5);
  });

  test.each(['on', 'off'])(
    'datagrams that leave in one piece and are cut later, with tx %s on the director',
    async (tx) => {
      await offload(network.director, 'tx', tx);
      const before = await wrongSums();
      expect(await network.client.run('perl', '-e', segments, own)).toBe('100');
      expect(await wrongSums()).toEqual(before);
      await offload(network.director, 'tx', 'on');
    },
  );

  test('a port that is closed at the real server is refused to the client', async () => {
    const at = ['-u', `${inUrl(own)}:9`];
    await network.director.run(ipvsadm, '-A', ...at);
    await network.director.run(ipvsadm, '-a', ...at, '-r', `${inUrl(rip(network.realServers[0], 0))}:9`, '--fullnat');
    const talk = await talker.open('udp', { port: 9 });
    expect(await talk.ask({ timeoutMs: 500 })).toBeUndefined();
    expect(talk.error()).toContain('ECONNREFUSED');
  });

  test('a path that takes less is learned by the client', async () => {
    const { client, director } = network;
    const narrower = own === vip ? 'fd00:b::/96' : '10.1.0.0/25';
    await director.run('ip', 'route', 'add', narrower, 'dev', 'inner', 'mtu', 'lock', '1400');
    try {
      // The ways that the director knows are a second old at the most.
      await until(
        async () => {
          expect(await upload()).toBe(digestOfFile);
          return (await client.run('ip', 'route', 'get', own)).includes(` mtu ${own === vip ? 1380 : 1420}`);
        },
        { what: 'the client knows what the path takes' },
      );
      expect((await curl(`bytes/${fileSize}`, '| sha256sum')).split(' ')[0]).toBe(digestOfFile);
    } finally {
      await director.run('ip', 'route', 'delete', narrower, 'dev', 'inner');
    }
  });

  async function upload(): Promise<string> {
    const script = `"$0" "$1" ${fileSize} | curl -gsS --max-time 20 --upload-file - http://${inUrl(own)}/digest`;
    return await network.client.run('sh', '-c', script, process.execPath, bytesProgram);
  }

  async function curl(path: string, then = ''): Promise<string> {
    return await network.client.run('sh', '-c', `curl -gsS --max-time 20 http://${inUrl(own)}/${path} ${then}`);
  }
});

/** Ten times ten datagrams of 1000 bytes by UDP_SEGMENT; how many answers come. */
const segments = `
  use Socket qw(:all);
  my ($failure, $to) = getaddrinfo($ARGV[0], 7, {socktype => SOCK_DGRAM, flags => AI_NUMERICHOST});
  die $failure if $failure;
  socket(my $wire, $to->{family}, SOCK_DGRAM, 0) or die $!;
  connect($wire, $to->{addr}) or die $!;
  my $answers = 0;
  my $take = sub {
    my $readable = '';
    vec($readable, fileno($wire), 1) = 1;
    return select($readable, undef, undef, 2) && defined recv($wire, my $answer, 65536, 0);
  };
  send($wire, 'first', 0) and $take->() or die 'no answer';
  setsockopt($wire, IPPROTO_UDP, 103, pack('i', 1000)) or die $!;
  for (1 .. 10) {
    send($wire, 'x' x 10000, 0) or die $!;
    for (1 .. 10) { $answers++ if $take->() }
  }
  print $answers;
`;

test('behind XDP, which leaves them to TC, files are whole too', async () => {
  await useXdp(network);
  for (const { own } of ways) {
    const script = `curl -gsS --max-time 20 http://${inUrl(own)}/bytes/${fileSize} | sha256sum`;
    expect((await network.client.run('sh', '-c', script)).split(' ')[0]).toBe(digestOfFile);
  }
  const { events, reasons } = JSON.parse(await network.director.run(fairlead, 'status', '-o', 'json')) as Status;
  expect(events['to-tc']).toBeGreaterThan(500);
  expect(reasons['not-translatable'] ?? 0).toBe(0);
});

interface Status {
  readonly events: Readonly<Record<string, number>>;
  readonly reasons: Readonly<Record<string, number>>;
}

interface Iperf {
  readonly end: {
    readonly sum?: { readonly bits_per_second: number; readonly lost_percent: number };
    readonly sum_received?: { readonly bits_per_second: number };
  };
}

/** Of TCP by either family, and of UDP by each. */
async function wrongSums(): Promise<readonly (readonly number[])[]> {
  return await Promise.all(
    [network.client, ...network.realServers].map(async (host) => [
      await readCounter(host, 'Tcp', 'InCsumErrors'),
      await readCounter(host, 'Udp', 'InCsumErrors'),
      Number(/Udp6InCsumErrors\s+(\d+)/.exec(await host.run('cat', '/proc/net/snmp6'))?.[1]),
    ]),
  );
}
