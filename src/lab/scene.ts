// One LVS type laid out and running: namespaces, servers, captures, the client, and the director's services.
import { setMaxListeners } from 'node:events';
import { fileURLToPath } from 'node:url';
import { FairleadError } from '../model/error.ts';
import type { Answer, Question } from './answer.ts';
import { Wire } from './capture.ts';
import { Child } from './child.ts';
import { Client } from './client.ts';
import { type Outcome, run } from './command.ts';
import { additions, addRealServer, detach, removals, resetRealServer, restore } from './director.ts';
import type { Host, Plan } from './plan.ts';
import { applySettings, layOut, namespacesOf, removeNamespaces } from './topology.ts';

export interface Exchange {
  readonly question: Question;
  readonly answer?: Answer;
  readonly failure?: string;
}

export interface Wanted {
  readonly port: number;
  readonly protocol?: 'tcp' | 'udp';
  /** The VIP unless said. */
  readonly to?: string;
  readonly timeoutMs?: number;
}

/** Long enough for a lost packet or two to be sent again. */
const answerTimeoutMs = 5_000;
/** Below a real client's own range, so that nothing else has these ports. */
const lastPortBefore = 20_000;

const built = (name: string): string => fileURLToPath(new URL(`../../dist/lab/${name}.js`, import.meta.url));

export class Scene implements AsyncDisposable {
  readonly plan: Plan;
  readonly prefix: string;
  readonly wire = new Wire();
  /** Everything that waits for this scene stops when a part of it is lost. */
  readonly signal: AbortSignal;
  readonly #stop = new AbortController();
  readonly #servers: Child[] = [];
  readonly #realServers: string[] = [];
  #client: Client | undefined;
  #attached = false;
  #staying = false;
  #asked = 0;

  constructor(plan: Plan, prefix: string, signal: AbortSignal) {
    this.plan = plan;
    this.prefix = prefix;
    this.signal = AbortSignal.any([signal, this.#stop.signal]);
    // Every capture, command and request of the scene waits for it.
    setMaxListeners(0, this.signal);
  }

  namespace(host: string): string {
    return this.prefix + host;
  }

  /** Runs a command, its words separated by spaces, on one host. */
  inside(host: string, command: string, input = ''): Promise<Outcome> {
    return run(command.split(' '), { namespace: this.namespace(host), input }, this.signal);
  }

  set(host: string, settings: Readonly<Record<string, string>>): Promise<void> {
    return applySettings(this.namespace(host), settings, this.signal);
  }

  async start(): Promise<void> {
    await layOut(this.plan, this.prefix, this.signal);
    const onLost = (error: FairleadError): void => this.#stop.abort(error);
    const watching = this.plan.hosts.map((host) =>
      this.wire.watch(host, { namespace: this.namespace(host.name), onLost }, this.signal),
    );
    await Promise.all([...watching, this.#startClient(onLost), this.#startRealServers(onLost)]);
    this.#attached = true;
    await restore(this.namespace('director'), additions(this.plan, this.plan.services), this.signal);
  }

  addProofServices(): Promise<void> {
    return restore(this.namespace('director'), additions(this.plan, this.plan.proofServices), this.signal);
  }

  removeProofServices(): Promise<void> {
    return restore(this.namespace('director'), removals(this.plan, this.plan.proofServices), this.signal);
  }

  async ask(wanted: Wanted): Promise<Exchange> {
    this.#asked += 1;
    const question: Question = {
      protocol: wanted.protocol ?? 'tcp',
      to: wanted.to ?? this.plan.vip,
      port: wanted.port,
      localPort: lastPortBefore + this.#asked,
      token: `${this.plan.type}-${this.#asked}-`,
      timeoutMs: wanted.timeoutMs ?? answerTimeoutMs,
    };
    const reply = (await this.#client?.ask(question)) ?? { failure: 'there is no client' };
    return 'answer' in reply ? { question, answer: reply.answer } : { question, failure: reply.failure };
  }

  async addRealServer(host: string): Promise<void> {
    this.#realServers.push(host);
    await addRealServer(this.namespace(host), this.plan, this.signal);
  }

  async resetRealServer(host: string): Promise<void> {
    await resetRealServer(this.namespace(host), this.signal);
    this.#realServers.splice(this.#realServers.indexOf(host), 1);
  }

  /** Disposing will leave the network, the servers and the director as they are. */
  stay(): void {
    this.#staying = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What a failed start left running must not come after what undoes it.
    this.#stop.abort(new FairleadError('kernel', 'the laboratory is being removed'));
    await Promise.all([this.wire[Symbol.asyncDispose](), this.#client?.[Symbol.asyncDispose]()]);
    if (this.#staying) {
      for (const server of this.#servers) {
        server.send('stay');
        server.release();
      }
      return;
    }
    // The data plane's pins outlive a namespace: they go while it is still there to be asked.
    const undone = await Promise.allSettled([
      this.#detach(),
      ...this.#realServers.map((host) => resetRealServer(this.namespace(host))),
    ]);
    await Promise.all(this.#servers.map((server) => server[Symbol.asyncDispose]()));
    await removeNamespaces(namespacesOf(this.plan, this.prefix));
    const failures = undone.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    if (failures.length > 0) throw failures[0];
  }

  async #detach(): Promise<void> {
    if (!this.#attached) return;
    const { status, stderr } = await detach(this.namespace('director'));
    if (status !== 0)
      throw new FairleadError('kernel', `fairlead detach ended with status ${status}: ${stderr.trim()}`);
  }

  async #startClient(onLost: (error: FairleadError) => void): Promise<void> {
    this.#client = new Client(built('ask'), { namespace: this.namespace('client'), onLost }, this.signal);
    await this.#client.ready();
  }

  async #startRealServers(onLost: (error: FairleadError) => void): Promise<void> {
    const hosts = this.plan.hosts.filter((host) => host.listens !== undefined);
    // One datagram socket is bound to the VIP, which must be there first.
    if (needsVip(this.plan)) await Promise.all(hosts.map((host) => this.addRealServer(host.name)));
    await Promise.all(hosts.map((host) => this.#startServer(host, onLost)));
  }

  async #startServer(host: Host, onLost: (error: FairleadError) => void): Promise<void> {
    const command = [process.execPath, built('serve'), host.name, JSON.stringify(host.listens)];
    const server = new Child(command, { namespace: this.namespace(host.name), title: `${host.name}'s server`, onLost });
    this.#servers.push(server);
    await server.saying('ready\n', 'stdout', this.signal);
  }
}

/** Real servers of the other methods know nothing of the VIP. */
function needsVip({ method }: Plan): boolean {
  return method === 'gate' || method === 'tunnel';
}

/** Nothing is left behind when it can't be opened. */
export async function openScene(plan: Plan, prefix: string, signal: AbortSignal): Promise<Scene> {
  const scene = new Scene(plan, prefix, signal);
  try {
    await scene.start();
    return scene;
  } catch (error) {
    // The first failure is the one to tell; what undoing says after it follows from it.
    await scene[Symbol.asyncDispose]().catch(() => undefined);
    throw error;
  }
}
