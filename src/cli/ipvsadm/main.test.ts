// The command as a whole, beyond what was recorded: full NAT, transactions, a namespace without a data plane, failures.
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Address, compareAddresses, parseAddress } from '../../model/address.ts';
import type { Director } from '../../model/director.ts';
import { about, FairleadError } from '../../model/error.ts';
import { openFakeDirector } from '../../model/fake-director.ts';
import {
  type Destination,
  emptyTable,
  type Service,
  type ServiceIdentity,
  schedulers,
  type Table,
  type Tunnel,
  uoaModes,
} from '../../model/service.ts';
import { destinationKey, serviceFamily, serviceKey } from '../../model/table.ts';
import type { Host } from './host.ts';
import { runIpvsadm } from './main.ts';
import { runAs } from './scripts.ts';

const host: Host = {
  addressOf: async () => undefined,
  namesOf: async (addresses) => new Map(Array.from(addresses).length > 0 ? [['10.0.0.100', 'vip.example']] : []),
  portOf: () => undefined,
  serviceOf: (port) => (port === 80 ? 'http' : undefined),
  broadcasts: async () => [],
  mtuOf: async (name) => ({ eth0: 1500, lo: 65536 })[name],
  addresses: async () => ['10.0.0.5', '10.0.0.6', '127.0.0.1'].map(parseAddress),
};
const web: ServiceIdentity = { kind: 'address', protocol: 'tcp', vip: parseAddress('10.0.0.100'), port: 80 };

/** A namespace whose director is made by whoever first asks for it, as the real one is. */
function openNamespace(initial?: Table) {
  let director = initial && openFakeDirector(initial);
  let opened = 0;
  let disposed = 0;
  const open = ({ create }: { create: boolean }): Director | undefined => {
    if (create) director ??= openFakeDirector();
    if (director === undefined) return undefined;
    opened += 1;
    const dispose = () => {
      disposed += 1;
    };
    return { ...director, [Symbol.dispose]: dispose };
  };
  async function run(line: string, stdin = '', program = 'ipvsadm') {
    const [stdout, stderr]: [string[], string[]] = [[], []];
    const sink = (texts: string[]) => ({ write: (text: string) => texts.push(text) });
    const io = { stdin: Readable.from([stdin]), stdout: sink(stdout), stderr: sink(stderr), host };
    const status = await runAs(program, line === '' ? [] : line.split(' '), io, open);
    expect(disposed).toBe(opened);
    return { stdout: stdout.join(''), stderr: stderr.join(''), status };
  }
  return { run, director: () => director, table: () => director?.table() ?? emptyTable };
}

const silent = { stdout: '', stderr: '', status: 0 };

describe('an MSS clamp', () => {
  test.each([
    ['--mss-clamp', 'path', 'mss-clamp'],
    ['--mss-clamp 1400', 1400, 'mss-clamp 1400'],
  ])('%s is listed and saved, and gone when the service is edited without it', async (option, mssClamp, label) => {
    const { run, table } = openNamespace();
    for (const service of ['-t 10.0.0.100:80', '-f 7']) {
      const line = `-A ${service} -s wlc -p 60 ${option}`;
      expect(await run(line)).toEqual(silent);
      expect(table().services.at(-1)).toMatchObject({ mssClamp });
      expect((await run('-Sn')).stdout).toBe(`${line}\n`);
      expect((await run('-Ln')).stdout).toContain(` wlc persistent 60 ${label}\n`);
      expect(await run(`-E ${service} -s wlc`)).toEqual(silent);
      expect(table().services.at(-1)).not.toHaveProperty('mssClamp');
      await run('-C');
    }
  });

  test.each([
    ['-A -u 10.0.0.100:80 --mss-clamp', 'The MSS clamp is only for TCP virtual services'],
    ['-A --sctp-service 10.0.0.100:80 --mss-clamp 1400', 'The MSS clamp is only for TCP virtual services'],
    ['-A -t 10.0.0.100:80 --mss-clamp 87', 'illegal mss_clamp specified'],
    ['-A -t 10.0.0.100:80 --mss-clamp=65496', 'illegal mss_clamp specified'],
    ['-A -t 10.0.0.100:80 --mss-clamp path', 'illegal mss_clamp specified'],
    ['-a -t 10.0.0.100:80 -r 10.1.0.1 --mss-clamp', "Illegal 'mss-clamp' option with the 'add-server' command"],
  ])('%s is refused', async (line, message) => {
    const { run, table } = openNamespace();
    const { stderr, status } = await run(line);
    expect([stderr.split('\n')[0], status]).toEqual([message, 2]);
    expect(table().services).toEqual([]);
  });
});

