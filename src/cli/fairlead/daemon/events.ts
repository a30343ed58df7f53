// fairlead events: what happens, as it does, until it is stopped.
import type { Event } from '../../../api/contract.ts';
import type { Io } from '../io.ts';
import { connectHere } from './override.ts';
import { formatEntry } from './show.ts';

/** JSON: a line for each. Ends when the daemon does. */
export async function showEvents(io: Io, output: 'table' | 'json'): Promise<void> {
  const format = output === 'json' ? (event: Event) => `${JSON.stringify(event)}\n` : formatEntry;
  for await (const event of connectHere().events()) io.stdout.write(format(event));
}
