// How long after a real server's death packets of clients still go to it: until the daemon's health checks have taken it out.
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { Child } from '../../src/lab/child.ts';
import { Client } from '../../src/lab/client.ts';
import { run } from '../../src/lab/command.ts';
import { detach } from '../../src/lab/director.ts';
import { addressOf } from '../../src/lab/plan.ts';
import { natPlan } from '../../src/lab/plans/nat.ts';
import { layOut, namespacesOf, removeNamespaces } from '../../src/lab/topology.ts';
import { root } from '../../test/root.ts';
import { type Limit, medianFigure, type Row } from '../row.ts';

const realServers = ['rs1', 'rs2'] as const;
const [victim] = realServers;
const rip = addressOf(natPlan, victim);
const client = addressOf(natPlan, 'client');
const [port, realPort] = [81, 8081];

const check = { intervalMs: 500, timeoutMs: 250, fall: 3 } as const;
/** The last of the probes that have to fail, at the latest: intervals are up to a tenth longer by chance. */
const allowedS = (check.fall * check.intervalMs * 1.1 + check.timeoutMs) / 1000;

const askEveryMs = 10;
const patienceMs = 20_000;
const pollMs = 20;
/** A client sends again after a second what nobody answers: after so long without a packet none is to come. */
const quietMs = 1500;

/** Each returns what undoes it. */
const deaths: Readonly<Record<string, (scene: Scene) => Promise<() => Promise<void>>>> = {
  // Its kernel refuses from then on.
  killed: async (scene) => {
    await scene.stop(victim);
    return () => scene.serve(victim);
  },
  // Nobody has its address any more, as if a cable were cut.
  silent: async ({ inside }) => {
    await inside(victim, `ip address del ${rip}/24 dev eth0`);
    return async () => {
      await inside(victim, `ip address add ${rip}/24 dev eth0`);
      await inside(victim, `ip route add default via ${addressOf(natPlan, 'director', 1)}`);
    };
  },
};

export async function deathRows(fairlead: string, folder: string, runs: number): Promise<readonly Row[]> {
  const file = join(folder, 'death.yaml');
  writeFileSync(file, declaration());
  await using scene = await openScene();
  for (const name of realServers) await scene.serve(name);
  await scene.start('director', [fairlead, 'run', '-c', file], 'the daemon runs');
  using _asking = await scene.askAlways();
  const rows: Row[] = [];
  for (const [name, die] of Object.entries(deaths)) {
    const samples: number[] = [];
    for (let count = 0; count < runs; count++) samples.push(await measure(scene, die));
    rows.push({ name: `last packet to a real server that is ${name}`, unit: 's', ...medianFigure(samples) });
  }
  return rows;
}

export function deathLimits(rows: readonly Row[]): readonly Limit[] {
  return rows
    .filter(({ name }) => name.startsWith('last packet to'))
    .map(({ name, median }) => ({
      claim: `${name}, of the seconds that its checks may take`,
      atMost: 1,
      got: median / allowedS,
    }));
}

/** Seconds. */
async function measure(scene: Scene, die: (scene: Scene) => Promise<() => Promise<void>>): Promise<number> {
  const begin = now();
  await scene.until(() => scene.lastPacketMs() > begin);
  const diedAt = now();
  const revive = await die(scene);
  await scene.until(() => now() - Math.max(scene.lastPacketMs(), diedAt) > quietMs);
  const last = scene.lastPacketMs();
  await revive();
  return Math.max(0, last - diedAt) / 1000;
}

interface Scene extends AsyncDisposable {
  inside(host: string, command: string): Promise<unknown>;
  /** Returns once it has said so. */
  start(host: string, command: readonly string[], saying: string): Promise<Child>;
  serve(realServer: string): Promise<void>;
  stop(realServer: string): Promise<void>;
  askAlways(): Promise<Disposable>;
  /** When the director last sent one of the client's packets to the victim. */
  lastPacketMs(): number;
  until(isSo: () => boolean): Promise<void>;
}

async function openScene(): Promise<Scene> {
  const prefix = `fairlead-bench-${process.pid}-${randomBytes(3).toString('hex')}-`;
  const lost = new AbortController();
  const { signal } = lost;
  setMaxListeners(0, signal);
  const onLost = (error: Error): void => lost.abort(error);
  const children: AsyncDisposable[] = [];
  const servers = new Map<string, Child>();
  let lastPacketMs = 0;
  const scene: Scene = {
    inside: (host, command) => run(command.split(' '), { namespace: prefix + host }, signal),
    async start(host, command, saying) {
      const child = new Child(command, { namespace: prefix + host, title: command.join(' '), onLost });
      children.push(child);
      await child.saying(saying, saying.startsWith('listening') ? 'stderr' : 'stdout', signal);
      return child;
    },
    async serve(name) {
      const listens = JSON.stringify([{ protocol: 'tcp', address: '0.0.0.0', port: realPort }]);
      servers.set(name, await scene.start(name, [process.execPath, program('serve'), name, listens], 'ready\n'));
    },
    stop: async (name) => await servers.get(name)?.[Symbol.asyncDispose](),
    async askAlways() {
      const asking = new Client(program('ask'), { namespace: `${prefix}client`, onLost }, signal);
      children.push(asking);
      await asking.ready();
      let asked = 0;
      const ask = (): void => {
        const question = { protocol: 'tcp', to: natPlan.vip, port, localPort: 20_000 + (asked++ % 40_000) } as const;
        void asking.ask({ ...question, token: `${asked}`, timeoutMs: 1000 }).catch(() => undefined);
      };
      const timer = setInterval(ask, askEveryMs);
      return { [Symbol.dispose]: () => clearInterval(timer) };
    },
    lastPacketMs: () => lastPacketMs,
    async until(isSo) {
      const deadline = now() + patienceMs;
      while (!isSo()) {
        if (now() > deadline) throw new Error(`packets to ${victim} did not begin, or end, within ${patienceMs} ms`);
        await delay(pollMs, undefined, { signal });
      }
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) await child[Symbol.asyncDispose]();
      await detach(`${prefix}director`);
      await removeNamespaces(namespacesOf(natPlan, prefix));
    },
  };
  try {
    await layOut(natPlan, prefix, signal);
    const filter = `tcp and src host ${client} and dst host ${rip}`;
    const capture = await scene.start('director', ['tcpdump', '-lttni', 'eth1', filter], 'listening on eth1');
    createInterface(capture.stdout).on('line', (line) => {
      lastPacketMs = Number.parseFloat(line) * 1000;
    });
    return scene;
  } catch (error) {
    await scene[Symbol.asyncDispose]();
    throw error;
  }
}

function program(name: string): string {
  return join(root, `dist/lab/${name}.js`);
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

function declaration(): string {
  const { intervalMs, timeoutMs, fall } = check;
  return `services:
  - tcp: ${natPlan.vip}:${port}
    scheduler: rr
    method: masq
    checks: {tcp: {}, interval: ${intervalMs}ms, timeout: ${timeoutMs}ms, fall: ${fall}, rise: 1}
    destinations: [${realServers.map((name) => `"${addressOf(natPlan, name)}:${realPort}"`).join(', ')}]
`;
}
