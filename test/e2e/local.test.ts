// Real servers and clients on the director itself: what IPVS calls Local, and does at LOCAL_OUT.
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  fairlead,
  type Host,
  inUrl,
  ipvsadm,
  methodOption,
  type Network,
  openNetwork,
  restore,
  startServer,
  vipOf,
} from './network.ts';
import { digest } from './programs/bytes.mjs';
import { startTalker } from './talk.ts';
import { until } from './until.ts';

const bytesProgram = fileURLToPath(new URL('programs/bytes.mjs', import.meta.url));
const fileSize = 20_000_000;
const places = {
  4: { dip: '10.1.0.254', loopback: '127.0.0.1', foreign: '203.0.113.10', host: 32 },
  6: { dip: 'fd00:b::254', loopback: '::1', foreign: '2001:db8::10', host: 128 },
} as const;
/** For which ports can be mapped. */
const translating = [
  ['masq', 4],
  ['masq', 6],
  ['fullnat', 4],
] as const;
const passing = [
  ['gate', 4],
  ['tunnel', 6],
] as const;

let network: Network;

const cleanUp = (): Promise<string> => network.director.run(ipvsadm, '-C');

describe.each(translating)('by %s over IPv%s', (method, family) => {
  const { dip, loopback } = places[family];

  beforeAll(async () => {
    network = await openNetwork(method, family);
    for (const address of [dip, network.vip, loopback]) await startServer(network.director, 'director', address, 8000);
  });

  afterEach(cleanUp);

  afterAll(() => network[Symbol.asyncDispose]());

  describe('a real server on the director', () => {
    test.each([
      ['at its inner address', dip],
      ['at the VIP', vipOf(family)],
    ])('%s serves a client', async (_, rip) => {
      await serve(80, [`${inUrl(rip)}:8080`]);
      expect(await get(network.client)).toBe('director');
      expect(await connections()).toMatch(/TCP .* TIME_WAIT .*:8080/);
      await expectCounted();
      expect(await reasons()).toEqual({});
    });

    test('takes and gives large files whole', async () => {
      await serve(80, [`${inUrl(dip)}:8080`]);
      await expectTransfers(network.client);
    });

    test('answers datagrams, and refuses them', async () => {
      await serve(7, [`${inUrl(dip)}:8007`], '-u');
      await serve(9, [`${inUrl(dip)}:9`], '-u');
      await expectDatagrams('director');
    });

    test('serves clients on the director, from any of its addresses', async () => {
      await serve(80, [`${inUrl(dip)}:8080`]);
      for (const source of [dip, network.vip, loopback])
        expect(await get(network.director, '--interface', source)).toBe('director');
    });

    test('shares clients with the others', async () => {
      const [rs1] = network.realServers;
      await serve(80, [`${inUrl(dip)}:8080`, `${inUrl(rs1.rip)}:8080`]);
      const answers = [await get(network.client), await get(network.client)];
      expect(answers.sort()).toEqual(['director', 'rs1']);
    });
  });

  describe('a client on the director', () => {
    test('is served by each real server in turn, whatever address it has', async () => {
      await serve(
        80,
        network.realServers.map(({ rip }) => `${inUrl(rip)}:8080`),
      );
      const answers = [
        await get(network.director),
        await get(network.director, '--interface', network.vip),
        await get(network.director, '--interface', dip),
      ];
      expect(answers).toEqual(['rs3', 'rs2', 'rs1']);
      expect(await connections()).toMatch(/TCP .* TIME_WAIT .*:8080/);
      expect(await reasons()).toEqual({});
    });

    test('sends and gets large files whole', async () => {
      await serve(80, [`${inUrl(network.realServers[0].rip)}:8080`]);
      await expectTransfers(network.director);
    });

    test('sends datagrams, and learns that they are refused', async () => {
      const [{ rip }] = network.realServers;
      await serve(7, [`${inUrl(rip)}:8007`], '-u');
      await serve(9, [`${inUrl(rip)}:9`], '-u');
      await expectDatagrams('rs1', network.director);
    });

    test('is refused where there is no real server', async () => {
      await serve(80, []);
      const { stderr } = await network.director.attempt(['curl', '-gsS', '--max-time', '5', url()]);
      expect(stderr).toMatch(/refused|Could ?n.t connect/);
    });
  });

  test('a real server at a loopback address serves only clients on the director', async () => {
    await serve(80, [`${inUrl(loopback)}:8080`]);
    expect(await get(network.director)).toBe('director');
    expect(await get(network.client, '--max-time', '1')).toBe('');
    expect((await reasons())['no-route']).toBeGreaterThan(0);
  });
});

describe.each(passing)('by %s over IPv%s', (method, family) => {
  const { dip, loopback, foreign, host } = places[family];

  beforeAll(async () => {
    network = await openNetwork(method, family);
    await startServer(network.director, 'director', network.vip);
  });

  afterEach(cleanUp);

  afterAll(() => network[Symbol.asyncDispose]());

  test.each([loopback, vipOf(family), dip])(
    'a real server on the director at %s serves clients there and elsewhere',
    async (rip) => {
      await serve(80, [rip]);
      expect(await get(network.client)).toBe('director');
      expect(await get(network.director)).toBe('director');
      expect(await connections()).toMatch(/(TCP .* TIME_WAIT .*:80\n.*){2}/);
      const client = family === 4 ? '10.0.0.1:4444' : '[fd00:a::1]:4444';
      const traced = await network.director.run(fairlead, 'trace', client, `${inUrl(network.vip)}:80/tcp`);
      expect(traced).toContain("passed to this machine's own stack");
      await expectCounted();
      expect(await reasons()).toEqual({});
    },
  );

  test('the others are used beside it', async () => {
    const [rs1] = network.realServers;
    await serve(80, [dip, rs1.rip]);
    const answers = [await get(network.client), await get(network.client)];
    expect(answers.sort()).toEqual(['director', 'rs1']);
  });

  test('a client on the director is served where the VIP is not its own', async () => {
    const [rs1] = network.realServers;
    if (method === 'tunnel') await rs1.run(fairlead, 'realserver', 'add', foreign, '--method', 'tunnel');
    else await rs1.run('ip', 'address', 'add', `${foreign}/${host}`, 'dev', 'lo');
    await startServer(rs1, 'rs1', foreign);
    await network.director.run('ip', 'route', 'add', foreign, 'via', network.realServers[1].rip);
    await serve(80, [rs1.rip], '-t', foreign);
    expect(await network.director.run('curl', '-gsS', '--max-time', '5', `http://${inUrl(foreign)}/`)).toBe('rs1');
    if (method === 'tunnel') await rs1.run(fairlead, 'realserver', 'remove', foreign);
  });
});

