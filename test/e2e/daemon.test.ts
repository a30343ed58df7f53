// fairlead run: what is declared holds, real servers that fail go and come back, and the daemon itself may die at any time.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Child } from '../../src/lab/child.ts';
import { fairlead, type Host, ipvsadm, type Network, openNetwork, vip } from './network.ts';
import { until } from './until.ts';

const serverProgram = fileURLToPath(new URL('programs/server.mjs', import.meta.url));
const intervalMs = 500;
const timeoutMs = 500;
const fall = 3;
/** What the machine may take longer to do the rest. */
const slackMs = 2500;

describe('by gate', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-daemon-'));
  const file = join(folder, 'web.yaml');
  let network: Network;
  let daemon: Child;
  const servers: Child[] = [];

  const declare = (more = ''): void =>
    writeFileSync(
      file,
      `services:
  - tcp: ${vip}:81
    scheduler: wrr
    method: gate
    sorry_server: {rip: 127.0.0.1, method: gate}
    slow_start: 2s
    checks: {http: /, interval: ${intervalMs}ms, timeout: ${timeoutMs}ms, fall: ${fall}, rise: 2, warm_up: 100ms}
    notify: {down: [/bin/sh, -c, 'echo $FAIRLEAD_DESTINATION >> ${folder}/down']}
    destinations:
      - 10.1.0.1
      - 10.1.0.2
      - 10.1.0.3
${more}`,
    );

  beforeAll(async () => {
    network = await openNetwork('gate');
    for (const one of network.realServers) servers.push(await serve(one, one.name));
    await serve(network.director, 'sorry');
    // A person's own.
    await network.director.run(ipvsadm, '-A', '-t', `${vip}:7`, '-s', 'rr');
    declare();
    daemon = await run();
  });

  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]();
    await network[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  test('what is declared is there, beside what was added by hand', async () => {
    expect(await weights()).toEqual({ '10.1.0.1:81': 1, '10.1.0.2:81': 1, '10.1.0.3:81': 1 });
    expect(await network.director.run(ipvsadm, '-Sn')).toContain(`-A -t ${vip}:7 -s rr`);
  });

  test('a second daemon does not begin', async () => {
    const second = await network.director.attempt([fairlead, 'run', '-c', file]);
    expect(second).toMatchObject({ status: 1 });
    expect(second.stderr).toContain('a daemon runs in this network namespace already');
  });

  test('a real server that is killed is out in time, its neighbours serve, and it comes back step by step', async () => {
    await servers[0]?.[Symbol.asyncDispose]();
    await until(async () => !('10.1.0.1:81' in (await weights())), {
      timeoutMs: fall * intervalMs + timeoutMs + slackMs,
      what: 'out of rotation',
    });
    expect(new Set(await ask(6))).toEqual(new Set(['rs2', 'rs3']));
    const [one] = network.realServers;
    servers[0] = await serve(one, one.name);
    const seen: number[] = [];
    await until(async () => {
      const { '10.1.0.1:81': weight = 0, '10.1.0.2:81': other = 1 } = await weights();
      if (weight > 0 && other === 100) seen.push(weight);
      return weight === 1 && other === 1;
    });
    expect(seen.length).toBeGreaterThan(0);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen[0]).toBeLessThan(100);
  });

  test('one whose packets are lost is out in time too', async () => {
    const [, two] = network.realServers;
    await two.run('ip', 'link', 'set', 'inner', 'down');
    await until(async () => !('10.1.0.2:81' in (await weights())), {
      timeoutMs: fall * intervalMs + timeoutMs + slackMs,
      what: 'out of rotation',
    });
    expect(new Set(await ask(4))).toEqual(new Set(['rs1', 'rs3']));
  });

  test('killed and started again it takes over what it knew, and clients notice nothing', async () => {
    const asked = ask(150);
    for (let kill = 0; kill < 3; kill++) {
      await daemon[Symbol.asyncDispose](); // by SIGKILL
      daemon = await run();
      expect(Object.keys(await weights())).toEqual(['10.1.0.1:81', '10.1.0.3:81']);
    }
    expect(new Set(await asked)).toEqual(new Set(['rs1', 'rs3']));
    await network.realServers[1].run('ip', 'link', 'set', 'inner', 'up');
    await until(async () => '10.1.0.2:81' in (await weights()), { what: 'back' });
  });

  test('one that loses its VIP is out though its port answers', async () => {
    const [, , three] = network.realServers;
    await three.run('ip', 'addr', 'del', `${vip}/32`, 'dev', 'lo');
    await until(async () => !('10.1.0.3:81' in (await weights())), { what: 'out of rotation' });
    await three.run('ip', 'addr', 'add', `${vip}/32`, 'dev', 'lo');
    await until(async () => '10.1.0.3:81' in (await weights()), { what: 'back' });
  });

  test('a mistake in the file changes nothing, and what is right is taken', async () => {
    await until(async () => Object.values(await weights()).join() === '1,1,1', { what: 'slow start is over' });
    declare('  - tcp: 10.0.0.101\n');
    const before = await network.director.run(ipvsadm, '-Sn');
    const refused = daemon.saying('that of before stays', 'stdout', AbortSignal.timeout(10_000));
    await network.director.run('sh', '-c', `kill -HUP ${await pidOf(network.director)}`);
    await refused;
    expect(await network.director.run(ipvsadm, '-Sn')).toBe(before);
    declare('  - tcp: 10.0.0.101:80\n    destinations: [10.1.0.1]\n');
    await network.director.run('sh', '-c', `kill -HUP ${await pidOf(network.director)}`);
    await until(async () => (await network.director.run(ipvsadm, '-Sn')).includes('-A -t 10.0.0.101:80'), {
      what: 'the new service',
    });
    declare();
    const applied = await network.director.run(fairlead, 'apply', file);
    expect(applied).toContain('- tcp 10.0.0.101:80');
    expect(await network.director.run(ipvsadm, '-Sn')).not.toContain('10.0.0.101');
  });

  test('an operator drains one and takes it back, and it is told who and why', async () => {
    const subject = [`${vip}:81/tcp`, '10.1.0.1:81'];
    const drained = await network.director.run(fairlead, 'drain', ...subject, '--why', 'upgrade', '--deadline', '2s');
    expect(drained).toContain('10.1.0.1:81: drained, and removed until it is enabled');
    expect(await weights()).not.toHaveProperty(['10.1.0.1:81']);
    expect(await network.director.run(fairlead, 'get')).toMatch(/10\.1\.0\.1:81 +drained +- +0 +0 +upgrade \(root\)/);
    await network.director.run(fairlead, 'enable', ...subject);
    await until(async () => Object.values(await weights()).join() === '1,1,1', { what: 'slow start is over' });
    await network.director.run(fairlead, 'set', 'weight', ...subject, '7');
    expect((await weights())['10.1.0.1:81']).toBe(7);
    await network.director.run(fairlead, 'enable', ...subject);
    const told = await network.director.run(fairlead, 'log', '-n', '20');
    const story = ['root drain .*: upgrade', 'fairlead drained', 'root enable', 'root set weight 7', 'root enable'];
    expect(told).toMatch(new RegExp(story.join('[\\s\\S]*\n.* ')));
    const unknown = await network.director.attempt([fairlead, 'disable', `${vip}:81/tcp`, '10.1.0.9:81']);
    expect(unknown).toMatchObject({ status: 1 });
    expect(unknown.stderr).toContain('no destination tcp 10.0.0.100:81 10.1.0.9:81 is declared');
  });

  test('one is described whole, with what happened to it, and so is what was added by hand', async () => {
    const told = await network.director.run(fairlead, 'describe', `${vip}:81/tcp`, '10.1.0.1:81');
    expect(told).toMatch(
      /^Service: +10\.0\.0\.100:81\/tcp\nDeclared: +yes\n[\s\S]*\n {2}10\.1\.0\.1:81\n {4}State: +up\n/,
    );
    expect(told).toMatch(/ {4}Method: +gate\n {4}Weight: +1\n/);
    expect(told).toMatch(
      / {4}Check http: +up for \d+s: .*, in [\d.]+ ms \(every 0\.5 s, timeout 0\.5 s, rise 2, fall 3\)\n/,
    );
    expect(told).toMatch(/\nQuorum: +there: weight 1\nSorry server: +127\.0\.0\.1:81\nOn failure: +remove\n/);
    expect(told).toMatch(/Events:\n[\s\S]*root drain tcp 10\.0\.0\.100:81 10\.1\.0\.1:81: upgrade\n/);
    expect(told).not.toContain('10.1.0.2');
    expect(await network.director.run(fairlead, 'describe', `${vip}:7/tcp`)).toContain('no: ipvsadm added it');
    const { services } = JSON.parse(await network.director.run(fairlead, 'describe', '-o', 'json'));
    expect(services.map((one: { service: string }) => one.service)).toEqual([`tcp ${vip}:81`, `tcp ${vip}:7`]);
    const missing = await network.director.attempt([fairlead, 'describe', `${vip}:9/tcp`]);
    expect(missing).toMatchObject({ status: 1, stderr: `fairlead: there is no service ${vip}:9/tcp\n` });
    expect(await network.director.run(fairlead, 'get', '-o', 'wide')).toMatch(
      /10\.1\.0\.1:81 +gate +up +1 +1 .*http up\n/,
    );
    expect(await network.director.run(fairlead, 'names', 'destinations', `${vip}:81/tcp`)).toContain('10.1.0.1:81\n');
  });

  test('top prints a table once, and on a terminal goes on until a key', async () => {
    const once = await network.director.run(fairlead, 'top', '--sort', 'active');
    expect(once).toMatch(/^NAME +STATE .*\n10\.0\.0\.100:81\/tcp 10\.1\.0\.\d:81 +up +1 /);
    const typed = (text: string): string => `until grep -q '${text}' typed; do sleep 0.1; done`;
    const keys = `(${typed('by name')}; printf sb; ${typed('by bytes')}; printf q)`;
    const live = `cd ${folder}; ${keys} | TERM=xterm script -qfec 'stty rows 10; ${fairlead} top; echo ended $?' typed`;
    const [, seen = ''] = (await network.director.run('timeout', '30', 'sh', '-c', live)).split('\x1b[?1049h');
    expect(seen).toMatch(/by bytes[\s\S]*NAME/);
    expect(seen).toContain('\x1b[?1049lended 0');
  });

  test('when all are down the sorry server answers, until one is back', async () => {
    for (const one of servers) await one[Symbol.asyncDispose]();
    await until(async () => (await ask(1))[0] === 'sorry', { what: 'the sorry server' });
    const [one] = network.realServers;
    servers[0] = await serve(one, one.name);
    await until(async () => (await ask(1))[0] === 'rs1', { what: 'the real server' });
    const told = await network.director.run('sort', '-u', join(folder, 'down'));
    expect(told.trim().split('\n')).toEqual(['10.1.0.1:81', '10.1.0.2:81', '10.1.0.3:81']);
  });

  test('what operators said outlives a boot', async () => {
    await network.director.run(fairlead, 'set', 'weight', `${vip}:81/tcp`, '10.1.0.1:81', '9', '--why', 'more memory');
    await daemon[Symbol.asyncDispose]();
    // All that a boot leaves nothing of.
    const { netnsCookie } = JSON.parse(await network.director.run(fairlead, 'status', '-o', 'json'));
    await network.director.run(fairlead, 'detach');
    await network.director.run('sh', '-c', `rm -r /run/fairlead/${netnsCookie}.*`);
    daemon = await run();
    expect((await weights())['10.1.0.1:81']).toBe(9);
    expect(await network.director.run(fairlead, 'get')).toMatch(/10\.1\.0\.1:81 .*more memory \(root\)/);
  });

  async function run(): Promise<Child> {
    const child = network.director.start('env', `STATE_DIRECTORY=${folder}/state`, fairlead, 'run', '-c', file);
    await child.saying('the daemon runs', 'stdout', AbortSignal.timeout(20_000));
    return child;
  }

  /** At the VIP, port 81. */
  async function serve(host: Host, name: string): Promise<Child> {
    const child = host.start(process.execPath, serverProgram, name, vip, '1');
    await child.saying('ready', 'stdout', AbortSignal.timeout(10_000));
    return child;
  }

  async function ask(times: number): Promise<readonly string[]> {
    const script = `for i in $(seq ${times}); do curl -sS --max-time 2 http://${vip}:81/ || echo failed; echo; done`;
    return (await network.client.run('sh', '-c', script)).split('\n').filter((line) => line !== '');
  }

  async function weights(): Promise<Readonly<Record<string, number>>> {
    const lines = (await network.director.run(ipvsadm, '-Sn')).split('\n');
    const own = lines.filter((line) => line.startsWith(`-a -t ${vip}:81 `)).sort();
    return Object.fromEntries(own.map((line) => [/-r (\S+)/.exec(line)?.[1], Number(/-w (\d+)/.exec(line)?.[1])]));
  }
});

/** Of the daemon in this namespace. */
async function pidOf(host: Host): Promise<string> {
  const pids = (await host.run('ip', 'netns', 'pids', host.namespace)).trim().split('\n');
  const { stdout } = await host.attempt([
    'sh',
    '-c',
    `grep -l -z -x run ${pids.map((pid) => `/proc/${pid}/cmdline`).join(' ')}`,
  ]);
  return /\/proc\/(\d+)/.exec(stdout)?.[1] ?? '';
}