describe('UOA', () => {
  test.each([
    ['-u 10.0.0.100:53', 'ipo'],
    ['-u [2001:db8::1]:53', 'opp'],
    ['-f 7', 'ipo'],
    ['-f 7 -6', 'opp'],
  ])('of %s is listed and saved, and gone when the service is edited without it', async (service, uoa) => {
    const { run, table } = openNamespace();
    const line = `-A ${service} -s wlc --uoa ${uoa}`;
    expect(await run(line)).toEqual(silent);
    expect(table().services.at(-1)).toMatchObject({ uoa });
    expect((await run('-Sn')).stdout).toBe(`${line}\n`);
    expect((await run('-Ln')).stdout).toContain(` wlc uoa ${uoa}\n`);
    expect(await run(`-E ${service} -s wlc`)).toEqual(silent);
    expect(table().services.at(-1)).not.toHaveProperty('uoa');
  });

  test.each([
    ['-A -t 10.0.0.100:80 --uoa ipo', 'UOA is only for UDP virtual services'],
    ['-A -u 10.0.0.100:80 --uoa toa', 'illegal uoa specified: expected ipo or opp'],
    ['-A -u [2001:db8::1]:80 --uoa ipo', 'IPv6 has no options of IPv4: expected --uoa opp'],
    ['-a -u 10.0.0.100:80 -r 10.1.0.1 --uoa ipo', "Illegal 'uoa' option with the 'add-server' command"],
  ])('%s is refused', async (line, message) => {
    const { run, table } = openNamespace();
    const { stderr, status } = await run(line);
    expect([stderr.split('\n')[0], status]).toEqual([message, 2]);
    expect(table().services).toEqual([]);
  });
});

describe('a destination that its method can not work with', () => {
  const line = '-a -t 127.0.0.100:80 -r 127.0.0.2:8080 -g';

  test('is obeyed without a word where nobody looks', async () => {
    const { run, table } = openNamespace();
    await run('-A -t 127.0.0.100:80');
    expect(await run(line)).toEqual(silent);
    expect(table().services[0]?.destinations).toMatchObject([{ port: 80 }]);
  });

  test('is refused with --strict, and nothing changes', async () => {
    const { run, table } = openNamespace();
    await run('-A -t 127.0.0.100:80');
    expect(await run(`${line} --strict`)).toMatchObject({
      status: 255,
      stdout: '',
      stderr: expect.stringContaining("gate can't map ports: packets come to 127.0.0.2 for port 80, not 8080"),
    });
    expect(table().services[0]?.destinations).toEqual([]);
    expect(await run('-a -t 127.0.0.100:80 -r 127.0.0.2:80 -g --strict')).toEqual(silent);
  });

  test('--strict is for nothing else', async () => {
    const { run } = openNamespace();
    expect((await run('-A -t 127.0.0.100:80 --strict')).stderr).toContain("Illegal 'strict' option");
  });
});

