// Commands that run at once, or are killed, in one namespace: no change is lost, none is half there.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type TestNamespace, testNamespace } from '../kernel/namespace.ts';

const ipvsadm = fileURLToPath(new URL('../../bin/ipvsadm', import.meta.url));
const fairlead = fileURLToPath(new URL('../../bin/fairlead', import.meta.url));
const environment = { ...process.env, FAIRLEAD_CONNECTIONS: '4096' };
const vip = '10.0.0.100:80';

let namespace: TestNamespace;

beforeEach(() => {
  namespace = testNamespace();
});

afterEach(() => {
  try {
    execFileSync('ip', ['netns', 'exec', namespace.name, fairlead, 'detach']);
  } finally {
    namespace[Symbol.dispose]();
  }
});

test('the first commands of all, at once, make one instance and lose nothing', async () => {
  const ports = [1, 2, 3, 4];
  const statuses = await Promise.all(
    ports.map((port) => statusOf(start('-A', '-t', `10.0.0.100:${port}`, '-s', 'rr'))),
  );
  expect(statuses).toEqual([0, 0, 0, 0]);
  expect(saved().sort()).toEqual(ports.map((port) => `-A -t 10.0.0.100:${port} -s rr`));
});

test('two that add destinations at once lose nothing', async () => {
  await statusOf(start('-A', '-t', vip, '-s', 'wrr'));
  const add = async (network: number): Promise<void> => {
    for (let host = 1; host <= 5; host++) {
      expect(await statusOf(start('-a', '-t', vip, '-r', `10.${network}.0.${host}:80`, '-m'))).toBe(0);
    }
  };
  await Promise.all([add(1), add(2)]);
  expect(saved()).toHaveLength(1 + 10);
});

test('one that is killed at any moment leaves its whole change or none of it', async () => {
  await statusOf(start('-A', '-t', vip, '-s', 'rr'));
  const lines = (host: number): string[] => [1, 2, 3].map((port) => `-a -t ${vip} -r 10.1.0.${host}:${port} -m -w 1`);
  const begunMs = performance.now();
  await statusOf(start('-R'), lines(100));
  const wholeMs = performance.now() - begunMs;
  const kills = 16;
  for (let kill = 1; kill <= kills; kill++) {
    const before = saved();
    const restore = start('-R');
    const timer = setTimeout(() => restore.kill('SIGKILL'), wholeMs * (0.5 + kill / (2 * kills)));
    await statusOf(restore, lines(kill));
    clearTimeout(timer);
    expect([0, 3]).toContain(saved().length - before.length);
  }
  expect(await statusOf(start('-a', '-t', vip, '-r', '10.9.9.9:80', '-m'))).toBe(0);
});

test('one that is killed while it makes the instance leaves nothing in the way of the next', async () => {
  const before = traces();
  for (const afterMs of [150, 300, 450, 600, 750, 900]) {
    const first = start('-A', '-t', vip, '-s', 'rr');
    const kill = setTimeout(() => first.kill('SIGKILL'), afterMs);
    await once(first, 'exit');
    clearTimeout(kill);
    expect(saved().length).toBeLessThanOrEqual(1);
    expect(await statusOf(start('-A', '-t', '10.0.0.100:81', '-s', 'rr'))).toBe(0);
    expect(saved()).toContain('-A -t 10.0.0.100:81 -s rr');
    execFileSync('ip', ['netns', 'exec', namespace.name, fairlead, 'detach']);
    expect(traces()).toEqual(before);
  }
});

function start(...words: string[]): ChildProcess {
  return spawn('ip', ['netns', 'exec', namespace.name, ipvsadm, ...words], {
    env: environment,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
}

/** null when it was killed. */
async function statusOf(child: ChildProcess, lines: readonly string[] = []): Promise<number | null> {
  child.stdin?.on('error', () => {}); // it may be dead before it has read them
  child.stdin?.end(lines.map((line) => `${line}\n`).join(''));
  const [status] = (await once(child, 'exit')) as [number | null];
  return status;
}

function saved(): string[] {
  const text = execFileSync('ip', ['netns', 'exec', namespace.name, ipvsadm, '-S', '-n'], {
    encoding: 'utf8',
    env: environment,
  });
  return text.split('\n').filter((line) => line !== '');
}

/** What attaching changes in the namespace. */
function traces(): string {
  return [
    namespace.output('tc', 'qdisc', 'show'),
    namespace.output('sysctl', '-n', 'net.ipv4.conf.lo.forwarding'),
    namespace.ip('-d', 'link'),
  ].join('\n');
}
