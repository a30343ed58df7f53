// Everything that may happen to a director while clients ask all the time: reloads, kills, upgrades, real servers that come and go. None
// of their requests may fail.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, connect } from '../../src/api/client.ts';
import type { Child } from '../../src/lab/child.ts';
import type { Method } from '../../src/model/service.ts';
import { fairlead, type Network, openNetwork } from '../e2e/network.ts';
import { makeOtherBuild } from '../other-build.ts';
import { randomFrom } from '../random.ts';

export interface SoakOptions {
  readonly method: Method;
  readonly seconds: number;
  readonly reloads: number;
  readonly kills: number;
  readonly upgrades: number;
  readonly seed: number;
  readonly say: (text: string) => void;
}

export interface SoakResult {
  readonly requests: number;
  readonly failed: number;
  readonly reloads: number;
  readonly kills: number;
  readonly upgrades: number;
  /** Real servers that were drained, removed, and added again. */
  readonly drains: number;
  /** What clients said went wrong. */
  readonly failures: readonly string[];
}

/** A client's connections that stay open live as long; then others take their place. */
const stayS = 2;
/** What is drained has no open connection by then. */
const drainMs = (stayS + 2) * 1000;
const connections = 32;

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-soak-'));
  try {
    await using network = await openNetwork(options.method);
    using other = makeOtherBuild();
    await using director = await Director.open(network, folder, [fairlead, other.fairlead]);
    return await new Soak(network, director, options).run();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The daemon, which is killed and started again, and its file. */
class Director implements AsyncDisposable {
  readonly #network: Network;
  readonly #folder: string;
  readonly #file: string;
  readonly client: Client;
  /** The command of each; they lay out what they keep in other ways. The first is in use. */
  #builds: readonly [string, string];
  #daemon: Child | undefined;
  #writes = 0;

  private constructor(network: Network, folder: string, builds: readonly [string, string]) {
    this.#network = network;
    this.#folder = folder;
    this.#builds = builds;
    this.#file = join(folder, 'soak.yaml');
    this.client = connect({ socket: join(folder, 'api.sock') });
  }

  static async open(network: Network, folder: string, builds: readonly [string, string]): Promise<Director> {
    const director = new Director(network, folder, builds);
    director.write();
    await director.start();
    return director;
  }

  /** Another file each time: a weight is another, and a service comes and goes. */
  write(): void {
    const turn = this.#writes++;
    const { method, vip, realServers, realPort } = this.#network;
    const port = method === 'masq' || method === 'fullnat' ? `:${realPort(80)}` : '';
    const destinations = realServers.map(
      ({ rip }, index) => `{rip: "${rip}${port}", weight: ${1 + ((turn + index) % 3)}}`,
    );
    const extra =
      turn % 2 === 0 ? '' : `  - {udp: "${vip}:${5000 + (turn % 100)}", destinations: ["${realServers[0].rip}"]}\n`;
    writeFileSync(
      this.#file,
      `services:
  - tcp: ${vip}:80
    scheduler: wrr
    method: ${method}
    checks: {tcp: {}, interval: 2s, timeout: 2s, fall: 5}
    destinations: [${destinations.join(', ')}]
${extra}api: {socket: ${this.#folder}/api.sock}
`,
    );
  }

  async start(): Promise<void> {
    this.#daemon = this.#network.director.start(this.#builds[0], 'run', '-c', this.#file);
    await this.#daemon.saying('the daemon runs', 'stdout', AbortSignal.timeout(30_000));
  }

  /** By SIGKILL. */
  async kill(): Promise<void> {
    await this.#daemon?.[Symbol.asyncDispose]();
  }

  /** The daemon of the other build takes over what is in the kernel, and brings it to its own programs. */
  async upgrade(): Promise<void> {
    const [present, next] = this.#builds;
    await this.kill();
    this.#builds = [next, present];
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

class Soak {
  readonly #network: Network;
  readonly #director: Director;
  readonly #options: SoakOptions;
  readonly #failures: string[] = [];
  readonly #done = { reloads: 0, kills: 0, upgrades: 0, drains: 0 };
  #requests = 0;
  #failed = 0;
  #isOver = false;

  constructor(network: Network, director: Director, options: SoakOptions) {
    this.#network = network;
    this.#director = director;
    this.#options = options;
  }

  async run(): Promise<SoakResult> {
    const end = performance.now() + this.#options.seconds * 1000;
    await Promise.all([this.#ask(false), this.#ask(true), this.#drainAtRandom(), this.#disturb(end)].map(this.#orEnd));
    return { requests: this.#requests, failed: this.#failed, ...this.#done, failures: this.#failures };
  }

  /** When one fails, the others need not go on. */
  readonly #orEnd = async (work: Promise<void>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      this.#isOver = true;
      throw error;
    }
  };

  /** Reloads, kills and upgrades, spread evenly over the time, or one after another where that is not enough. */
  async #disturb(end: number): Promise<void> {
    const { reloads, kills, upgrades, say } = this.#options;
    const plan = [...spread('reload', reloads), ...spread('kill', kills), ...spread('upgrade', upgrades)].sort(
      (one, other) => one.at - other.at,
    );
    const start = performance.now();
    let told = start;
    for (const { what, at } of plan) {
      if (this.#isOver) return;
      const due = start + at * (end - start);
      if (due > performance.now()) await delay(due - performance.now());
      await this.#do(what);
      if (performance.now() - told < 10_000) continue;
      told = performance.now();
      say(`${JSON.stringify(this.#done)} so far, ${this.#requests} requests, ${this.#failed} failed`);
    }
    while (performance.now() < end && !this.#isOver) await delay(100);
    this.#isOver = true;
  }

  async #do(what: Disturbance): Promise<void> {
    switch (what) {
      case 'reload':
        this.#director.write();
        await this.#director.client.reload();
        this.#done.reloads++;
        return;
      case 'kill':
        await this.#director.kill();
        await this.#director.start();
        this.#done.kills++;
        return;
      case 'upgrade':
        await this.#director.upgrade();
        this.#done.upgrades++;
    }
  }

  /** One at a time: the others serve. */
  async #drainAtRandom(): Promise<void> {
    const random = randomFrom(this.#options.seed);
    const by = { who: 'soak', why: '' };
    while (!this.#isOver) {
      const { service, destinations } = await this.#standing();
      const { destination } = random.pick(destinations);
      await this.#insist(() =>
        this.#director.client.override(service, destination, {
          state: 'draining',
          untilMs: Date.now() + drainMs,
          ...by,
        }),
      );
      while (!this.#isOver && !(await this.#isRemoved(destination))) await delay(200);
      if (await this.#isRemoved(destination)) this.#done.drains++;
      await this.#insist(() => this.#director.client.lift(service, destination, by));
      await delay(random.below(2000));
    }
  }

  async #standing() {
    const { services } = await this.#insist(() => this.#director.client.status());
    const found = services.find(({ service }) => service === `tcp ${this.#network.vip}:80`);
    if (found === undefined) throw new Error('the service is gone');
    return found;
  }

  async #isRemoved(destination: string): Promise<boolean> {
    const { destinations } = await this.#standing();
    return destinations.find((one) => one.destination === destination)?.override?.state === 'removed';
  }

  /** The daemon may just be dead. */
  async #insist<T>(work: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + 120_000;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await delay(50);
      }
    }
  }

  /** As fast as it can, with connections that stay open for a while, or a new one each time. */
  async #ask(isClosing: boolean): Promise<void> {
    while (!this.#isOver) {
      const report = await this.#network.client.run(
        ...['wrk', '--threads', '1', '--connections', `${connections}`, '--duration', `${stayS}s`, '--timeout', '10s'],
        ...(isClosing ? ['--header', 'Connection: close'] : []),
        `http://${this.#network.vip}/`,
      );
      this.#requests += Number(/(\d+) requests in/.exec(report)?.[1] ?? 0);
      for (const line of report.match(/^ *(?:Socket errors|Non-2xx).*$/gm) ?? []) {
        this.#failed += [...line.matchAll(/\d+/g)]
          .slice(line.includes('Non-2xx') ? 1 : 0)
          .reduce((sum, [n]) => sum + Number(n), 0);
        this.#failures.push(`${isClosing ? 'new' : 'lasting'} connections: ${line.trim()}`);
      }
    }
  }
}

type Disturbance = 'reload' | 'kill' | 'upgrade';

/** `at`: from 0 to 1. */
function spread(what: Disturbance, count: number): readonly { readonly what: Disturbance; readonly at: number }[] {
  return Array.from({ length: count }, (_, index) => ({ what, at: (index + 0.5) / count }));
}