describe('full NAT', () => {
  test('is a forwarding method, listed as FullNat and saved with its local addresses', async () => {
    const { run } = openNamespace();
    const lines = [
      '-A -t 10.0.0.100:80 -s wlc',
      '--add-laddr -z 10.0.0.5 -t 10.0.0.100:80',
      '--add-laddr -z 10.0.0.6 -t 10.0.0.100:80',
      '-a -t 10.0.0.100:80 -r 10.2.0.1:8080 --fullnat -w 3',
    ];
    for (const line of lines) expect(await run(line)).toEqual(silent);
    expect((await run('-Sn')).stdout).toBe(lines.map((line) => `${line}\n`).join(''));
    expect((await run('-Ln')).stdout).toContain(
      '  -> 10.2.0.1:8080                FullNat 3      0          0         \n',
    );
    expect((await run('-Ln --tun-info')).stdout).toContain('FullNat n/a           3      0          0         \n');
    expect((await run('--get-laddr -t 10.0.0.100:80')).stdout).toBe(
      [
        'VIP:VPORT            TOTAL    SNAT_IP',
        '10.0.0.100:80        2',
        '                              10.0.0.5',
        '                              10.0.0.6',
        '',
      ].join('\n'),
    );
  });

  test('leads to real servers of the other address family, which neither masq nor gate do', async () => {
    const { run } = openNamespace();
    const lines = [
      '-A -t [fd00::100]:80 -s wlc',
      '--add-laddr -z 10.0.0.5 -t [fd00::100]:80',
      '-a -t [fd00::100]:80 -r 10.2.0.1:8080 --fullnat -w 1',
    ];
    for (const line of lines) expect(await run(line)).toEqual(silent);
    expect((await run('-Sn')).stdout).toBe(lines.map((line) => `${line}\n`).join(''));
    expect((await run('-Ln')).stdout).toContain('-> 10.2.0.1:8080                FullNat 1');
    for (const method of ['-m', '-g'])
      expect(await run(`-a -t [fd00::100]:80 -r 10.2.0.2 ${method}`)).toMatchObject({ stdout: '', status: 2 });
    expect((await run('-Sn')).stdout).toBe(lines.map((line) => `${line}\n`).join(''));
  });

  test.each([
    ['10.0.0.7', 'no interface that is up has 10.0.0.7: answers of real servers to it will not come here'],
    ['127.0.0.1', "127.0.0.1 is a loopback address: real servers can't answer to it"],
  ])('takes the local address %s with a warning', async (address, warning) => {
    const { run, table } = openNamespace();
    await run('-A -t 10.0.0.100:80');
    const line = `--add-laddr -z ${address} -t 10.0.0.100:80`;
    expect(await run(line)).toEqual({ stdout: '', stderr: `warning: ${warning}\n`, status: 0 });
    expect(await run('-R', `-C\n-A -t 10.0.0.100:80\n${line}`)).toEqual({
      stdout: '',
      stderr: `warning: ${warning}\n`,
      status: 0,
    });
    expect(table().services[0]?.localAddresses).toEqual([parseAddress(address)]);
  });

  test('keeps the port that is given, and is one of the methods of which only one can be', async () => {
    const { run, table } = openNamespace();
    await run('-A -t 10.0.0.100:80');
    await run('-a -t 10.0.0.100:80 -r 10.2.0.1:8080 --fullnat');
    await run('-a -t 10.0.0.100:80 -r 10.2.0.1 --fullnat');
    expect(table().services[0]?.destinations.map(destinationKey)).toEqual(['10.2.0.1:80', '10.2.0.1:8080']);
    expect(await run('-a -t 10.0.0.100:80 -r 10.2.0.2 --fullnat -m')).toEqual({
      stdout: '',
      stderr: "multiple 'forwarding-method' options specified\n",
      status: 2,
    });
  });

  test("shows the director's own end of a connection", async () => {
    const { run, director } = openNamespace({ services: [] });
    const at = (text: string, port: number) => ({ address: parseAddress(text), port });
    director()?.setConnections([
      {
        ...{ protocol: 'tcp', state: 'ESTABLISHED', expiresInS: 6001, method: 'fullnat' },
        ...{ client: at('10.0.0.1', 30000), virtual: at('10.0.0.100', 80), local: at('10.0.0.5', 1025) },
        destination: at('10.2.0.1', 8080),
      },
    ]);
    expect((await run('-Lnc')).stdout.split('\n')[2]).toBe(
      'TCP 100:01 ESTABLISHED 10.0.0.1:30000     10.0.0.100:80      10.2.0.1:8080 local 10.0.0.5:1025',
    );
  });
});

