// The client's connections, opened and used one at a time by a test that looks at the director in between.
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Child } from '../../src/lab/child.ts';
import type { Network } from './network.ts';
import { until } from './until.ts';

const program = fileURLToPath(new URL('programs/client.mjs', import.meta.url));

/** To port 7 of the VIP. */
export interface Talk {
  readonly localPort: number;
  /** The real server's name, in time, or undefined. */
  ask(options?: { readonly timeoutMs?: number; readonly size?: number }): Promise<string | undefined>;
  /** The real server ends it: in its place, for it sends the FIN or RST. */
  tell(what: 'fin' | 'rst'): Promise<void>;
  /** What its socket reported, such as ECONNREFUSED. */
  error(): string | undefined;
  end(): void;
  reset(): void;
}

export interface Talker {
  /** Rejects when it is refused, or not open in time. */
  open(protocol: 'tcp' | 'udp', options?: { readonly port?: number; readonly timeoutMs?: number }): Promise<Talk>;
}

type Event = { readonly id: string; readonly what: string; readonly text: string };

export async function startTalker({ client, vip }: Pick<Network, 'client' | 'vip'>): Promise<Talker> {
  const child = client.start(process.execPath, program, vip);
  const events: Event[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [id = '', what = '', ...words] = line.split(' ');
    events.push({ id, what, text: words.join(' ') });
  });
  await until(() => events.length > 0, { what: 'the client is ready' });
  let opened = 0;
  return {
    open: async (protocol, { port = 7, timeoutMs = 10_000 } = {}) => {
      const id = String(opened++);
      const own = (): readonly Event[] => events.filter((event) => event.id === id);
      child.send(`${protocol} ${id} ${port}`);
      await until(() => own().length > 0, { timeoutMs, what: `${protocol} to port ${port} is open or refused` });
      const [first] = own();
      if (first?.what !== 'open') throw new Error(first?.text);
      return talk(child, id, Number(first.text), own);
    },
  };
}

function talk(child: Child, id: string, localPort: number, own: () => readonly Event[]): Talk {
  let asked = 0;
  return {
    localPort,
    ask: async ({ timeoutMs = 5_000, size = 1 } = {}) => {
      const question = String(asked++).padStart(size, '-');
      child.send(`send ${id} ${question}`);
      const answer = (): string | undefined =>
        own()
          .find(({ what, text }) => what === 'said' && text.endsWith(` ${question}`))
          ?.text.split(' ')[0];
      await until(() => answer() !== undefined, { timeoutMs }).catch(() => {});
      return answer();
    },
    tell: async (what) => {
      child.send(`send ${id} ${what}`);
      await until(() => own().some((event) => event.what === (what === 'fin' ? 'ended' : 'error')), { what });
    },
    error: () => own().find(({ what }) => what === 'error')?.text,
    end: () => child.send(`end ${id}`),
    reset: () => child.send(`reset ${id}`),
  };
}
