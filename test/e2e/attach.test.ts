// Taking packets from interfaces and giving everything back; and what is asked in vain: it is said, and nothing has changed.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { netnsCookie, withNetns } from '../../src/kernel/namespace.ts';
import { compile } from '../kernel/compile.ts';
import { addServices, fairlead, ipvsadm, type Network, openNetwork, vip } from './network.ts';
import { withoutRoot } from './unprivileged.ts';

const passProgram = fileURLToPath(new URL('programs/pass.bpf.c', import.meta.url));
const tagProgram = fileURLToPath(new URL('programs/tag.bpf.c', import.meta.url));
const http = { protocol: 'tcp', port: 80 } as const;

let network: Network;

describe('attaching and detaching', () => {
  beforeEach(async () => {
    network = await openNetwork('gate');
  });

  afterEach(() => network[Symbol.asyncDispose]());

  test('takes packets from all Ethernet-like interfaces, carries them, and then leaves nothing behind', async () => {
    const before = await traces();
    await addServices(network, [http]);
    expect(await attached()).toEqual({ outer: 'tc', inner: 'tc' });
    expect(await curl()).toMatch(/^rs/);
    await network.director.run(ipvsadm, '-a', '-t', `${vip}:80`, '-r', '127.0.0.1'); // packets that leave are looked at too
    await detach();
    expect(await traces()).toEqual(before);
    expect(remains()).toEqual([]);
    expect(await network.director.run(ipvsadm, '-Sn')).toBe('');
    expect(await detach()).toContain('nothing was attached');
  });

  test.each([
    ['tc', 'tc'],
    ['xdp', 'xdp+tc'],
    ['auto', 'tc'], // no XDP on a veth that nobody asked for
  ])('takes them at --hook %s from interfaces that are named', async (hook, expected) => {
    const before = await traces();
    await network.director.run(fairlead, 'attach', 'outer', '--hook', hook);
    expect(await attached()).toEqual({ outer: expected });
    await addServices(network, [http]);
    expect(await attached()).toEqual({ outer: expected });
    if (hook !== 'xdp') expect(await curl()).toMatch(/^rs/);
    await network.director.run(fairlead, 'attach', 'inner', 'outer', '--hook', 'tc');
    expect(await attached()).toEqual({ outer: 'tc', inner: 'tc' });
    expect(await curl()).toMatch(/^rs/);
    await detach();
    expect(await traces()).toEqual(before);
    expect(remains()).toEqual([]);
  });

  test.each([
    ['one tag', 'tc/one'],
    ['two tags', 'tc/two'],
  ])('takes frames with %s', async (_, section) => {
    using program = compile(tagProgram);
    await network.client.run('tc', 'qdisc', 'add', 'dev', 'outer', 'clsact');
    const filter = ['filter', 'add', 'dev', 'outer', 'egress', 'bpf', 'da', 'obj', program.path, 'sec', section];
    await network.client.run('tc', ...filter);
    await addServices(network, [http]);
    expect(await curl()).toMatch(/^rs/);
  });

  async function curl(): Promise<string> {
    return network.client.run('curl', '-sS', '--max-time', '3', `http://${vip}/`);
  }
});

