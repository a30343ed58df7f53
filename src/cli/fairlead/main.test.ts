// fairlead's own answers: its version, and what it says of a command line that it can't read.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { run } from './main.ts';
import { version } from './version.ts';

async function fairlead(...argv: readonly string[]) {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const sink = (texts: string[]) => ({ write: (text: string) => texts.push(text) });
  const status = await run(argv, { stdout: sink(stdout), stderr: sink(stderr) });
  return { status, stdout: stdout.join(''), stderr: stderr.join('') };
}

test.each(['--version', '-v'])('%s tells the version', async (word) => {
  expect(await fairlead(word)).toEqual({ status: 0, stdout: `fairlead v${version}\n`, stderr: '' });
});

test.each([
  [['trace', '10.0.0.1', '10.0.0.100:80/tcp'], 'expected an address and a port from 1 to 65535'],
  [['trace', '10.0.0.1:0', '10.0.0.100:80/tcp'], 'expected an address and a port from 1 to 65535'],
  [['trace', '10.0.0.300:80', '10.0.0.100:80/tcp'], 'expected an address and a port from 1 to 65535'],
  [['trace', '[10.0.0.1]:80', '10.0.0.100:80/tcp'], 'expected an address and a port from 1 to 65535'],
  [['trace', '2001:db8::1:80', '[2001:db8::2]:80/tcp'], 'expected an address and a port from 1 to 65535'],
  [['trace', '[2001:db8::1]', '[2001:db8::2]:80/tcp'], 'expected an address and a port from 1 to 65535'],
  [['trace', '10.0.0.1:80', '10.0.0.100:80'], 'expected VIP:PORT/tcp or VIP:PORT/udp, got "10.0.0.100:80"'],
  [['trace', '10.0.0.1:80', '10.0.0.100:80/icmp'], 'expected VIP:PORT/tcp or VIP:PORT/udp'],
  [['trace', '10.0.0.1:80'], "missing required argument 'service'"],
  [['attach', '--connections', 'many'], 'expected a number of connections from 1024 to 16777216, got "many"'],
  [['attach', '--connections', '1000'], 'expected a number of connections from 1024 to 16777216, got "1000"'],
  [['attach', '--hook', 'eth'], "argument 'eth' is invalid"],
  [['list', '-o', 'xml'], "argument 'xml' is invalid"],
  [['settings', 'drop_entri'], 'expected the name of a setting, got "drop_entri"; did you mean drop_entry?'],
  [['settings', 'drop_entry=1', 'drop_packet=4'], 'drop_packet: expected a number from 0 to 3, got "4"'],
  [['settings', 'drop_entry=1', 'drop_packet'], 'expected NAME=VALUE after another, got "drop_packet"'],
  [['settings', 'sync_version=0'], 'sync_version has no meaning here: connections are not synchronised'],
  [['settings', '-f', '/no/such/file'], '/no/such/file: ENOENT'],
  [['settings', '-f', '/dev/null'], "/dev/null: expected 'settings:' and below it names with values"],
  [['settings', '-f', '-', 'drop_entry=1'], 'expected either a file or settings'],
  [['direct'], "unknown command 'direct'"],
])('%j is a mistake of the command line', async (argv, message) => {
  const { status, stdout, stderr } = await fairlead(...argv);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain(message);
});

const fixture = (name: string): string => fileURLToPath(new URL(`../../../test/fixtures/${name}`, import.meta.url));

test('import keepalived writes a configuration, and beside it what it could not carry over', async () => {
  const { status, stdout, stderr } = await fairlead('import', 'keepalived', fixture('keepalived/classic.conf'));
  expect(status).toBe(0);
  expect(stdout).toBe(readFileSync(fixture('keepalived/classic.yaml'), 'utf8'));
  expect(stderr).toContain('classic.conf:9: static_routes: addresses, routes and rules stay with keepalived\n');
});

test('import ipvsadm takes what ipvsadm -S wrote, and tells lines that are none of it', async () => {
  const { status, stdout, stderr } = await fairlead('import', 'ipvsadm', fixture('ipvsadm/saved.txt'));
  expect({ status, stdout }).toEqual({ status: 0, stdout: readFileSync(fixture('ipvsadm/saved.yaml'), 'utf8') });
  expect(
    stderr.replaceAll(fixture('ipvsadm/'), ''),
  ).toBe(`saved.txt:9: -a -t 192.0.2.10:80 -r 10.1.0.1:8080 -m -w 1: Destination already exists
saved.txt:10: -L -n: it is no part of a table
saved.txt:11: -A -t 192.0.2.11:80 -s wlx: Scheduler or persistence engine not found
`);
});

test.each([['check'], ['plan'], ['apply'], ['import', 'ipvsadm'], ['import', 'keepalived']])(
  '%s %s of a file that is not there fails',
  async (...words) => {
    const { status, stdout, stderr } = await fairlead(...words, '/no/such/file');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('/no/such/file: ENOENT');
  },
);