describe('in a namespace without a data plane', () => {
  test.each([
    ['', 'IP Virtual Server version 1.2.1 (size=4096)\n'],
    ['-Ln', 'IP Virtual Server version 1.2.1 (size=4096)\n'],
    ['-Lnc', 'IPVS connection entries\n'],
    ['-L --timeout', 'Timeout (tcp tcpfin udp): 900 120 300\n'],
    ['-S', ''],
    ['-Z', ''],
    ['-C', ''],
    ['-R', ''],
    ['--get-laddr', 'VIP:VPORT            TOTAL    SNAT_IP\n'],
  ])('`%s` finds nothing and makes nothing', async (line, beginning) => {
    const { run, director } = openNamespace();
    const { stdout, stderr, status } = await run(line);
    expect(stdout.startsWith(beginning)).toBe(true);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(director()).toBeUndefined();
  });

  test.each([
    ['-L -t 10.0.0.100:80', 'No such service', 1],
    ['-Z -t 10.0.0.100:80', 'No such service', 255],
    ['-D -t 10.0.0.100:80', 'No such service', 255],
    ['-a -t 10.0.0.100:80 -r 10.1.0.1', 'Service not defined', 255],
    ['-A -t 10.0.0.100:80 -s nosuch', 'Scheduler or persistence engine not found', 255],
    ['-A -t 10.0.0.100:80 -p -M ::', 'illegal virtual server persistent mask specified', 2],
    ['--add-laddr -z 10.0.0.5 -t 10.0.0.100:80', 'Service not defined', 255],
    ['--get-laddr -t 10.0.0.100:80', 'No such service', 255],
  ])('`%s` fails and makes nothing', async (line, message, status) => {
    const { run, director } = openNamespace();
    expect(await run(line)).toEqual({ stdout: '', stderr: `${message}\n`, status });
    expect(director()).toBeUndefined();
  });

  test('the first service makes it, and so do timeouts', async () => {
    const one = openNamespace();
    expect(await one.run('-A -t 10.0.0.100:80')).toEqual(silent);
    expect(one.table().services).toHaveLength(1);
    const other = openNamespace();
    expect(await other.run('--set 0 10 0')).toEqual(silent);
    expect(other.director()?.timeouts()).toEqual({ tcp: 900, tcpFin: 10, udp: 300 });
  });
});