describe('what is asked in vain is said, and changes nothing:', () => {
  const service = ['-t', `${vip}:80`];
  const realServer = ['-r', '10.1.0.1:8080'];

  beforeAll(async () => {
    network = await openNetwork('masq');
  });

  afterAll(() => network[Symbol.asyncDispose]());

  const anywhere: readonly Refusal[] = [
    ['an interface that does not exist', [fairlead, 'attach', 'outer', 'none'], 1, 'there is no interface none'],
    ['no root for ipvsadm', asNobody([ipvsadm, '-A', ...service]), 2, 'Permission denied (you must be root)'],
    ['no root for fairlead', asNobody([fairlead, 'attach']), 1, 'you must be root'],
    ['an unknown scheduler', [ipvsadm, '-A', '-t', `${vip}:81`, '-s', 'best'], 255, 'Scheduler or persistence engine'],
    ['a bad address', [ipvsadm, '-A', '-t', '10.0.0.300:80'], 2, 'illegal virtual server address[:port] specified'],
    ['a bad real server', [ipvsadm, '-a', ...service, '-r', '10.1.0.300'], 2, 'illegal real server address[:port]'],
    ['a service that is missing', [ipvsadm, '-a', '-t', `${vip}:81`, ...realServer, '-m'], 255, 'Service not defined'],
  ];
  const nowhere: readonly Refusal[] = [
    ['an interface that is not Ethernet', [fairlead, 'attach', 'lo'], 1, 'lo is no Ethernet interface'],
    ['a hook that does not exist', [fairlead, 'attach', '--hook', 'eth'], 2, "argument 'eth' is invalid"],
    ['a service to delete that is missing', [ipvsadm, '-D', '-t', `${vip}:81`], 255, 'No such service'],
    ['an unknown option', [ipvsadm, '-A', ...service, '--best'], 255, 'unknown option'],
  ];
  const there: readonly Refusal[] = [
    ['a service that is there', [ipvsadm, '-A', ...service], 255, 'Service already exists'],
    ['a real server that is missing', [ipvsadm, '-d', ...service, '-r', '10.1.0.9:80'], 255, 'No such destination'],
    [
      'a real server that is there',
      [ipvsadm, '-a', ...service, ...realServer, '-m'],
      255,
      'Destination already exists',
    ],
    ['another size', [fairlead, 'attach', '--connections', '5000'], 1, 'the size of the connection table is chosen'],
  ];

  describe('where nothing is attached,', () => {
    let before: readonly string[];

    beforeAll(async () => {
      before = await state();
    });

    test.each([...anywhere, ...nowhere])('%s', async (_, command, status, message) => {
      await expectRefusal(command, status, message);
      expect(await state()).toEqual(before);
    });
  });

  describe('where a director is,', () => {
    let before: readonly string[];

    beforeAll(async () => {
      await addServices(network, [http]);
      before = await state();
    });

    afterAll(detach);

    test.each([...anywhere, ...there])('%s', async (_, command, status, message) => {
      await expectRefusal(command, status, message);
      expect(await state()).toEqual(before);
    });

    test('a line amid many', async () => {
      const input = `-A -t ${vip}:82 -s rr\n-a -t ${vip}:82 -r 10.1.0.1:82 -m\n-a -t ${vip}:83 -r 10.1.0.1:83 -m\n`;
      const { status, stderr } = await network.director.attempt([ipvsadm, '-R'], { input });
      expect(status).toBe(255);
      expect(stderr).toContain('3');
      expect(stderr).toContain('Service not defined');
      expect(await state()).toEqual(before);
    });

    test('an interface whose XDP hook another has', async () => {
      using program = compile(passProgram);
      const xdp = ['ip', 'link', 'set', 'dev', 'inner'];
      await network.director.run(...xdp, 'xdp', 'obj', program.path, 'sec', 'xdp');
      await expectRefusal([fairlead, 'attach', '--hook', 'xdp'], 1, 'inner');
      expect(await attached()).toEqual({ outer: 'tc', inner: 'tc' });
      await network.director.run(...xdp, 'xdp', 'off');
    });

    test('attaching again is no mistake, and changes nothing either', async () => {
      const services = await saved();
      await network.director.run(fairlead, 'attach');
      expect(await saved()).toBe(services);
      expect(await attached()).toEqual({ outer: 'tc', inner: 'tc' });
    });
  });

  async function expectRefusal(command: readonly string[], status: number, message: string): Promise<void> {
    const outcome = await network.director.attempt(command);
    expect(outcome.stderr).toContain(message);
    expect([outcome.status, outcome.stdout]).toEqual([status, '']);
  }
});

/** What is asked, the exit status, and a part of what is said. */
type Refusal = readonly [string, readonly string[], number, string];

function asNobody(command: readonly string[]): readonly string[] {
  return [...withoutRoot, ...command];
}

/** All that a command may change. */
async function state(): Promise<readonly string[]> {
  return [...(await traces()), ...remains(), await saved()];
}

/** All that attaching changes in a namespace; settings to the byte. */
async function traces(): Promise<readonly string[]> {
  const points = ['outer', 'inner', 'lo'].flatMap((name) => [`${name} ingress`, `${name} egress`]);
  const filters = points.map((point) => `tc filter show dev ${point}`).join('; ');
  const settings = "sysctl --all --ignore --pattern '^net[.]ipv4[.](conf|neigh|ip_)'";
  const script = `tc qdisc show; ${filters}; ip -d link show; ${settings}`;
  return (await network.director.run('sh', '-ec', script)).split('\n');
}

/** What is pinned, or locked, for the director's namespace. */
function remains(): readonly string[] {
  const cookie = withNetns(`/run/netns/${network.director.namespace}`, netnsCookie);
  return ['/run/fairlead', '/run/fairlead/bpf'].flatMap((folder) =>
    readdirSync(folder).filter((name) => new RegExp(`^${cookie}\\b`).test(name)),
  );
}

function saved(): Promise<string> {
  return network.director.run(ipvsadm, '-Sn');
}

function detach(): Promise<string> {
  return network.director.run(fairlead, 'detach');
}

async function attached(): Promise<Record<string, string>> {
  const status = JSON.parse(await network.director.run(fairlead, 'status', '-o', 'json')) as Status;
  return Object.fromEntries(
    status.attachments.map(({ interface: name, xdp, tc }) => [
      name,
      [xdp ? 'xdp' : '', tc ? 'tc' : ''].filter(Boolean).join('+'),
    ]),
  );
}

interface Status {
  readonly attachments: readonly { readonly interface: string; readonly xdp: boolean; readonly tc: boolean }[];
}
