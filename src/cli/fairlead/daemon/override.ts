// fairlead drain, disable, enable and set weight: what operators say, for the daemon to heed until it is lifted.
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, connect } from '../../../api/client.ts';
import type { DestinationStatus } from '../../../api/contract.ts';
import { daemonPlace } from '../../../dataplane/place.ts';
import { FairleadError } from '../../../model/error.ts';
import type { Io } from '../io.ts';
import { whoAsks } from './names.ts';

/** Both by their keys. */
export interface Subject {
  readonly service: string;
  readonly destination: string;
}

const lookMs = 500;

export function connectHere(): Client {
  return connect({ socket: daemonPlace().api });
}

export async function disable({ service, destination }: Subject, why: string): Promise<void> {
  await connectHere().override(service, destination, { state: 'quiesced', who: whoAsks(), why });
}

export async function enable({ service, destination }: Subject, why: string): Promise<void> {
  await connectHere().lift(service, destination, { who: whoAsks(), why });
}

export async function setWeight({ service, destination }: Subject, weight: number, why: string): Promise<void> {
  await connectHere().override(service, destination, { weight, who: whoAsks(), why });
}

export interface DrainOptions {
  readonly why: string;
  /** After so long it goes although connections are left. */
  readonly deadlineMs?: number;
  /** Or return at once. */
  readonly isAwaited: boolean;
}

export async function drain(io: Io, subject: Subject, { why, deadlineMs, isAwaited }: DrainOptions): Promise<void> {
  const client = connectHere();
  const { service, destination } = subject;
  const until = deadlineMs === undefined ? {} : { untilMs: Date.now() + deadlineMs };
  await client.override(service, destination, { state: 'draining', ...until, who: whoAsks(), why });
  if (isAwaited) await watch(io, client, subject);
}

/** A line each time that the number changes. */
async function watch(io: Io, client: Client, subject: Subject): Promise<void> {
  let said: number | undefined;
  for (;;) {
    const { override, activeConnections, inactiveConnections } = await find(client, subject);
    const left = activeConnections + inactiveConnections;
    if (override?.state === 'removed') break;
    if (override?.state !== 'draining')
      throw new FairleadError('bad-input', 'somebody else lifted the drain meanwhile');
    if (left !== said) io.stdout.write(`${subject.destination}: ${left} connections are left\n`);
    said = left;
    await delay(lookMs);
  }
  io.stdout.write(`${subject.destination}: drained, and removed until it is enabled\n`);
}

async function find(client: Client, { service, destination }: Subject): Promise<DestinationStatus> {
  const { services } = await client.status();
  const found = services
    .find((one) => one.service === service)
    ?.destinations.find((one) => one.destination === destination);
  if (found !== undefined) return found;
  throw new FairleadError('destination-missing', `no destination ${destination} of ${service} is declared any more`);
}
