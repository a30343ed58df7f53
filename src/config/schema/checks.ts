// How health checks are written.
import { z } from 'zod';
import { dnsTypes } from '../../model/check.ts';
import {
  address,
  choice,
  command,
  duration,
  integer,
  mark,
  oneOrMore,
  port,
  statusRange,
  text,
  truth,
} from './scalars.ts';

const hour = 3_600_000;

/** What every check may say, and `defaults` for all of them. */
const probing = {
  interval: duration(100, 24 * hour)
    .optional()
    .meta({ description: 'from one probe to the next; 2s by default' }),
  timeout: duration(10, hour).optional().meta({ description: 'of one probe; 1s by default, or half the interval' }),
  rise: integer('a number of probes', 1, 1000)
    .optional()
    .meta({ description: 'probes that have to pass, one after another, to be up; 2 by default' }),
  fall: integer('a number of probes', 1, 1000)
    .optional()
    .meta({ description: 'probes that have to fail, one after another, to be down; 3 by default' }),
  jitter: z
    .union([
      z
        .string({ error: 'expected a share of the interval or a time, as 10% or 200ms' })
        .regex(/^\d{1,3}(\.\d+)?%$/)
        .transform((share) => ({ share: Math.min(1, Number(share.slice(0, -1)) / 100) })),
      duration(0, hour).transform((milliseconds) => ({ milliseconds })),
    ])
    .optional()
    .meta({ description: 'how far intervals differ by chance: a share, or a time; 10% by default' }),
  retry: integer('a number of probes', 0, 100)
    .optional()
    .meta({ description: 'repetitions before a probe counts as failed; 0 by default' }),
  retry_delay: duration(0, hour).optional().meta({ description: 'before each repetition; 200ms by default' }),
  warm_up: duration(0, hour)
    .optional()
    .meta({ description: 'the first probe comes within so long, by chance; the interval by default' }),
  initially: choice(['up', 'down'])
    .optional()
    .meta({ description: 'what counts until the first probes have told; up by default' }),
};

const target = {
  path: choice(['client', 'direct'])
    .optional()
    .meta({ description: "client (the default): gate's and tunnel's probes go to the VIP, as clients' packets do" }),
  address: address.optional().meta({ description: "instead of the destination's" }),
  port: port.optional().meta({ description: "instead of the destination's" }),
  source: address.optional().meta({ description: 'the source address of probes' }),
  mark: mark.optional().meta({ description: "of the probes' own packets, for routing rules" }),
};

export const checkSettings = z.strictObject(probing).meta({ description: 'what checks have that say nothing else' });
export type WrittenCheckSettings = z.output<typeof checkSettings>;

/** Answers to be looked for. */
const regex = text('a regular expression').superRefine((source, context) => {
  try {
    new RegExp(source);
  } catch (error) {
    context.addIssue({ code: 'custom', message: `expected a regular expression: ${(error as Error).message}` });
  }
});
const hexadecimal = (digits: number | undefined, what: string) =>
  z
    .string({ error: `expected ${what}` })
    .regex(digits === undefined ? /^([0-9a-fA-F]{2})*$/ : new RegExp(`^[0-9a-fA-F]{${digits}}$`), {
      error: `expected ${what}`,
    });

const expectation = {
  expect: text('a text').optional().meta({ description: 'a text that the answer holds' }),
  expect_regex: regex.optional().meta({ description: 'a regular expression that the answer matches' }),
  refuse_regex: regex.optional().meta({ description: 'a regular expression that the answer must not match' }),
  regex_flags: z
    .string()
    .regex(/^[ims]{0,3}$/, { error: 'expected flags out of i, m and s' })
    .optional(),
};

const tlsSettings = {
  name: text('a name').optional().meta({ description: 'for SNI and in the certificate; by default the host' }),
  verify: truth.optional().meta({ description: 'the certificate has to be valid; true by default' }),
  ca: text('a file').optional().meta({ description: "PEM certificates to trust, instead of the system's" }),
  certificate: text('a file').optional().meta({ description: "the probe's own, PEM" }),
  key: text('a file').optional(),
};

const path = z.string().regex(/^\/\S*$/, { error: 'expected a path, from / on' });

