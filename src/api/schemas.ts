// The values that go to and fro, as zod checks them; the published OpenAPI document is made of these.
import { z } from 'zod';
import { onFailures } from '../model/declared.ts';
import { longestTimeoutS } from '../model/director.ts';
import { errorCodes } from '../model/error.ts';
import { methods, onRemoves, schedulers, uoaModes } from '../model/service.ts';
import { settingNames, settingRange } from '../model/settings.ts';

const mostCharacters = 1000;
const mostWeight = 2_147_483_647;

const said = z.string({ error: `expected a text of up to ${mostCharacters} characters` }).max(mostCharacters, {
  error: `expected a text of up to ${mostCharacters} characters`,
});
const numberIn = (least: number, most: number) => {
  const error = `expected a number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
};
const count = (most: number) => numberIn(0, most);
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

/** Where a client looks at more than it should keep: a number that grows. */
const counted = {
  connections: z.number(),
  inPackets: z.number(),
  outPackets: z.number(),
  inBytes: z.number(),
  outBytes: z.number(),
};
const counters = z.object(counted).meta({ id: 'Counters', description: 'bytes are of layer 3' });
const rates = z.object(counted).meta({ id: 'Rates', description: 'per second, as IPVS averages them' });

const installedDestination = z
  .object({
    rip: z.string(),
    port: z.int(),
    askedPort: z.int().optional().meta({ description: 'that it was added with, where its method cannot map ports' }),
    method: z.enum(methods),
    weight: z.int(),
    upperThreshold: z.int().optional(),
    lowerThreshold: z.int().optional(),
    tunnel: z.object({ type: z.string(), port: z.int(), checksum: z.string() }).optional(),
    activeConnections: z.int(),
    inactiveConnections: z.int(),
    persistentConnections: z.int(),
    failures: z.int().optional().meta({ description: 'connections that it has not taken at once; it only grows' }),
    counters,
    rates,
  })
  .meta({ id: 'InstalledDestination' });

const installedService = z
  .object({
    protocol: z.string().optional(),
    vip: z.string().optional(),
    port: z.int().optional(),
    mark: z.int().optional(),
    family: z.int().optional().meta({ description: 'of a mark: 4 or 6' }),
    scheduler: z.enum(schedulers),
    schedulerFlags: z.array(z.string()).optional(),
    persistence: z.object({ timeoutS: z.int(), mask: z.string() }).optional(),
    persistenceEngine: z.string().optional(),
    onePacket: z.boolean().optional(),
    mssClamp: z.union([z.int(), z.literal('path')]).optional(),
    uoa: z.enum(uoaModes).optional(),
    onRemove: z.enum(onRemoves).optional(),
    localAddresses: z.array(z.string()).optional(),
    destinations: z.array(installedDestination),
    counters,
    rates,
  })
  .meta({ id: 'InstalledService', description: 'by protocol, vip and port, or by mark and family' });

export const servicesAnswer = z.object({ services: z.array(installedService) }).meta({ id: 'Services' });

export const zeroRequest = z
  .strictObject({
    ...liftRequest.shape,
    service: said.optional().meta({ description: 'its key; absent: all' }),
  })
  .meta({ id: 'ZeroRequest' });

const connection = z
  .object({
    protocol: z.string(),
    state: z.string().meta({ description: 'as ipvsadm -Lc shows it' }),
    isTemplate: z.boolean().optional().meta({ description: 'it is what a persistent service remembers a client by' }),
    expiresInS: z.int().meta({ description: 'unless another packet comes' }),
    client: z.string().meta({ description: 'as 198.51.100.7:40000' }),
    virtual: z.string(),
    local: z.string().optional().meta({ description: "fullnat's source towards the real server" }),
    destination: z.string(),
    method: z.enum(methods),
    engine: z.object({ name: z.string(), data: z.string() }).optional(),
  })
  .meta({ id: 'Connection' });

export const connectionsAnswer = z
  .object({
    connections: z.array(connection),
    next: z.int().optional().meta({ description: '`from` of the next page; absent: this is the last' }),
  })
  .meta({ id: 'Connections', description: 'a page may have none that are asked for, and not be the last' });

const settingValues = Object.fromEntries(settingNames.map((name) => [name, z.int()] as const));
const timeoutS = z.int().meta({ description: 'seconds' });

export const settingsAnswer = z
  .object({
    settings: z.object(settingValues),
    timeouts: z.object({ tcp: timeoutS, tcpFin: timeoutS, udp: timeoutS }),
  })
  .meta({ id: 'Settings' });

const settingRequests = Object.fromEntries(
  settingNames.map((name) => {
    const { least, most } = settingRange(name);
    return [name, numberIn(least, most).optional()] as const;
  }),
);
const timeoutRequest = numberIn(1, longestTimeoutS).optional().meta({ description: 'seconds' });

export const settingsRequest = z
  .strictObject({
    ...liftRequest.shape,
    settings: z.strictObject(settingRequests).optional(),
    timeouts: z.strictObject({ tcp: timeoutRequest, tcpFin: timeoutRequest, udp: timeoutRequest }).optional(),
  })
  .meta({ id: 'SettingsRequest' });

const markRules = z.array(said).meta({ description: 'each as behind `fairlead mark add`; the first is met first' });

export const markRulesAnswer = z.object({ rules: markRules }).meta({ id: 'MarkRules' });

export const markRulesRequest = z
  .strictObject({ ...liftRequest.shape, rules: markRules })
  .meta({ id: 'MarkRulesRequest' });

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
