// nginx, Python and sshd, as they are in Debian, log who connects: behind LVS-FULLNAT that is the client, not the director.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addServices, dip, fairlead, inUrl, type Network, openNetwork, type RealServer } from './network.ts';
import { unpack } from './unpacked.ts';
import { until } from './until.ts';

const places = {
  4: { dip, client: '10.0.0.1', any: '0.0.0.0' },
  6: { dip: 'fd00:b::254', client: 'fd00:a::1', any: '::' },
} as const;
/** Of the VIP, by what serves there. */
const ports = { nginx: 180, python: 181, sshd: 122 } as const;
const wrkConnections = 2000;

describe.each([4, 6] as const)('by IPv%i', (family) => {
  const { client, any } = places[family];
  let folder: string;
  let network: Network;
  let realServer: RealServer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-servers-'));
    network = await openNetwork('fullnat', family);
    [realServer] = network.realServers;
    const services = Object.values(ports).map(
      (port) => ({ protocol: 'tcp', port, realServers: [realServer] }) as const,
    );
    await addServices(network, services);
    const director = ['--director', places[family].dip];
    await realServer.run(fairlead, 'realserver', 'add', network.vip, '--method', 'fullnat', ...director);
  });

  afterAll(async () => {
    await realServer.attempt([fairlead, 'realserver', 'reset']);
    await network[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  test(`nginx, asked by ${wrkConnections} connections at a time`, async () => {
    const log = startNginx();
    await until(async () => (await get(ports.nginx)) === 'ok', { what: 'nginx answers' });
    const load = ['--threads', '2', '--connections', String(wrkConnections), '--duration', '3s', '--timeout', '5s'];
    const report = await network.client.run('wrk', ...load, '--header', 'Connection: close', urlOf(ports.nginx));
    const seen = linesOf(log).map((line) => line.split(' '));
    expect(Number(/(\d+) requests in/.exec(report)?.[1])).toBeGreaterThan(wrkConnections);
    expect(new Set(seen.map(([address]) => address))).toEqual(new Set([client]));
    // Ports of the client's own, and none that the director took in their place.
    expect(new Set(seen.map(([, port]) => port)).size).toBeGreaterThan(wrkConnections);
  });

  test("Python's http.server", async () => {
    const port = String(network.realPort(ports.python));
    const log = join(folder, 'python.log');
    const command = 'exec python3 -u -m http.server --bind "$0" --directory "$1" "$2" 2> "$3"';
    realServer.start('sh', '-c', command, any, folder, port, log);
    await until(async () => (await get(ports.python))?.includes('python.log') === true, { what: 'Python answers' });
    expect(linesOf(log).at(-1)?.split(' ')[0]).toBe(client);
  });

  test('sshd', async () => {
    const log = startSshd();
    // None of those that clients are given: wrk's connections may be in TIME_WAIT at them.
    const local = family === 4 ? 20_001 : 20_002;
    const connect = `require('node:net').connect({ host: '${network.vip}', port: ${ports.sshd}, localPort: ${local} })
      .on('error', () => {}).on('data', (data) => { process.stdout.write(data); process.exit(); });`;
    await until(
      async () => (await network.client.attempt([process.execPath, '-e', connect])).stdout.startsWith('SSH-'),
      {
        what: 'sshd greets',
      },
    );
    expect(linesOf(log).join('\n')).toContain(`Connection from ${client} port ${local} `);
  });

  function urlOf(port: number): string {
    return `http://${inUrl(network.vip)}:${port}/`;
  }

  async function get(port: number): Promise<string | undefined> {
    const { status, stdout } = await network.client.attempt(['curl', '-sS', '--max-time', '5', urlOf(port)]);
    return status === 0 ? stdout : undefined;
  }

  /** One process: workers would outlive one that is killed. */
  function startNginx(): string {
    const { root, env } = unpack('nginx', 'nginx-common');
    const log = join(folder, 'access.log');
    const settings = join(folder, 'nginx.conf');
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${join(folder, name)};`,
    );
    writeFileSync(
      settings,
      `daemon off; master_process off; user root; pid ${join(folder, 'nginx.pid')}; worker_rlimit_nofile 16384;
      events { worker_connections 8192; }
      http {
        ${temporary.join(' ')}
        log_format who '$remote_addr $remote_port';
        access_log ${log} who;
        server { listen ${inUrl(any)}:${network.realPort(ports.nginx)} backlog=8192; return 200 ok; }
      }`,
    );
    realServer.start(...env, join(root, 'usr/sbin/nginx'), '-e', join(folder, 'error.log'), '-c', settings);
    return log;
  }

  /** In a mount namespace in which there are the user and the directory that it insists on. */
  function startSshd(): string {
    const { root, env } = unpack('openssh-server', 'openssh-client', 'libwrap0');
    const log = join(folder, 'sshd.log');
    const [settings, key, users] = ['sshd.conf', 'key', 'passwd'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(users, `${readFileSync('/etc/passwd', 'utf8')}sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n`);
    writeFileSync(
      settings,
      `ListenAddress ${inUrl(any)}:${network.realPort(ports.sshd)}\nHostKey ${key}\nLogLevel VERBOSE\nPidFile none\nUsePAM no\n`,
    );
    mkdirSync(join(folder, 'run'));
    const script = `mount --bind "$0" /etc/passwd; mount -t tmpfs none /run; mkdir /run/sshd
      "$1/usr/bin/ssh-keygen" -q -t ed25519 -N '' -f "$2"; exec "$1/usr/sbin/sshd" -D -f "$3" -E "$4"`;
    realServer.start(...env, 'unshare', '--mount', 'sh', '-ec', script, users, root, key, settings, log);
    return log;
  }
});

function linesOf(path: string): readonly string[] {
  return readFileSync(path, 'utf8').trimEnd().split('\n');
}