const httpSettings = {
  method: z
    .string()
    .regex(/^[A-Z]+$/, { error: 'expected a method, as GET' })
    .optional()
    .meta({ description: 'GET by default' }),
  path: path.optional().meta({ description: '/ by default' }),
  host: text("a host's name").optional().meta({ description: 'by default the VIP' }),
  headers: z.record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/), z.string()).optional(),
  status: oneOrMore(statusRange).optional().meta({ description: 'statuses that pass; 200-399 by default' }),
  body: text('a text').optional().meta({ description: 'a text that the body holds' }),
  body_regex: regex.optional(),
  body_refuse_regex: regex.optional(),
  regex_flags: expectation.regex_flags,
  md5: hexadecimal(32, '32 hexadecimal digits').optional().meta({ description: "the body's, as genhash prints it" }),
  sha256: hexadecimal(64, '64 hexadecimal digits').optional().meta({ description: "the body's" }),
};

/** Settings that are all optional, or nothing. */
function settings<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const object = z.strictObject(shape);
  return z.union([object, z.null().transform(() => ({}) as z.output<typeof object>)]);
}

const tlsObject = z.strictObject(tlsSettings);
export type WrittenTls = z.output<typeof tlsObject>;

const answers = { send: text('a text').optional(), ...expectation };

const httpsShape = { ...httpSettings, tls: tlsObject.optional() };
export type WrittenHttp = z.output<z.ZodObject<typeof httpsShape>>;
const onlyPath = path.transform((only): WrittenHttp => ({ path: only }));

const dnsShape = {
  name: text('a name').optional().meta({ description: '. by default' }),
  type: choice(dnsTypes).optional().meta({ description: 'A by default; SOA of the root' }),
  transport: choice(['udp', 'tcp']).optional(),
  answer: oneOrMore(text('an answer')).optional().meta({ description: 'one of these has to be among the answers' }),
};
export type WrittenDns = z.output<z.ZodObject<typeof dnsShape>>;

const execObject = z.strictObject({
  command,
  user: text('a user').optional(),
  sets_weight: truth.optional().meta({ description: 'an exit status from 2 on is the weight, and 2 more' }),
});
export type WrittenExec = z.output<typeof execObject>;

const agentObject = z.strictObject({ port, send: text('a text').optional() });
export type WrittenAgent = z.output<typeof agentObject>;

const kinds = {
  tcp: settings(answers),
  http: z.union([onlyPath, settings(httpSettings)]),
  https: z.union([onlyPath, settings(httpsShape)]),
  dns: z.union([text('a name').transform((name): WrittenDns => ({ name })), settings(dnsShape)]),
  udp: settings({
    ...answers,
    send_hex: hexadecimal(undefined, 'bytes in hexadecimal').optional(),
    reply: choice(['optional', 'required'])
      .optional()
      .meta({ description: 'optional (the default): only an ICMP error fails' }),
  }),
  smtp: settings({
    helo: text('a name').optional(),
    tls: tlsObject.optional().meta({ description: 'STARTTLS is asked for' }),
  }),
  icmp: settings({}),
  exec: z.union([command.transform((words): WrittenExec => ({ command: words })), execObject]),
  agent: z.union([port.transform((only): WrittenAgent => ({ port: only })), agentObject]),
  passive: settings({
    failures: integer('a number of connections', 1, 1_000_000).optional().meta({ description: '5 by default' }),
    within: duration(1000, hour).optional().meta({ description: '10s by default' }),
    pause: duration(1000, 24 * hour)
      .optional()
      .meta({ description: '30s by default' }),
  }),
};

export const checkKinds = ['tcp', 'http', 'https', 'dns', 'udp', 'smtp', 'icmp', 'exec', 'agent', 'passive'] as const;
type Kind = (typeof checkKinds)[number];
/** Those that are whole by their name. */
const bareKinds = ['tcp', 'http', 'https', 'dns', 'udp', 'smtp', 'icmp', 'passive'] as const;

const optionalKinds = Object.fromEntries(checkKinds.map((kind) => [kind, kinds[kind].optional()])) as {
  [Name in Kind]: z.ZodOptional<(typeof kinds)[Name]>;
};

const checkObject = z
  .strictObject({ ...optionalKinds, ...probing, ...target })
  .refine((check) => checkKinds.filter((kind) => check[kind] !== undefined).length === 1, {
    error: `expected just one of ${checkKinds.join(', ')}`,
  })
  .meta({ id: 'check' });
export type WrittenCheck = z.output<typeof checkObject>;

const bare = choice(bareKinds).transform((kind): WrittenCheck => ({ [kind]: {} }));

/** A word, a mapping, or a list of them; `none` for no check. */
export const checks = z
  .union([
    z.literal('none').transform((): WrittenCheck[] => []),
    bare.transform((check) => [check]),
    checkObject.transform((check) => [check]),
    z.array(z.union([bare, checkObject])),
  ])
  .meta({
    id: 'checks',
    description: 'health checks, all of which have to pass; by default tcp for services of TCP, and none for others',
  });
