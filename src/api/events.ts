// What happens, told as it does: server-sent events (WHATWG HTML, 9.2), which browsers and curl understand.
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { Journal } from '../control/journal.ts';

/** So that what is between does not take it for dead. */
const keepAliveMs = 15_000;

/** From now on, or from behind the one that the client has seen last. */
export function streamEvents(context: Context, journal: Journal): Response {
  const seen = context.req.header('Last-Event-ID');
  return streamSSE(context, async (stream) => {
    await new Promise<void>((resolve) => {
      const stop = journal.listen((entry) => {
        void stream.writeSSE({ event: kindOf(entry.what), id: entry.id, data: JSON.stringify(entry) });
      }, seen);
      const alive = setInterval(() => void stream.write(': \n\n'), keepAliveMs);
      void stream.write(': fairlead\n\n');
      stream.onAbort(() => {
        clearInterval(alive);
        stop();
        resolve();
      });
    });
  });
}

const kinds: Readonly<Record<string, string>> = {
  up: 'health',
  down: 'health',
  'quorum-up': 'health',
  'quorum-down': 'health',
  limit: 'limit',
  'limit-over': 'limit',
};

function kindOf(what: string): string {
  return kinds[what] ?? 'change';
}