describe('where packets leave, they are looked at', () => {
  beforeAll(async () => {
    network = await openNetwork('masq');
  });

  afterAll(() => network[Symbol.asyncDispose]());

  test('on lo; elsewhere only while a real server is on the director, or a VIP is not', async () => {
    const [rs1] = network.realServers;
    const service = ['-t', `${network.vip}:80`];
    await serve(80, [rs1.rip]);
    expect(await seenAt()).toEqual(['lo']);
    await network.director.run(ipvsadm, '-a', ...service, '-r', '127.0.0.1', '-m');
    expect(await seenAt()).toEqual(['inner', 'lo', 'outer']);
    expect(await network.director.run(fairlead, 'status')).toMatch(/outer +tc, own packets\n/);
    await network.director.run(ipvsadm, '-d', ...service, '-r', '127.0.0.1');
    expect(await seenAt()).toEqual(['lo']);
    await serve(80, [rs1.rip], '-t', '203.0.113.10');
    expect(await seenAt()).toEqual(['inner', 'lo', 'outer']);
    await network.director.run(fairlead, 'attach', 'outer');
    expect(await seenAt()).toEqual(['lo', 'outer']);
    expect(await network.director.run(fairlead, 'status')).toMatch(/lo +own packets\n/);
  });

  test('but for lo where another has its place, which status tells', async () => {
    await network.director.run(fairlead, 'detach');
    await network.director.run('tc', 'qdisc', 'add', 'dev', 'lo', 'ingress');
    const { stderr } = await network.director.attempt([ipvsadm, '-A', '-t', `${network.vip}:80`]);
    expect(stderr).toContain('not seen at lo: interface lo has the qdisc ingress where clsact is needed');
    expect(await network.director.run(fairlead, 'status')).toMatch(/not attached\n +lo +interface lo has the qdisc/);
    await network.director.run('tc', 'qdisc', 'del', 'dev', 'lo', 'ingress');
    await network.director.run(ipvsadm, '-E', '-t', `${network.vip}:80`, '-s', 'rr');
    expect(await seenAt()).toEqual(['lo']);
  });

  async function seenAt(): Promise<readonly string[]> {
    return [...(await status()).own].sort();
  }
});

function serve(port: number, realServers: readonly string[], protocol = '-t', vip = network.vip): Promise<void> {
  const service = `${protocol} ${inUrl(vip)}:${port}`;
  const added = realServers.map((one) => `-a ${service} -r ${one} ${methodOption(network)}`);
  return restore(network, [`-A ${service} -s rr`, ...added]);
}

function url(): string {
  return `http://${inUrl(network.vip)}/`;
}

/** Empty when there is no answer. */
async function get(from: Host, ...options: readonly string[]): Promise<string> {
  return (await from.attempt(['curl', '-gsS', '--max-time', '5', ...options, url()])).stdout;
}

async function connections(): Promise<string> {
  return await network.director.run(ipvsadm, '-Lnc');
}

/** Both directions. */
async function expectCounted(): Promise<void> {
  const counted = /InPkts[\s\S]*?-> +\S+ +[1-9]\d* +([4-9]|\d\d) +([3-9]|\d\d) /;
  await until(async () => counted.test(await network.director.run(ipvsadm, '-Ln', '--stats')), {
    what: 'the packets counted',
  });
}

async function expectTransfers(from: Host): Promise<void> {
  const download = `curl -gsS --max-time 30 ${url()}bytes/${fileSize} | sha256sum`;
  expect((await from.run('sh', '-c', download)).split(' ')[0]).toBe(digest(fileSize));
  const upload = `"$0" "$1" ${fileSize} | curl -gsS --max-time 30 --upload-file - ${url()}digest`;
  expect(await from.run('sh', '-c', upload, process.execPath, bytesProgram)).toBe(digest(fileSize));
}

/** Port 7 answers, port 9 is closed. */
async function expectDatagrams(name: string, client: Host = network.client): Promise<void> {
  const talker = await startTalker({ ...network, client });
  expect(await (await talker.open('udp')).ask()).toBe(name);
  const refused = await talker.open('udp', { port: 9 });
  await refused.ask({ timeoutMs: 100 });
  await until(() => refused.error() === 'ECONNREFUSED', { what: 'the datagram is refused' });
}

async function reasons(): Promise<Readonly<Record<string, number>>> {
  const all = Object.entries((await status()).reasons);
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}

async function status(): Promise<Status> {
  return JSON.parse(await network.director.run(fairlead, 'status', '-o', 'json')) as Status;
}

interface Status {
  readonly own: readonly string[];
  readonly reasons: Readonly<Record<string, number>>;
}
