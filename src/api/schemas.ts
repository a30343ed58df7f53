// The values that go to and fro, as zod checks them; the published OpenAPI document is made of these.
import { z } from 'zod';
import { onFailures } from '../model/declared.ts';
import { errorCodes } from '../model/error.ts';
import { onRemoves } from '../model/service.ts';

const mostCharacters = 1000;
const mostWeight = 2_147_483_647;

const said = z.string({ error: `expected a text of up to ${mostCharacters} characters` }).max(mostCharacters, {
  error: `expected a text of up to ${mostCharacters} characters`,
});
const count = (most: number) => {
  const error = `expected a number from 0 to ${most}`;
  return z.int({ error }).min(0, { error }).max(most, { error });
};
const whenMs = z.number().meta({ description: 'milliseconds since 1970' });

export const liftRequest = z
  .strictObject({
    who: said.meta({ description: 'for the journal' }),
    why: said.meta({ description: 'for the journal; may be empty' }),
  })
  .meta({ id: 'LiftRequest' });

export const overrideRequest = z
  .strictObject({
    ...liftRequest.shape,
    state: z
      .enum(['quiesced', 'draining'], { error: 'expected quiesced or draining' })
      .optional()
      .meta({ description: 'no new connections; of draining it is removed when those of now are gone' }),
    untilMs: count(Number.MAX_SAFE_INTEGER)
      .optional()
      .meta({ description: 'when a draining one is removed although connections are left; milliseconds since 1970' }),
    weight: count(mostWeight).optional().meta({ description: 'in place of the declared one' }),
  })
  .refine(({ state, weight }) => (state === undefined) !== (weight === undefined), {
    error: 'expected either a state or a weight',
  })
  .refine(({ state, untilMs }) => untilMs === undefined || state === 'draining', {
    error: 'expected untilMs beside state draining only',
  })
  .meta({
    id: 'OverrideRequest',
    description: 'either a state or a weight',
    oneOf: [
      { required: ['state'], properties: { state: { const: 'quiesced' }, untilMs: false, weight: false } },
      { required: ['state'], properties: { state: { const: 'draining' }, weight: false } },
      { required: ['weight'], properties: { state: false, untilMs: false } },
    ],
  });

export const overrideStatus = z
  .object({
    state: z.enum(['quiesced', 'draining', 'removed']).optional(),
    untilMs: whenMs.optional(),
    weight: z.int().optional(),
    who: z.string(),
    why: z.string(),
    sinceMs: whenMs,
  })
  .meta({ id: 'Override' });

const checkStatus = z
  .object({
    kind: z.string(),
    state: z.enum(['up', 'down', 'unknown']),
    reason: z.string(),
    sinceMs: whenMs,
    durationMs: z.number().optional().meta({ description: 'how long the last probe took' }),
    intervalMs: z.number(),
    timeoutMs: z.number(),
    rise: z.int().meta({ description: 'probes in a row that make it up' }),
    fall: z.int().meta({ description: 'probes in a row that make it down' }),
  })
  .meta({ id: 'CheckStatus' });

const destinationStatus = z
  .object({
    destination: z.string().meta({ description: 'as 10.1.0.1:8080' }),
    isUp: z.boolean(),
    reason: z.string().optional().meta({ description: 'why it is not' }),
    weight: z.int().optional().meta({ description: 'as installed; absent: it is not installed' }),
    declaredWeight: z.int(),
    activeConnections: z.int(),
    inactiveConnections: z.int(),
    override: overrideStatus.optional(),
    checks: z.array(checkStatus),
  })
  .meta({ id: 'DestinationStatus' });

const serviceStatus = z
  .object({
    service: z.string().meta({ description: 'as "tcp 192.0.2.10:80" or "mark 7 4"' }),
    scheduler: z.string(),
    isQuorumLost: z.boolean(),
    quorum: z
      .object({ weight: z.int(), hysteresis: z.int() })
      .meta({ description: 'lost below weight - hysteresis, there again from weight + hysteresis on' }),
    sorryServer: z.string().optional(),
    onFailure: z.enum(onFailures),
    onRemove: z.enum(onRemoves),
    slowStartMs: z.number(),
    destinations: z.array(destinationStatus),
  })
  .meta({ id: 'ServiceStatus' });

export const statusAnswer = z.object({ services: z.array(serviceStatus) }).meta({ id: 'Status' });

export const journalEntry = z
  .object({
    id: z.string().meta({ description: 'grows; of the daemon that runs' }).optional(),
    atMs: whenMs,
    who: z.string().meta({ description: 'fairlead for what the daemon itself found out' }),
    what: z.string().meta({ description: 'up, down, quorum-up, quorum-down, drain, apply, limit ...' }),
    subject: z.string().optional().meta({ description: 'a service or destination, by its key' }),
    why: z.string().optional(),
  })
  .meta({ id: 'Entry' });

export const journalAnswer = z.object({ entries: z.array(journalEntry) }).meta({ id: 'Journal' });

const fields = z.record(z.string(), z.string());
const fieldChange = z.object({ name: z.string(), before: z.string(), after: z.string() });
const destinationChange = z.union([
  z.object({ action: z.enum(['add', 'remove']), destination: z.string(), fields }),
  z.object({ action: z.literal('change'), destination: z.string(), fields: z.array(fieldChange) }),
]);
const serviceChange = z.union([
  z.object({
    action: z.enum(['add', 'remove']),
    service: z.string(),
    fields,
    destinations: z.array(destinationChange),
  }),
  z.object({
    action: z.literal('change'),
    service: z.string(),
    isAdopted: z.boolean(),
    fields: z.array(fieldChange),
    destinations: z.array(destinationChange),
  }),
]);
const listChange = z.object({ action: z.enum(['add', 'remove']), text: z.string() });
const valueChange = z.object({ name: z.string(), before: z.number(), after: z.number() });

export const difference = z
  .object({
    services: z.array(serviceChange),
    markRules: z.array(listChange),
    addresses: z.array(listChange),
    settings: z.array(valueChange),
    timeouts: z.array(valueChange),
  })
  .meta({ id: 'Difference', description: 'what has changed, or would' });

export const reloadAnswer = z
  .object({ changed: z.int().meta({ description: 'how many services' }) })
  .meta({ id: 'Reload' });

export const checkAnswer = z.object({ services: z.int(), destinations: z.int() }).meta({ id: 'Check' });

export const problem = z
  .object({
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(errorCodes),
    hint: z.string().optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457' });
