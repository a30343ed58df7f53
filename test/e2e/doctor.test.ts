// The doctor on a director and its clients: silent where all is well, and naming just what is wrong, one thing or several at once.
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  addServices,
  destination,
  fairlead,
  type Host,
  ipvsadm,
  type Network,
  openNetwork,
  vip,
  vipOf,
} from './network.ts';

let network: Network;
let six: Network;

beforeAll(async () => {
  [network, six] = await Promise.all([openNetwork('gate'), openNetwork('tunnel', 6)]);
  for (const one of [network, six]) await addServices(one, [{ protocol: 'tcp', port: 80 }]);
});

afterAll(async () => {
  for (const one of [network, six]) await one?.[Symbol.asyncDispose]();
});

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
    const { problems: rest, fixed } = await consult({ words: ['--fix'] });
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

test('by IPv6 as well: nothing is wrong, and then two things are', async () => {
  expect(await consult({ of: six })).toMatchObject({ status: 0, problems: [] });
  const [talker, bare] = six.realServers;
  await talker.run('ip', 'address', 'add', `${vipOf(6)}/128`, 'dev', 'inner', 'nodad');
  await bare.run('ip', 'address', 'del', `${vipOf(6)}/128`, 'dev', 'lo');
  try {
    const { problems } = await consult({ of: six });
    expect(problems.map(({ id, mend: { on = 'here' } }) => `${id} ${on}`)).toEqual([
      `arp ${talker.rip}`,
      `unanswered ${bare.rip}`,
    ]);
    expect(problems[0]?.wrong).toContain('neighbour discovery');
    await bare.run(fairlead, 'doctor', '--fix');
    expect((await consult({ of: six })).problems.map(({ id }) => id)).toEqual(['arp']);
    await talker.run('sh', '-ec', `fairlead() { ${fairlead} "$@"; }; ${problems[0]?.mend.command}`);
    expect(await consult({ of: six })).toMatchObject({ status: 0, problems: [] });
  } finally {
    await talker.attempt(['ip', 'address', 'del', `${vipOf(6)}/128`, 'dev', 'inner']);
  }
});

test('a client tries a VIP, and tells a real server that is dead from one that is there, and a VIP that nobody has', async () => {
  const { client, realServers } = network;
  const look = (target: string): Promise<Told & { readonly status: number }> =>
    consult({ on: client, words: [target] });
  expect(await look(`${vip}:80`)).toMatchObject({ status: 0, problems: [] });
  await realServers[2].run('ip', 'link', 'set', 'inner', 'down');
  try {
    const { status, problems } = await look(`${vip}:80`);
    expect([status, problems.map(({ id, mend: { on } }) => `${id} ${on}`)]).toEqual([1, ['unanswered the director']]);
    expect(problems[0]?.wrong).toContain('not take every connection');
  } finally {
    await realServers[2].run('ip', 'link', 'set', 'inner', 'up');
  }
  expect((await look('10.0.0.77:80')).problems.map(({ id }) => id)).toEqual(['vip-not-on-director']);
  expect((await look('192.0.2.1:80')).problems.map(({ wrong }) => wrong)).toEqual([
    'there is no way from here to 192.0.2.1',
  ]);
  await realServers[0].run('sysctl', '-q', 'net.ipv4.conf.all.arp_ignore=0');
  try {
    expect((await look(`${vip}:80`)).problems.map(({ id }) => id)).toContain('two-directors');
  } finally {
    await realServers[0].run('sysctl', '-q', 'net.ipv4.conf.all.arp_ignore=1');
  }
});

test.each([
  [['--frob'], 2, "unknown option '--frob'"],
  [['eth0'], 2, 'expected an address and a port from 1 to 65535, as in 10.0.0.1:40000'],
  [['192.0.2.1:80', 'eth0'], 2, 'too many arguments'],
])('%s is refused', async (words, status, message) => {
  const outcome = await network.director.attempt([fairlead, 'doctor', ...words]);
  expect(outcome).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(message) });
});

interface Consultation {
  readonly of?: Network;
  /** The director if not given. */
  readonly on?: Host;
  readonly words?: readonly string[];
}

async function consult({
  of = network,
  on = of.director,
  words = [],
}: Consultation = {}): Promise<Told & { readonly status: number }> {
  const { status, stdout } = await on.attempt([fairlead, 'doctor', '-o', 'json', ...words]);
  return { status, ...JSON.parse(stdout) };
}