describe('-R', () => {
  const good = '-A -t 10.0.0.100:80 -s rr\n';

  test.each([
    [
      'a line that is refused',
      `${good}\n  -a -t 10.0.0.100:80 -r 10.1.0.300\n${good}`,
      'line 3: -a -t 10.0.0.100:80 -r 10.1.0.300: illegal real server address[:port] specified',
    ],
    [
      'a line that the table does not allow',
      `${good}-D -t 10.0.0.100:81`,
      'line 2: -D -t 10.0.0.100:81: No such service',
    ],
    [
      'a real server that is no unicast address',
      `${good}-a -t 10.0.0.100:80 -r 224.0.0.1`,
      'line 2: -a -t 10.0.0.100:80 -r 224.0.0.1: Invalid operation.  Possibly wrong module version, address not unicast, ...',
    ],
    ['a restore within a restore', '-R', "line 1: -R: The 'restore' command can't be part of a restore"],
    [
      'zeroing a service that is not there',
      `${good}-Z -t 10.0.0.100:81`,
      'line 2: -Z -t 10.0.0.100:81: No such service',
    ],
  ])('changes nothing because of %s', async (_what, input, message) => {
    const before: Table = {
      services: [{ identity: { ...web, port: 443 }, scheduler: 'sh', localAddresses: [], destinations: [] }],
    };
    const { run, director, table } = openNamespace(before);
    expect(await run('-R', input)).toEqual({
      stdout: '',
      stderr: `${message}\nNothing has been changed.\n`,
      status: 255,
    });
    expect(table()).toBe(before);
    const empty = openNamespace();
    expect((await empty.run('-R', input)).status).toBe(255);
    expect(empty.director()).toBeUndefined();
    expect(director()?.changes).toBe(0);
  });

  test('shows of a line what a terminal can show, and no more than 200 characters', async () => {
    const { run } = openNamespace();
    const { stderr, status } = await run('-R', `-A -t 10.0.0.100:80 -s \u001b[31m\u202e${'x'.repeat(300)}`);
    expect(status).toBe(255);
    const echo = `-A -t 10.0.0.100:80 -s \\x1b[31m\\x202e${'x'.repeat(171)}...`;
    expect(stderr).toBe(`line 1: ${echo}: Scheduler or persistence engine not found\nNothing has been changed.\n`);
    const second = await run('-R', `-A -t 10.0.0.100:80 x${'\u0007'.repeat(400)}`);
    expect(second.stderr.length).toBeLessThan(2000);
    expect(second.stderr).not.toContain('\u0007');
  });

  test.each([
    ['tcp 10.0.0.2:80', 3],
    ['tcp 10.0.0.2:80 10.1.0.1:80', 4],
    ['tcp 10.0.0.2:80 10.1.0.2:80', 5],
  ])('names the line when the table has no room for %s', async (subject, line) => {
    const input = [
      '-A -t 10.0.0.1:80',
      '',
      '-A -t 10.0.0.2:80',
      '-a -t 10.0.0.2:80 -r 10.1.0.1 -m',
      '-a -t 10.0.0.2:80 -r 10.1.0.2 -m',
    ];
    const full = () => {
      throw new FairleadError('table-full', 'no room for more: the table has 7');
    };
    const open = () => ({ ...openFakeDirector(), change: () => about(subject, full), [Symbol.dispose]: () => {} });
    const written: string[] = [];
    const sink = { write: (text: string) => written.push(text) };
    const io = { stdin: Readable.from([input.join('\n')]), stdout: sink, stderr: sink, host };
    expect(await runIpvsadm(['-R'], io, open)).toBe(255);
    expect(written.join('')).toBe(
      `line ${line}: ${input[line - 1]}: no room for more: the table has 7\nNothing has been changed.\n`,
    );
  });

  test('makes one change of all its lines, -C included, and then sets and zeroes', async () => {
    const { run, director, table } = openNamespace();
    await run('-A -u 10.0.0.100:53');
    const input = `-C\r\n --set 60 0 30\n${good}\t-a -t 10.0.0.100:80  -r 10.1.0.1 -m\n-Z -t 10.0.0.100:80`;
    expect(await run('--restore', input)).toEqual(silent);
    expect(table().services.map((one) => serviceKey(one.identity))).toEqual(['tcp 10.0.0.100:80']);
    expect(director()?.changes).toBe(2);
    expect(director()?.timeouts()).toEqual({ tcp: 60, tcpFin: 120, udp: 30 });
  });

  test('makes again what -S has saved', async () => {
    await fc.assert(
      fc.asyncProperty(tables, async (table) => {
        const saved = (await openNamespace(table).run('-Sn')).stdout;
        const other = openNamespace();
        expect(await other.run('-R', saved)).toMatchObject({ stdout: '', status: 0 });
        expect(sorted(other.table())).toEqual(sorted(table));
        // ipvsadm's order has cycles, so lines can change places.
        const lines = (text: string) => text.split('\n').toSorted();
        expect(lines((await other.run('-Sn')).stdout)).toEqual(lines(saved));
      }),
      { numRuns: 50 },
    );
  });
});

