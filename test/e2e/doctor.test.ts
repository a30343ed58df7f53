// The doctor on a director of LVS-DR: silent where all is well, and naming just what is wrong, one thing or several at once.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addServices, destination, fairlead, ipvsadm, type Network, openNetwork, vip } from './network.ts';

let network: Network;

beforeAll(async () => {
  network = await openNetwork('gate');
  await addServices(network, [{ protocol: 'tcp', port: 80 }]);
});

afterAll(() => network[Symbol.asyncDispose]());

interface Told {
  readonly problems: readonly {
    readonly id: string;
    readonly wrong: string;
    readonly mend: { readonly command: string; readonly on?: string };
  }[];
  readonly fixed: readonly string[];
}

test('nothing is wrong, and nothing is printed', async () => {
  expect(await network.director.attempt([fairlead, 'doctor'])).toEqual({ status: 0, stdout: '', stderr: '' });
});

test("several things at once are told apart, and --fix mends what is this machine's", async () => {
  const [talker, bare] = network.realServers;
  await talker.run('sysctl', '-q', 'net.ipv4.conf.all.arp_ignore=0');
  await bare.run('ip', 'address', 'del', `${vip}/32`, 'dev', 'lo');
  await network.director.run('sysctl', '-q', 'net.ipv4.conf.lo.forwarding=0');
  try {
    const { status, problems } = await consult();
    expect(status).toBe(1);
    expect(problems.map(({ id, mend: { on = 'here' } }) => `${id} ${on}`)).toEqual([
      'forwarding-off here',
      `arp ${talker.rip}`,
      `unanswered ${bare.rip}`,
    ]);
    const { problems: rest, fixed } = await consult('--fix');
    expect(fixed).toEqual(['sysctl -w net.ipv4.conf.lo.forwarding=1']);
    expect(rest.map(({ id }) => id)).toEqual(['arp', 'unanswered']);
  } finally {
    await talker.run('sysctl', '-q', 'net.ipv4.conf.all.arp_ignore=1');
    await bare.run('ip', 'address', 'add', `${vip}/32`, 'dev', 'lo');
  }
  expect(await consult()).toMatchObject({ status: 0, problems: [] });
});

test('a service whose real servers are all quiesced is told of, and its command mends it', async () => {
  for (const one of network.realServers) {
    const server = ['-t', `${vip}:80`, '-r', destination(network, one, 80), '-g'];
    await network.director.run(ipvsadm, '-e', ...server, '-w', '0');
  }
  const { problems } = await consult();
  expect(problems.map(({ id }) => id)).toEqual(['quiesced']);
  await network.director.run('sh', '-ec', `ipvsadm() { ${ipvsadm} "$@"; }; ${problems[0]?.mend.command}`);
  expect(await consult()).toMatchObject({ status: 0, problems: [] });
});

test.each([
  [['--frob'], 2, "unknown option '--frob'"],
  [['eth0'], 2, 'too many arguments'],
])('%s is refused', async (words, status, message) => {
  const outcome = await network.director.attempt([fairlead, 'doctor', ...words]);
  expect(outcome).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(message) });
});

async function consult(...options: readonly string[]): Promise<Told & { readonly status: number }> {
  const { status, stdout } = await network.director.attempt([fairlead, 'doctor', '-o', 'json', ...options]);
  return { status, ...JSON.parse(stdout) };
}