test('names stand for addresses and ports where -n is not given, cut to their columns', async () => {
  const { run } = openNamespace();
  await run('-A -t 10.0.0.100:80 -s rr');
  await run('-a -t 10.0.0.100:80 -r 10.1.0.1 -m');
  expect((await run('-L')).stdout.split('\n').slice(3)).toEqual([
    'TCP  vip.example:http rr',
    '  -> 10.1.0.1:http                Masq    1      0          0         ',
    '',
  ]);
  expect((await run('-S')).stdout).toBe(
    '-A -t vip.example:http -s rr\n-a -t vip.example:http -r 10.1.0.1:http -m -w 1\n',
  );
});

describe('ipvsadm-save and ipvsadm-restore', () => {
  const saved = '-A -t 10.0.0.100:80 -s rr\n-a -t 10.0.0.100:80 -r 10.1.0.1:80 -m -w 1\n';

  test('save what restore makes again, in the place of all there was', async () => {
    const { run, table, director } = openNamespace();
    await run('-A -u 10.0.0.100:53');
    expect(await run('', `# what was saved\n${saved}`, 'ipvsadm-restore')).toEqual(silent);
    expect(director()?.changes).toBe(2);
    expect(table().services.map((one) => serviceKey(one.identity))).toEqual(['tcp 10.0.0.100:80']);
    expect(await run('-n', '', 'ipvsadm-save')).toEqual({ ...silent, stdout: saved });
    expect((await run('', '', 'ipvsadm-save')).stdout).toContain('-A -t vip.example:http ');
    expect(await run('', '', 'ipvsadm-restore')).toEqual(silent);
    expect(table()).toEqual(emptyTable);
  });

  test('a line that is refused leaves all as it was, and is known by its number in the input', async () => {
    const { run, table } = openNamespace();
    await run('-A -u 10.0.0.100:53');
    const before = table();
    expect(await run('', `# what was saved\n${saved}-A -t 10.0.0.100:80`, 'ipvsadm-restore')).toEqual({
      stdout: '',
      stderr: 'line 4: -A -t 10.0.0.100:80: Service already exists\nNothing has been changed.\n',
      status: 255,
    });
    expect(table()).toBe(before);
  });

  test('save knows one option, and restore none', async () => {
    const { run } = openNamespace();
    const stderr =
      'ipvsadm-save: Script to save the IPVS table to stdout.\n' +
      '   With the -n option, prints out the table in numeric format.\n';
    for (const line of ['-h', '--numeric', '-n -x']) {
      expect(await run(line, '', 'ipvsadm-save')).toEqual({ stdout: '', stderr, status: 1 });
    }
    expect(await run('--help', '', 'ipvsadm-restore')).toEqual(silent);
  });
});

describe('the daemons of connection synchronisation', () => {
  const warning =
    'warning: connections are not synchronised by this version yet: ' +
    'the daemon is remembered, but sends and receives nothing\n';

  test('are remembered until they are stopped, and never work in silence', async () => {
    const { run } = openNamespace();
    expect(await run('-L --daemon')).toEqual(silent);
    expect(await run('--stop-daemon master')).toEqual({ stdout: '', stderr: 'No daemon is running\n', status: 255 });
    expect(await run('--start-daemon backup --syncid 3')).toEqual({ ...silent, stderr: warning });
    expect(await run('--start-daemon master --mcast-group ff02::5')).toEqual({ ...silent, stderr: warning });
    expect(await run('--start-daemon backup')).toEqual({ stdout: '', stderr: 'Daemon has already run\n', status: 255 });
    expect(await run('-L --daemon')).toEqual({
      stdout:
        'master sync daemon (mcast=eth0, syncid=0, maxlen=1452, group=ff02::5, port=8848, ttl=1)\n' +
        'backup sync daemon (mcast=eth0, syncid=3, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)\n',
      stderr: warning,
      status: 0,
    });
    expect(await run('--stop-daemon master')).toEqual(silent);
    expect((await run('-L --daemon')).stdout).toContain('backup');
    expect(await run('--stop-daemon backup')).toEqual(silent);
    await run('--start-daemon backup --mcast-interface lo');
    expect((await run('-L --daemon')).stdout).toContain('maxlen=65507');
  });
});

describe('what the table refuses', () => {
  test.each([
    ['-D -f 7', 'No such service'],
    ['-a -f 7 -r 10.1.0.1', 'Service not defined'],
    ['-A -t 10.0.0.100:81 --pe bogus', 'Scheduler or persistence engine not found'],
    ['-a -t 10.0.0.100:80 -r 10.1.0.1 -x 5 -y 6', 'Numerical result out of range'],
  ])('`%s` is refused as ipvsadm does', async (line, message) => {
    const { run } = openNamespace();
    await run('-A -t 10.0.0.100:80');
    expect(await run(line)).toEqual({ stdout: '', stderr: `${message}\n`, status: 255 });
  });
});

describe('when the director can not be opened', () => {
  const notRoot =
    "Can't initialize ipvs: Permission denied (you must be root)\n" +
    'Are you sure that IP Virtual Server is built in the kernel or as module?\n';

  test.each([
    ['for want of root, as ipvsadm', '-Ln', new FairleadError('not-root', 'x'), notRoot, 2],
    ['for want of root, before the input of -R is read', '-R', new FairleadError('not-root', 'x'), notRoot, 2],
    [
      'for another reason',
      '-Ln',
      new FairleadError('no-bpf', 'this kernel has no BPF', { hint: 'use 6.1' }),
      'this kernel has no BPF\nuse 6.1\n',
      255,
    ],
  ])('says so: %s', async (_why, line, error, stderr, status) => {
    const written: string[] = [];
    const sink = { write: (text: string) => written.push(text) };
    const io = { stdin: Readable.from(['-q']), stdout: sink, stderr: sink, host };
    const open = () => {
      throw error;
    };
    expect(await runIpvsadm([line], io, open)).toBe(status);
    expect(written.join('')).toBe(stderr);
  });
});

const addresses = fc
  .tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255), fc.nat(255), fc.nat(254))
  .map((bytes) => ({ family: 4, bytes }) as const);
const sixAddresses = fc
  .array(fc.nat(255), { minLength: 15, maxLength: 15 })
  .map((bytes) => ({ family: 6, bytes: [0x20, ...bytes] }) as const);
const ports = fc.integer({ min: 1, max: 65535 });
const tunnels: fc.Arbitrary<Tunnel> = fc.oneof(
  fc.record({
    type: fc.constant('gue' as const),
    port: ports,
    checksum: fc.constantFrom('none' as const, 'full', 'remote'),
  }),
  fc.record({
    type: fc.constant('gre' as const),
    port: fc.constant(0),
    checksum: fc.constantFrom('none' as const, 'full'),
  }),
);
const thresholds = fc.oneof(
  fc.constant({}),
  fc.integer({ min: 1, max: 2147483647 }).map((upperThreshold) => ({ upperThreshold })),
  fc
    .integer({ min: 1, max: 2147483647 })
    .chain((upper) =>
      fc.integer({ min: 1, max: upper }).map((lower) => ({ upperThreshold: upper, lowerThreshold: lower })),
    ),
);

function destinationsOf(identity: ServiceIdentity): fc.Arbitrary<readonly Destination[]> {
  const ownPort = identity.kind === 'address' ? identity.port : undefined;
  const one = fc
    .record({
      rip: serviceFamily(identity) === 4 ? addresses : sixAddresses,
      port: ports,
      method: fc.constantFrom('masq' as const, 'gate', 'tunnel', 'fullnat'),
      weight: fc.nat(2147483647),
      tunnel: fc.option(tunnels, { nil: undefined }),
      thresholds,
    })
    .map(({ tunnel, thresholds: both, ...rest }): Destination => {
      const isWrapped = rest.method === 'tunnel' && tunnel !== undefined;
      // gate and tunnel are given the service's port.
      const port = rest.method === 'gate' || rest.method === 'tunnel' ? (ownPort ?? rest.port) : rest.port;
      return { ...rest, port, ...both, ...(isWrapped ? { tunnel } : {}) };
    });
  return fc.uniqueArray(one, { maxLength: 8, selector: ({ rip }) => rip.bytes.join('.') });
}

const identities: fc.Arbitrary<ServiceIdentity> = fc.oneof(
  fc.record({
    kind: fc.constant('address' as const),
    protocol: fc.constantFrom('tcp' as const, 'udp', 'sctp'),
    vip: fc.oneof(addresses, sixAddresses),
    port: ports,
  }),
  fc.record({
    kind: fc.constant('mark' as const),
    mark: fc.integer({ min: 1, max: 0x7fffffff }),
    family: fc.constantFrom(4 as const, 6),
  }),
);

function settingsOf(identity: ServiceIdentity): fc.Arbitrary<Partial<Service>> {
  const isSix = serviceFamily(identity) === 6;
  const masks = isSix
    ? fc.integer({ min: 1, max: 128 }).map(
        (length): Address => ({
          family: 6,
          bytes: Array.from({ length: 16 }, (_, at) => 255 & ~(255 >> Math.min(Math.max(length - 8 * at, 0), 8))),
        }),
      )
    : addresses;
  const mayBeOnePacket = identity.kind === 'mark' || identity.protocol === 'udp';
  const mayBeClamped = identity.kind === 'mark' || identity.protocol === 'tcp';
  return fc.record(
    {
      persistence: fc.record({ timeoutS: fc.integer({ min: 1, max: 2678400 }), mask: masks }),
      persistenceEngine: fc.constant('sip'),
      schedulerFlags: fc.subarray(['flag-1', 'flag-2', 'flag-3'], { minLength: 1 }),
      ...(mayBeOnePacket ? { onePacket: fc.constant(true) } : {}),
      ...(mayBeClamped
        ? { mssClamp: fc.oneof(fc.constant('path' as const), fc.integer({ min: 88, max: 65495 })) }
        : {}),
      ...(mayBeOnePacket ? { uoa: isSix ? fc.constant('opp' as const) : fc.constantFrom(...uoaModes) } : {}),
    },
    { requiredKeys: [] },
  );
}

const services: fc.Arbitrary<Service> = identities.chain((identity) =>
  fc
    .tuple(
      fc.record({
        scheduler: fc.constantFrom(...schedulers.filter((name) => name !== 'sh' && name !== 'mh')),
        localAddresses: fc.uniqueArray(addresses, {
          maxLength: 3,
          comparator: (one, other) => compareAddresses(one, other) === 0,
        }),
        destinations: destinationsOf(identity),
      }),
      settingsOf(identity),
    )
    .map(([rest, settings]) => ({ identity, ...rest, ...settings })),
);
const tables: fc.Arbitrary<Table> = fc
  .uniqueArray(services, { maxLength: 6, selector: ({ identity }) => serviceKey(identity) })
  .map((all) => ({ services: all }));

/** Listings sort, so a saved table has lost the order in which it was made, as with ipvsadm. */
function sorted({ services: all }: Table): Table {
  const byKey =
    <Item>(key: (item: Item) => string) =>
    (one: Item, other: Item) =>
      key(one) < key(other) ? -1 : 1;
  return {
    services: all
      .map((one) => ({ ...one, destinations: one.destinations.toSorted(byKey(destinationKey)) }))
      .toSorted(byKey((one) => serviceKey(one.identity))),
  };
}
